//! When two questions are the same question.

/// Longest sub-question that is accepted, in bytes. The longest question of the evaluation data
/// has 900; what is longer is a pasted document, not something to search for.
pub const MAX_QUESTION_BYTES: usize = 4_000;

/// Longest reason that is kept, in characters.
pub(crate) const MAX_REASON_CHARS: usize = 400;

/// What duplicates share: stemmed words in their order, without case, punctuation and articles.
///
/// Order and function words stay, because "did A sue B" is not "did B sue A" and "is not" is not
/// "is". Empty when the text has no words.
pub fn question_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let word = word.to_lowercase();
        if matches!(word.as_str(), "a" | "an" | "the") {
            continue;
        }
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(&indago_text::stem(&word));
    }
    key
}

/// A reason of bounded length, on one line.
pub(crate) fn tidy_reason(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_REASON_CHARS) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_punctuation_articles_and_inflection_do_not_make_another_question() {
        assert_eq!(
            question_key("Which companies sued the Museum?"),
            question_key("which  company sued museums")
        );
    }

    #[test]
    fn order_and_negation_make_another_question() {
        assert_ne!(
            question_key("did Acme sue Bolt"),
            question_key("did Bolt sue Acme")
        );
        assert_ne!(question_key("is it open"), question_key("is it not open"));
    }

    #[test]
    fn text_without_words_has_an_empty_key() {
        assert_eq!(question_key(" ?! …"), "");
    }
}
