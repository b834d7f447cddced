//! A project in a temporary folder and the program run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary project. Removed when dropped.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// A project with the documents that most tests ask about.
    pub(crate) fn with_documents() -> Self {
        let sandbox = Self::new();
        sandbox.write(
            "docs/lighthouse.md",
            "# Skerry Lighthouse\n\nThe Skerry Lighthouse was designed by Ines Falk in 1888. \
             It stands on the island of Lunda and was lit on 3 May 1889.\n",
        );
        sandbox.write(
            "docs/falk.md",
            "# Ines Falk\n\nInes Falk (1851-1920) was an engineer. She was born in Skagen, \
             and studied in Trondheim.\n",
        );
        sandbox.write(
            "docs/bread.txt",
            "Bread needs flour, water, salt and yeast.\n",
        );
        sandbox
    }

    /// The same, indexed lexically.
    pub(crate) fn indexed() -> Self {
        let sandbox = Self::with_documents();
        let outcome = sandbox.run(&["index", "docs", "--no-vectors"]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        sandbox
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, content).expect("a file");
    }

    /// The program in this folder, with nothing of the caller's environment that it reads.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_indago"));
        for variable in indago::env::ALL {
            command.env_remove(variable.name);
        }
        command
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        self.outcome(self.command(args).output().expect("the program runs"))
    }

    /// The outcome with what differs between runs replaced: the folder, ids and times.
    pub(crate) fn outcome(&self, output: Output) -> Outcome {
        let clean = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let mut clean = text;
            let canonical = self.folder.path().canonicalize().unwrap_or_default();
            for folder in [canonical.as_path(), self.folder.path()] {
                clean = clean.replace(&folder.display().to_string(), "[FOLDER]");
            }
            clean
        };
        Outcome {
            code: output.status.code(),
            stdout: clean(&output.stdout),
            stderr: clean(&output.stderr),
        }
    }
}

/// Whether this process may do everything; then permissions stop nothing.
pub(crate) fn is_root() -> bool {
    let probe = Command::new("id").arg("-u").output();
    probe.is_ok_and(|output| output.stdout == b"0\n")
}

/// Runs the program as an unprivileged user.
pub(crate) fn run_unprivileged(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    if !is_root() {
        return sandbox.run(args);
    }
    // 65534 is `nobody` everywhere; it has to be able to enter and write the sandbox.
    let set = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
    };
    set(sandbox.folder.path(), 0o777);
    let binary = sandbox.path("indago-under-test");
    std::fs::copy(env!("CARGO_BIN_EXE_indago"), &binary).expect("a copy of the program");
    set(&binary, 0o755);
    let mut command = Command::new(&binary);
    command
        .args(args)
        .current_dir(sandbox.folder.path())
        .stdin(Stdio::null())
        .uid(65534)
        .gid(65534);
    sandbox.outcome(command.output().expect("the program runs as `nobody`"))
}
