//! The ledger of inferential evidence: statements with their passages, which may be revised,
//! withdrawn or left as disputed, and never forgotten.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Flips after which a statement is left as disputed.
const MAX_FLIPS: u32 = 2;

/// Where a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Supported, as far as is known.
    Active,
    /// Not supported, not to the point, or contradicted.
    Withdrawn,
    /// Withdrawn and derived again too often: both versions are shown.
    Disputed,
}

/// A statement that was inferred from passages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// In words.
    pub text: String,
    /// Passages that support it, by number.
    pub sources: Vec<u32>,
    /// Which part of the question it serves.
    pub aspect: String,
    /// Where it stands.
    pub status: Status,
    /// Round in which it was first made.
    pub round: u32,
    /// Texts it had before, oldest first.
    pub earlier: Vec<String>,
    flips: u32,
}

/// All statements of a search, in order of their numbers (from 1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    statements: Vec<Statement>,
    #[serde(skip)]
    changes: Vec<String>,
}

fn key(text: &str) -> String {
    indago_text::normalize_name(text)
}

impl Ledger {
    /// Statements with their numbers.
    pub fn statements(&self) -> impl Iterator<Item = (u32, &Statement)> {
        self.statements
            .iter()
            .enumerate()
            .map(|(i, s)| (i as u32 + 1, s))
    }

    /// Adds a statement. One that rests on no passage is refused; one that was withdrawn before
    /// comes back, until it has flipped too often.
    pub fn add(&mut self, text: String, sources: Vec<u32>, aspect: String, round: u32) -> bool {
        let text = text.trim().to_owned();
        if sources.is_empty() || text.is_empty() {
            return false;
        }
        let same = key(&text);
        if let Some(known) = self.statements.iter_mut().find(|s| key(&s.text) == same) {
            if known.status != Status::Withdrawn {
                return false;
            }
            known.status = Status::Active;
            known.sources = sources;
            flip(known);
            return true;
        }
        self.statements.push(Statement {
            text,
            sources,
            aspect,
            status: Status::Active,
            round,
            earlier: Vec::new(),
            flips: 0,
        });
        true
    }

    /// Withdraws a statement; `false` when it is not active.
    pub fn withdraw(&mut self, n: u32, reason: &str) -> bool {
        let Some(statement) = self.active(n) else {
            return false;
        };
        statement.status = Status::Withdrawn;
        flip(statement);
        let line = format!("withdrawn: {} ({reason})", statement.text);
        self.changes.push(line);
        true
    }

    /// Gives a statement other words on other passages; the old words are kept.
    pub fn revise(&mut self, n: u32, text: String, sources: Vec<u32>, reason: &str) -> bool {
        let text = text.trim().to_owned();
        if sources.is_empty() || text.is_empty() {
            return false;
        }
        let Some(statement) = self.active(n) else {
            return false;
        };
        if key(&statement.text) == key(&text) {
            return false;
        }
        let old = std::mem::replace(&mut statement.text, text);
        let back = statement
            .earlier
            .iter()
            .any(|e| key(e) == key(&statement.text));
        let line = format!("revised: {old} -> {} ({reason})", statement.text);
        statement.earlier.push(old);
        statement.sources = sources;
        if back {
            flip(statement);
        }
        self.changes.push(line);
        true
    }

    /// Passages that standing statements rest on.
    pub fn passages(&self) -> BTreeSet<u32> {
        self.standing()
            .flat_map(|s| s.sources.iter().copied())
            .collect()
    }

    /// Whether hardly anything was inferred.
    pub fn is_thin(&self) -> bool {
        self.standing().count() < 2
    }

    /// Standing statements, a line each.
    pub fn in_words(&self) -> String {
        let lines: Vec<&str> = self.standing().map(|s| s.text.as_str()).collect();
        lines.join("\n")
    }

    /// What changed since the last call, in words.
    pub fn take_changes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.changes)
    }

    fn standing(&self) -> impl Iterator<Item = &Statement> {
        self.statements
            .iter()
            .filter(|s| s.status != Status::Withdrawn)
    }

    fn active(&mut self, n: u32) -> Option<&mut Statement> {
        let i = (n as usize).checked_sub(1)?;
        self.statements
            .get_mut(i)
            .filter(|s| s.status == Status::Active)
    }
}

fn flip(statement: &mut Statement) {
    statement.flips += 1;
    if statement.flips > MAX_FLIPS {
        statement.status = Status::Disputed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_corrects_what_a_page_said() {
        let mut ledger = Ledger::default();
        assert!(ledger.add("It was built in 1910.".into(), vec![1], "when".into(), 1));
        assert!(ledger.revise(
            1,
            "It was built in 1912.".into(),
            vec![4],
            "official register"
        ));
        let (_, statement) = ledger.statements().next().unwrap();
        assert_eq!(statement.text, "It was built in 1912.");
        assert_eq!(statement.earlier, ["It was built in 1910."]);
        assert_eq!(statement.sources, [4]);
        let changes = ledger.take_changes();
        assert!(changes[0].contains("1910") && changes[0].contains("1912"));
    }

    #[test]
    fn what_flips_twice_is_disputed_and_stays_so() {
        let mut ledger = Ledger::default();
        let again = |ledger: &mut Ledger| ledger.add("It is A.".into(), vec![1], String::new(), 1);
        assert!(again(&mut ledger));
        assert!(ledger.withdraw(1, "no"));
        assert!(again(&mut ledger));
        assert!(ledger.withdraw(1, "no"));
        let status = |ledger: &Ledger| ledger.statements().next().unwrap().1.status;
        assert_eq!(status(&ledger), Status::Disputed);
        assert!(!ledger.withdraw(1, "no"));
        assert_eq!(ledger.in_words(), "It is A.");
    }

    #[test]
    fn nothing_stands_without_a_passage() {
        let mut ledger = Ledger::default();
        assert!(!ledger.add("It is so.".into(), Vec::new(), String::new(), 1));
        assert!(ledger.is_thin() && ledger.passages().is_empty());
    }
}
