//! How commands end. The table in `docs/reference/exit-codes.md` is a contract with scripts.

use std::process::ExitCode;

/// The outcome of a command as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done; for `ask`, the report answers the question or quotes evidence for it.
    Done,
    /// 1: the job failed; stderr says why and what to do.
    Failed,
    /// 2: the arguments or the configuration cannot be understood; nothing was done.
    Usage,
    /// 3: the job ran, and this corpus holds nothing for it: `ask` abstained, `search` had no hit.
    NotFound,
    /// 4: part of the job is done: some items of a batch or of an evaluation failed, or, with `index --strict`, some
    /// files could not be read.
    Partial,
    /// 5: another process holds what this one needs; try again later.
    Busy,
    /// 130: cancelled from the keyboard; what was finished is kept.
    Cancelled,
}

impl Exit {
    /// Every outcome with the sentence that documents it.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Done, "done; for `ask`: the report carries evidence"),
        (
            Self::Failed,
            "the job failed; stderr says why and what to do",
        ),
        (
            Self::Usage,
            "the arguments or the configuration cannot be understood; nothing was done",
        ),
        (
            Self::NotFound,
            "the job ran and this corpus holds nothing for it: `ask` abstained, `search` had no hit",
        ),
        (
            Self::Partial,
            "part of the job is done: items of a batch or of an evaluation failed, or files could not be read under \
             `index --strict`",
        ),
        (
            Self::Busy,
            "another process holds what this one needs; try again later",
        ),
        (
            Self::Cancelled,
            "cancelled from the keyboard; what was finished is kept",
        ),
    ];

    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Partial => 4,
            Self::Busy => 5,
            Self::Cancelled => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_lists_every_code() {
        let page = include_str!("../../docs/reference/exit-codes.md");
        for (exit, meaning) in Exit::ALL {
            let row = format!("| {} | {meaning} |", exit.code());
            assert!(
                page.contains(&row),
                "docs/reference/exit-codes.md lacks: {row}"
            );
        }
    }
}
