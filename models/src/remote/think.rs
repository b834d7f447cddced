//! Reasoning that a model writes into its answer: `<think>...</think>` and its relatives.

/// Marks that models use.
const MARKS: [(&str, &str); 3] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
];

/// A piece of text: the answer's, or reasoning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Reasoning(String),
}

/// Splits a stream at its marks, however it is cut into pieces.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// What may be the beginning of a mark.
    held: String,
    /// The mark that ends the reasoning under way.
    inside: Option<&'static str>,
}

impl Splitter {
    /// Takes a piece; gives what is certain by now.
    pub(super) fn push(&mut self, piece: &str) -> Vec<Part> {
        self.held.push_str(piece);
        let mut parts = Vec::new();
        loop {
            let found = match self.inside {
                Some(end) => self.held.find(end).map(|at| (at, end, None)),
                None => MARKS
                    .iter()
                    .filter_map(|(open, end)| {
                        self.held.find(open).map(|at| (at, *open, Some(*end)))
                    })
                    .min_by_key(|(at, ..)| *at),
            };
            let Some((at, mark, next)) = found else { break };
            let before: String = self.held.drain(..at).collect();
            self.held.drain(..mark.len());
            self.emit(&mut parts, before);
            self.inside = next;
        }
        let certain = self.held.len() - self.possible_mark();
        let front: String = self.held.drain(..certain).collect();
        self.emit(&mut parts, front);
        parts
    }

    /// The end: what was held back is no mark.
    pub(super) fn finish(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        let rest = std::mem::take(&mut self.held);
        self.emit(&mut parts, rest);
        parts
    }

    fn emit(&self, parts: &mut Vec<Part>, text: String) {
        if text.is_empty() {
            return;
        }
        parts.push(if self.inside.is_some() {
            Part::Reasoning(text)
        } else {
            Part::Text(text)
        });
    }

    /// Bytes at the end that may be the beginning of a mark.
    fn possible_mark(&self) -> usize {
        let begins = |mark: &str| {
            let most = self.held.len().min(mark.len() - 1);
            (1..=most).rev().find(|n| {
                let cut = self.held.len() - n;
                self.held.is_char_boundary(cut) && mark.starts_with(&self.held[cut..])
            })
        };
        match self.inside {
            Some(end) => begins(end).unwrap_or(0),
            None => MARKS
                .iter()
                .filter_map(|(open, _)| begins(open))
                .max()
                .unwrap_or(0),
        }
    }
}

/// An answer without its reasoning: some templates open the mark themselves, so that only its end is
/// in the text; everything before the last such end is reasoning.
pub(super) fn without_orphan_end(text: &str) -> &str {
    let ends = MARKS
        .iter()
        .filter_map(|(_, end)| text.rfind(end).map(|at| at + end.len()));
    ends.max().map_or(text, |after| &text[after..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&str]) -> (String, String) {
        let mut splitter = Splitter::default();
        let mut parts: Vec<Part> = pieces.iter().flat_map(|p| splitter.push(p)).collect();
        parts.extend(splitter.finish());
        let (mut text, mut reasoning) = (String::new(), String::new());
        for part in parts {
            match part {
                Part::Text(t) => text.push_str(&t),
                Part::Reasoning(r) => reasoning.push_str(&r),
            }
        }
        (text, reasoning)
    }

    #[test]
    fn reasoning_goes_wherever_it_stands() {
        assert_eq!(split(&["<think>a</think>b"]), ("b".into(), "a".into()));
        assert_eq!(
            split(&["x<think", "ing>a</thin", "king>b"]),
            ("xb".into(), "a".into())
        );
        assert_eq!(
            split(&["a < b <thin air"]),
            ("a < b <thin air".into(), String::new())
        );
        assert_eq!(
            split(&["b<think>never ends"]),
            ("b".into(), "never ends".into())
        );
        assert_eq!(
            without_orphan_end("so it is 3.</think>\nThree."),
            "\nThree."
        );
    }

    proptest! {
        #[test]
        fn cutting_a_stream_changes_nothing(
            parts in prop::collection::vec(prop::sample::select(vec!["<think>", "</think>", "<thinking>", "</thinking>", "a", "é", "<", "</", "think", ">"]), 0..12),
            cuts in prop::collection::vec(0_usize..80, 0..8),
        ) {
            let whole = parts.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c <= whole.len() && whole.is_char_boundary(*c)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut at = 0;
            for cut in cuts {
                pieces.push(&whole[at..cut]);
                at = cut;
            }
            pieces.push(&whole[at..]);
            prop_assert_eq!(split(&pieces), split(&[&whole]));
        }
    }
}
