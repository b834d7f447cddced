//! Secrets that cannot be printed.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

/// Shortest secret that is searched for: shorter ones would take innocent words with them.
const SHORTEST: usize = 6;

/// A key or token. It has no `Display` and no serialisation, its `Debug` shows nothing, its memory
/// is overwritten when the last clone goes, and only a [`crate::Door`] can put it on the wire.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes a secret over. White space around it, which files and shells leave, is dropped.
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self(Arc::new(Zeroizing::new(text.trim().to_owned())))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` with every occurrence of the secret replaced, for what a server sent back: servers do
    /// quote the key they refuse.
    pub fn redact(&self, text: String) -> String {
        if self.0.len() < SHORTEST || !text.contains(self.0.as_str()) {
            return text;
        }
        text.replace(self.0.as_str(), REDACTED)
    }

    /// Bytes at the end of `text` that may be the beginning of the secret: whoever shows a stream
    /// piece by piece holds them back until more is known.
    pub fn begins_at_end_of(&self, text: &str) -> usize {
        if self.0.len() < SHORTEST {
            return 0;
        }
        let most = text.len().min(self.0.len() - 1);
        let tail = |n: &usize| {
            text.is_char_boundary(text.len() - n) && self.0.starts_with(&text[text.len() - n..])
        };
        (1..=most).rev().find(tail).unwrap_or(0)
    }

    /// The secret itself, for the wire alone.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn debug_shows_nothing_and_white_space_goes() {
        let secret = Secret::new(" sk-abcdef-123 \n".into());
        assert_eq!(format!("{secret:?}"), "Secret([redacted])");
        assert_eq!(secret.expose(), "sk-abcdef-123");
        assert_eq!(
            secret.redact("Incorrect API key provided: sk-abcdef-123.".into()),
            "Incorrect API key provided: [redacted]."
        );
    }

    #[test]
    fn an_empty_or_tiny_secret_takes_no_words_with_it() {
        assert_eq!(Secret::new(String::new()).redact("abc".into()), "abc");
        assert_eq!(Secret::new("a".into()).redact("abc".into()), "abc");
    }

    proptest! {
        /// However a text with the secret is cut in two, holding back keeps the first piece clean.
        #[test]
        fn a_cut_never_shows_the_beginning(before in "[a-z€]{0,9}", after in "[a-z€]{0,9}", cut in 1_usize..13) {
            let secret = Secret::new("sk-abcdef-123".into());
            let text = format!("{before}{}{after}", secret.expose());
            let first = &text[..before.len() + cut];
            let shown = first.len() - secret.begins_at_end_of(first);
            prop_assert!(shown <= before.len());
        }
    }
}
