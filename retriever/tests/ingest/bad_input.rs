//! Every kind of bad input that the indexer meets: a typed reason, never a panic.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use indago_retriever::ingest::{LoadLimits, SkipReason, WalkError, WalkOptions, walk};
use zip::write::SimpleFileOptions;

use crate::{fixture, found, read, walk_all, write};

fn reason(file: &indago_retriever::ingest::FoundFile, limits: &LoadLimits) -> (SkipReason, String) {
    let (parsed, mut skipped, _) = read(file, limits);
    assert!(parsed.is_empty(), "{} gave documents", file.relative);
    assert_eq!(skipped.len(), 1);
    let skipped = skipped.remove(0);
    (skipped.reason, skipped.detail)
}

#[test]
fn a_missing_path_is_an_error_that_names_it() {
    let missing = PathBuf::from("/no/such/folder");
    let error = walk(&[missing], &WalkOptions::default()).unwrap_err();
    assert!(matches!(error, WalkError::MissingRoot { .. }));
    assert_eq!(error.to_string(), "there is no `/no/such/folder`");
}

#[test]
fn an_empty_folder_gives_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let found = walk_all(&[folder.path().to_owned()]);
    assert!(found.files.is_empty() && found.skipped.is_empty());
}

#[test]
fn a_truncated_pdf_is_damaged_or_says_so() {
    let whole = fs::read(fixture("report.pdf").path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "head.pdf", &whole[..60]);
    assert_eq!(reason(&file, &LoadLimits::default()).0, SkipReason::Damaged);
    let file = write(folder.path(), "half.pdf", &whole[..whole.len() / 2]);
    let (parsed, skipped, warnings) = read(&file, &LoadLimits::default());
    let said = skipped.iter().any(|s| s.reason == SkipReason::Damaged)
        || (parsed.len() == 1 && warnings.iter().any(|w| w.contains("cut short")));
    assert!(said, "{skipped:?} {warnings:?}");
    let file = write(folder.path(), "fake.pdf", "this is no PDF at all");
    assert_eq!(reason(&file, &LoadLimits::default()).0, SkipReason::Damaged);
}

#[test]
fn a_scanned_and_an_encrypted_pdf_are_told_apart() {
    let limits = LoadLimits::default();
    assert_eq!(
        reason(&fixture("scanned.pdf"), &limits),
        (
            SkipReason::ScannedPdf,
            "no text layer: looks scanned; run OCR first".to_owned()
        )
    );
    assert_eq!(
        reason(&fixture("encrypted.pdf"), &limits).0,
        SkipReason::Encrypted
    );
}

/// A DOCX whose text unpacks to `n` megabytes of blanks.
fn bomb(n: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", SimpleFileOptions::default())
        .expect("a new entry");
    let megabyte = vec![b' '; 1 << 20];
    for _ in 0..n {
        zip.write_all(&megabyte).expect("memory takes it");
    }
    zip.finish().expect("a sound container").into_inner()
}

#[test]
fn a_zip_bomb_is_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = bomb(40);
    assert!(bytes.len() < 100_000);
    let file = write(folder.path(), "bomb.docx", &bytes);
    let (why, detail) = reason(&file, &LoadLimits::default());
    assert_eq!(why, SkipReason::ExpandsTooFar);
    assert!(detail.contains("max_expansion"), "{detail}");
    // The declared size may lie: here it says one byte, in the local and the central header.
    let mut lying = bytes.clone();
    let size = (40_u32 << 20).to_le_bytes();
    for at in 0..lying.len() - 4 {
        if lying[at..at + 4] == size {
            lying[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
        }
    }
    let file = write(folder.path(), "liar.docx", &lying);
    let (why, _) = reason(&file, &LoadLimits::default());
    assert!(
        matches!(why, SkipReason::ExpandsTooFar | SkipReason::Damaged),
        "{why}"
    );
}

#[test]
fn a_container_with_too_many_entries_is_left_out() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for n in 0..50 {
        zip.start_file(format!("{n}"), SimpleFileOptions::default())
            .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.docx", zip.finish().unwrap().into_inner());
    let limits = LoadLimits {
        archive_entries: 49,
        ..LoadLimits::default()
    };
    assert_eq!(reason(&file, &limits).0, SkipReason::ExpandsTooFar);
}

#[test]
fn a_gzip_bomb_stops_at_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let line = format!("{{\"text\": \"{}\"}}\n", "a".repeat(1000));
    for _ in 0..20_000 {
        packer.write_all(line.as_bytes()).unwrap();
    }
    let file = write(folder.path(), "a.jsonl.gz", packer.finish().unwrap());
    let limits = LoadLimits {
        expansion: 2,
        ..LoadLimits::default()
    };
    let (parsed, skipped, _) = read(&file, &limits);
    assert!(
        parsed.len() > 10_000 && parsed.len() < 20_000,
        "{}",
        parsed.len()
    );
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].reason, SkipReason::ExpandsTooFar);
}

#[test]
fn a_huge_file_is_left_out_before_it_is_read() {
    // Sparse: two gigabytes on paper, a few pages on disk.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    fs::write(&path, "GET /index.html 200\n".repeat(1000)).unwrap();
    let log = fs::File::options().write(true).open(&path).unwrap();
    log.set_len(2_000_000_000).unwrap();
    let (why, detail) = reason(&found(&path), &LoadLimits::default());
    assert_eq!(why, SkipReason::TooLarge);
    assert_eq!(
        detail,
        "2.0 GB is over the limit of 67.1 MB; raise `max_file_bytes` to read it"
    );
}

#[test]
fn a_record_file_is_read_up_to_its_limits() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{{\"text\": \"{}\"}}\n", "b".repeat(500));
    let file = write(
        folder.path(),
        "a.jsonl",
        format!("{{\"text\": \"a\"}}\n{long}{{\"text\": \"c\"}}\n"),
    );
    let limits = LoadLimits {
        record_bytes: 100,
        ..LoadLimits::default()
    };
    let (parsed, skipped, _) = read(&file, &limits);
    assert_eq!(parsed.len(), 2);
    assert_eq!(
        (skipped[0].path.as_str(), skipped[0].reason),
        ("a.jsonl:2", SkipReason::TooLarge)
    );
    let limits = LoadLimits {
        stream_bytes: 300,
        ..LoadLimits::default()
    };
    let (parsed, skipped, _) = read(&file, &limits);
    assert!(parsed.len() <= 1);
    assert!(
        skipped
            .iter()
            .any(|s| s.detail.contains("max_stream_bytes")),
        "{skipped:?}"
    );
    let file = write(
        folder.path(),
        "a.csv",
        format!("a,b\n1,\"{}", "x".repeat(2_000_000)),
    );
    let limits = LoadLimits {
        record_bytes: 1_000_000,
        ..LoadLimits::default()
    };
    let (_, skipped, _) = read(&file, &limits);
    assert!(skipped[0].detail.contains("unclosed quote"), "{skipped:?}");
}

#[test]
fn invalid_utf8_is_decoded_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        folder.path(),
        "a.txt",
        b"The caf\xe9 on the quay was sold in 1931 for na\xefve reasons.",
    );
    let (parsed, _, warnings) = read(&file, &LoadLimits::default());
    assert!(parsed[0].document.text.starts_with("The caf\u{e9} on"));
    assert_eq!(
        warnings,
        ["a.txt: decoded as windows-1252 (not valid UTF-8)"]
    );
}

#[test]
fn pictures_and_programs_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.bin", b"\x7fELF\x02\x01\x01\x00\x00\x00");
    assert_eq!(reason(&file, &LoadLimits::default()).0, SkipReason::Binary);
    let file = write(folder.path(), "a.txt", b" \n\t ");
    assert_eq!(reason(&file, &LoadLimits::default()).0, SkipReason::Empty);
    let file = write(
        folder.path(),
        "a.docx",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on",
    );
    assert_eq!(
        reason(&file, &LoadLimits::default()).0,
        SkipReason::Encrypted
    );
}

#[test]
fn bad_records_are_counted_rather_than_listed_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.jsonl", "nonsense\n".repeat(1000));
    let (parsed, skipped, _) = read(&file, &LoadLimits::default());
    assert!(parsed.is_empty());
    assert_eq!(skipped.len(), 21);
    assert_eq!(skipped[20].detail, "980 more bad records");
}

#[cfg(unix)]
#[test]
fn a_symlink_loop_is_reported_once_and_links_are_followed_once() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "docs/a.md", "text");
    symlink(root, root.join("docs/up")).unwrap();
    symlink(root.join("docs/a.md"), root.join("docs/copy.md")).unwrap();
    symlink(root.join("gone"), root.join("docs/dangling.md")).unwrap();
    let found = walk_all(&[root.to_owned()]);
    let files: Vec<&str> = found.files.iter().map(|f| f.relative.as_str()).collect();
    assert_eq!(files, ["docs/a.md"]);
    let mut skipped: Vec<_> = found
        .skipped
        .iter()
        .map(|s| (s.path.as_str(), s.reason))
        .collect();
    skipped.sort_unstable();
    assert_eq!(
        skipped,
        [
            ("docs/dangling.md", SkipReason::NotFound),
            ("docs/up", SkipReason::SymlinkLoop)
        ]
    );
}

#[test]
fn the_walk_is_sorted_and_leaves_out_what_is_not_the_user_s_own() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in [
        "b.md",
        "a/z.md",
        "a/b.md",
        ".hidden.md",
        ".git/x.md",
        "target/x.md",
        "skip.log",
        "node_modules/m/x.js",
    ] {
        write(root, name, "text");
    }
    write(root, ".gitignore", "*.log\n");
    let names = |options: &WalkOptions| -> Vec<String> {
        let found = walk(&[root.to_owned()], options).unwrap();
        found.files.into_iter().map(|f| f.relative).collect()
    };
    assert_eq!(names(&WalkOptions::default()), ["a/b.md", "a/z.md", "b.md"]);
    assert_eq!(
        names(&WalkOptions {
            gitignore: false,
            hidden: true
        }),
        [
            ".gitignore",
            ".hidden.md",
            "a/b.md",
            "a/z.md",
            "b.md",
            "skip.log"
        ]
    );
}

#[test]
fn several_roots_are_told_apart_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "x/docs/a.md", "text");
    write(root, "y/docs/a.md", "text");
    write(root, "single.txt", "text");
    let roots = [
        root.join("x/docs"),
        root.join("y/docs"),
        root.join("single.txt"),
        root.join("x"),
    ];
    let found = walk_all(&roots);
    let files: Vec<&str> = found.files.iter().map(|f| f.relative.as_str()).collect();
    // `x/docs/a.md` is under the last root too, and listed once.
    assert_eq!(files, ["docs/a.md", "docs-2/a.md", "single.txt"]);
    let found = walk_all(&[root.join("single.txt")]);
    assert_eq!(found.files[0].relative, "single.txt");
}

/// Where the child process of the next test looks.
const LOCKED: &str = "INDAGO_TEST_LOCKED_FOLDER";

#[cfg(unix)]
#[test]
fn a_folder_and_a_file_without_permission_are_skipped() {
    use std::os::unix::fs::PermissionsExt as _;
    if let Some(folder) = std::env::var_os(LOCKED) {
        return check_locked(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "open.md", "text");
    write(root, "closed/a.md", "text");
    write(root, "secret.md", "text");
    let mode = |name: &str, mode: u32| {
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o755);
    mode("closed", 0o000);
    mode("secret.md", 0o000);
    let is_root = fs::read_dir(root.join("closed")).is_ok();
    if is_root {
        // Permissions do not bind root: run this test again as nobody.
        let own = std::env::current_exe().unwrap();
        let outcome = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(own)
            .args([
                "--exact",
                "bad_input::a_folder_and_a_file_without_permission_are_skipped",
            ])
            .env(LOCKED, root)
            .output();
        match outcome {
            Ok(output) if output.status.success() => {
                assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
            }
            Ok(output) => {
                let stdout = String::from_utf8_lossy(&output.stdout);
                assert!(!stdout.contains("running 1 test"), "as nobody: {stdout}");
                let stderr = String::from_utf8_lossy(&output.stderr);
                println!("not checked: cannot run as nobody: {stderr}");
            }
            Err(error) => println!("not checked: root, and no setpriv: {error}"),
        }
    } else {
        check_locked(root);
    }
    mode("closed", 0o755);
}

#[cfg(unix)]
fn check_locked(root: &Path) {
    let found = walk_all(&[root.to_owned()]);
    let names: Vec<&str> = found.files.iter().map(|f| f.relative.as_str()).collect();
    assert_eq!(names, ["open.md", "secret.md"]);
    let skipped: Vec<_> = found
        .skipped
        .iter()
        .map(|s| (s.path.as_str(), s.reason))
        .collect();
    assert_eq!(skipped, [("closed", SkipReason::NoPermission)]);
    assert_eq!(
        reason(&found.files[1], &LoadLimits::default()).0,
        SkipReason::NoPermission
    );
}
