//! Bad input ends in a clear message and a true exit code, never in a panic or a lost index.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Outcome, Sandbox, is_root, run_unprivileged};

/// The exit code and the words that matter; no panic, whatever happened.
fn check(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
    for word in words {
        assert!(
            outcome.stderr.contains(word),
            "no `{word}` in {}",
            outcome.stderr
        );
    }
}

/// What was indexed before is still there.
fn check_old_index(sandbox: &Sandbox) {
    assert_eq!(sandbox.run(&["search", "lighthouse"]).code, Some(0));
}

#[test]
fn a_missing_path_is_named() {
    let sandbox = Sandbox::indexed();
    check(
        &sandbox.run(&["index", "nowhere"]),
        1,
        &["nowhere", "hint: "],
    );
    check_old_index(&sandbox);
}

#[test]
fn a_corpus_that_is_not_there_says_how_to_make_it() {
    let sandbox = Sandbox::new();
    for args in [["ask", "Why?"], ["search", "why"]] {
        check(
            &sandbox.run(&args),
            1,
            &[
                "there is no corpus `default`",
                "hint: make it with `indago index",
            ],
        );
    }
    assert!(
        !sandbox.path(".indago").exists(),
        "looking must not make a project"
    );
}

#[test]
fn an_empty_folder_is_nothing_to_index() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("empty")).expect("a folder");
    check(
        &sandbox.run(&["index", "empty"]),
        1,
        &["nothing to index", "hint: "],
    );
}

#[test]
fn questions_without_words_or_without_end_are_refused() {
    let sandbox = Sandbox::indexed();
    check(
        &sandbox.run(&["ask", "  ?! "]),
        2,
        &["the question is empty"],
    );
    let long = "why ".repeat(25_000);
    check(
        &sandbox.run(&["ask", &long]),
        2,
        &["100000 bytes", "hint: "],
    );
    let mut child = sandbox
        .command(&["ask", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let fed = child
        .stdin
        .take()
        .expect("stdin")
        .write_all(long.as_bytes());
    // The program may stop reading once there is too much.
    assert!(fed.is_ok() || fed.is_err_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe));
    check(
        &sandbox.outcome(child.wait_with_output().expect("ends")),
        2,
        &["hint: "],
    );
}

#[test]
fn a_truncated_pdf_is_listed_and_fails_only_when_it_is_all_there_is() {
    let sandbox = Sandbox::indexed();
    sandbox.write(
        "docs/cut.pdf",
        b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R",
    );
    let outcome = sandbox.run(&["index", "--no-vectors"]);
    check(&outcome, 0, &["cut.pdf"]);
    check(
        &sandbox.run(&["index", "--no-vectors", "--strict"]),
        4,
        &["cut.pdf"],
    );
    check_old_index(&sandbox);
    let alone = ["index", "docs/cut.pdf", "--corpus", "alone", "--no-vectors"];
    check(&sandbox.run(&alone), 1, &["cut.pdf", "nothing to index"]);
}

#[test]
fn a_file_of_zeros_and_one_in_another_encoding_stop_nothing() {
    let sandbox = Sandbox::with_documents();
    sandbox.write("docs/zeros.txt", vec![0; 100_000]);
    sandbox.write(
        "docs/latin.txt",
        b"Caf\xe9 M\xfcller in Z\xfcrich serves bread all day long.",
    );
    check(
        &sandbox.run(&["index", "docs", "--no-vectors"]),
        0,
        &["zeros.txt"],
    );
    assert_eq!(sandbox.run(&["search", "Zürich"]).code, Some(0));
}

#[test]
fn a_zip_bomb_is_not_unpacked() {
    let sandbox = Sandbox::with_documents();
    sandbox.write("docs/bomb.docx", bomb());
    let outcome = sandbox.run(&["index", "docs", "--no-vectors"]);
    check(&outcome, 0, &["bomb.docx"]);
    check_old_index(&sandbox);
}

/// A DOCX whose body unpacks to 2 GB of spaces. Sizes and checksum are honest, so that only its
/// expansion speaks against it.
fn bomb() -> Vec<u8> {
    use flate2::{Compress, Compression, Crc, FlushCompress};
    const BLOCKS: usize = 2048;
    let block = vec![b' '; 1 << 20];
    // A flushed block of a fresh compressor refers to nothing before it, so it can be repeated.
    let mut once = Vec::with_capacity(1 << 16);
    let mut compressor = Compress::new(Compression::fast(), false);
    compressor
        .compress_vec(&block, &mut once, FlushCompress::Full)
        .expect("memory");
    let mut packed = once.repeat(BLOCKS);
    packed.extend([3, 0]);
    let mut crc_of_block = Crc::new();
    crc_of_block.update(&block);
    let mut crc = Crc::new();
    (0..BLOCKS).for_each(|_| crc.combine(&crc_of_block));
    let name = b"word/document.xml";
    let size = (BLOCKS << 20) as u32;
    let fields = |out: &mut Vec<u8>| {
        out.extend(20_u16.to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out.extend(8_u16.to_le_bytes());
        out.extend([0; 4]);
        out.extend(crc.sum().to_le_bytes());
        out.extend((packed.len() as u32).to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend(0_u16.to_le_bytes());
    };
    let mut zip = b"PK\x03\x04".to_vec();
    fields(&mut zip);
    zip.extend(name);
    zip.extend(&packed);
    let directory = zip.len() as u32;
    zip.extend(b"PK\x01\x02");
    zip.extend(20_u16.to_le_bytes());
    fields(&mut zip);
    zip.extend([0; 14]);
    zip.extend(name);
    let length = zip.len() as u32 - directory;
    zip.extend(b"PK\x05\x06");
    zip.extend([0; 4]);
    zip.extend([1, 0, 1, 0]);
    zip.extend(length.to_le_bytes());
    zip.extend(directory.to_le_bytes());
    zip.extend([0; 2]);
    zip
}

#[cfg(unix)]
#[test]
fn a_symlink_loop_is_walked_once() {
    let sandbox = Sandbox::with_documents();
    std::os::unix::fs::symlink(sandbox.path("docs"), sandbox.path("docs/again")).expect("a link");
    let outcome = sandbox.run(&["index", "docs", "--no-vectors", "--json"]);
    check(&outcome, 0, &[]);
    assert!(outcome.stdout.contains("\"documents\": 3"), "{outcome:?}");
}

#[cfg(unix)]
#[test]
fn a_folder_and_a_file_without_permission_are_listed() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::with_documents();
    sandbox.write("docs/closed/secret.txt", "Nobody reads this.\n");
    sandbox.write("docs/shut.txt", "Nor this.\n");
    for (path, mode) in [("docs/closed", 0o000), ("docs/shut.txt", 0o000)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(sandbox.path(path), mode).expect("permissions");
    }
    let outcome = run_unprivileged(&sandbox, &["index", "docs", "--no-vectors"]);
    let opened = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(sandbox.path("docs/closed"), opened).expect("permissions");
    let Some(outcome) = outcome else { return };
    check(&outcome, 0, &["closed", "shut.txt", "no permission"]);
}

#[test]
fn a_second_index_at_once_is_told_who_holds_the_corpus() {
    let sandbox = Sandbox::with_documents();
    for i in 0..300 {
        sandbox.write(
            &format!("docs/{i}.txt"),
            format!("Note {i} on tides.\n").repeat(2000),
        );
    }
    let mut first = sandbox
        .command(&["index", "docs", "--no-vectors"])
        .stderr(Stdio::null())
        .spawn()
        .expect("runs");
    // Tried until the first one holds the lock; it may also be done before, on a fast machine.
    let mut busy = None;
    while busy.is_none() && first.try_wait().expect("status").is_none() {
        let outcome = sandbox.run(&["index", "docs/0.txt", "--no-vectors"]);
        if outcome.code == Some(5) {
            busy = Some(outcome);
        }
    }
    first.wait().expect("ends");
    match busy {
        Some(outcome) => check(&outcome, 5, &["is being indexed by process", "hint: "]),
        None => println!("skipped: the first index was done before the second one began"),
    }
    assert_eq!(sandbox.run(&["search", "tides"]).code, Some(0));
}

#[test]
fn an_index_of_a_newer_version_is_refused_and_kept() {
    let sandbox = Sandbox::indexed();
    let manifest = sandbox.path(".indago/corpora/default/manifest.json");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let newer = text.replacen("indago-corpus 1 ", "indago-corpus 99 ", 1);
    assert_ne!(text, newer, "the manifest's first line has another form");
    std::fs::write(&manifest, &newer).expect("written");
    for args in [
        vec!["search", "lighthouse"],
        vec!["ask", "Why?"],
        vec!["index", "docs"],
    ] {
        check(&sandbox.run(&args), 1, &["99", "hint: a newer indago"]);
    }
    assert_eq!(
        std::fs::read_to_string(&manifest).expect("a manifest"),
        newer
    );
}

#[test]
fn a_damaged_batch_file_names_its_line() {
    let sandbox = Sandbox::indexed();
    sandbox.write("q.jsonl", "{\"_id\":\"1\",\"text\":\"x y\"}\nnot json\n");
    check(
        &sandbox.run(&["search", "--batch", "q.jsonl"]),
        2,
        &["q.jsonl` line 2", "hint: "],
    );
    check(
        &sandbox.run(&["ask", "--batch", "missing.jsonl"]),
        1,
        &["missing.jsonl"],
    );
}

#[test]
fn a_retriever_nobody_knows_is_a_usage_error() {
    let sandbox = Sandbox::indexed();
    check(
        &sandbox.run(&["search", "x y", "--retriever", "magic"]),
        2,
        &["`magic`", "bm25"],
    );
}

/// Needs root and a kernel that lets it mount; says so where that is not the case.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_old_index() {
    let sandbox = Sandbox::with_documents();
    let disk = sandbox.path("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let mounted = is_root()
        && Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(&disk)
            .output()
            .is_ok_and(|output| output.status.success());
    if !mounted {
        println!("skipped: a small file system cannot be mounted here");
        return;
    }
    struct Unmount(std::path::PathBuf);
    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).output();
        }
    }
    let _unmount = Unmount(disk);
    let project = ["--project", "disk", "--threads", "1"];
    let with = |args: &[&str]| sandbox.run(&[args, &project[..]].concat());
    check(&with(&["index", "docs", "--no-vectors"]), 0, &[]);
    for i in 0..200 {
        let text: String = (0..3000).map(|j| format!("word{i}x{j} ")).collect();
        sandbox.write(&format!("docs/big{i}.txt"), text);
    }
    check(
        &with(&["index", "docs", "--no-vectors"]),
        1,
        &["no space left", "hint: free some space"],
    );
    check(&with(&["search", "lighthouse"]), 0, &[]);
}
