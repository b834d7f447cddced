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
        &["the question is empty", "hint: "],
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
    check(&outcome, 0, &["closed", "shut.txt", "no permission"]);
}

#[test]
fn a_second_index_at_once_is_told_who_holds_the_corpus() {
    use std::io::Write as _;
    let sandbox = Sandbox::indexed();
    // This process is the first writer: it holds the lock as one does.
    let path = sandbox.path(".indago/corpora/default/lock");
    let mut lock = std::fs::File::create(path).expect("a lock file");
    lock.try_lock().expect("nobody else holds it");
    let me = std::process::id();
    writeln!(lock, "{me}").expect("written");
    let refused = sandbox.run(&["index", "docs", "--no-vectors"]);
    let told = format!("is being indexed by process {me}");
    check(&refused, 5, &[&told, "hint: "]);
    assert_eq!(sandbox.run(&["search", "lighthouse"]).code, Some(0));
    drop(lock);
    check(&sandbox.run(&["index", "docs", "--no-vectors"]), 0, &[]);
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

/// Runs in a mount namespace of its own: as root, or as whoever the kernel lets have one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_old_index() {
    let sandbox = Sandbox::with_documents();
    std::fs::create_dir(sandbox.path("disk")).expect("a folder");
    for i in 0..200 {
        let text: String = (0..3000).map(|j| format!("word{i}x{j} ")).collect();
        sandbox.write(&format!("more/big{i}.txt"), text);
    }
    // The small disk lives as long as this one shell.
    let script = r#"
        mount -t tmpfs -o size=2m tmpfs disk || exit 97
        run() { "$PROGRAM" "$@" --project disk --threads 1; }
        run index docs --no-vectors || exit 98
        run index more --no-vectors
        echo "full: $?"
        run search lighthouse
        echo "after: $?"
    "#;
    let map: &[&str] = if is_root() { &[] } else { &["--map-root-user"] };
    let output = Command::new("unshare")
        .args(map)
        .args(["--mount", "sh", "-c", script])
        .env("PROGRAM", env!("CARGO_BIN_EXE_indago"))
        .current_dir(sandbox.path(""))
        .stdin(Stdio::null())
        .output()
        .expect("unshare (util-linux) runs");
    let outcome = sandbox.outcome(output);
    assert_ne!(
        outcome.code,
        Some(97),
        "no small file system can be mounted here; without root, allow user namespaces: {outcome:?}"
    );
    check(&outcome, 0, &["no space left", "hint: free some space"]);
    for code in ["full: 1", "after: 0"] {
        assert!(outcome.stdout.contains(code), "no `{code}` in {outcome:?}");
    }
}
