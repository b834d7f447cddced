//! When two questions are the same question.

/// Longest sub-question that is accepted, in bytes. The longest question of the evaluation data
/// has 900; what is longer is a pasted document, not something to search for.
pub const MAX_QUESTION_BYTES: usize = 4_000;

/// Longest reason that is kept, in characters.
pub(crate) const MAX_REASON_CHARS: usize = 400;

/// What duplicates share: stemmed words in their order, without case, punctuation, articles and the
/// words that only carry the form of a question ("in which year did" is "what year").
///
/// Order and all other function words stay, because "did A sue B" is not "did B sue A" and "is
/// not" is not "is". Empty when the text has no words.
pub fn question_key(text: &str) -> String {
    let key = key_without(text, |word| {
        matches!(
            word,
            "a" | "an"
                | "the"
                | "in"
                | "on"
                | "at"
                | "of"
                | "which"
                | "what"
                | "do"
                | "does"
                | "did"
        )
    });
    if key.is_empty() {
        // Nothing but form: then that is what is asked.
        key_without(text, |_| false)
    } else {
        key
    }
}

fn key_without(text: &str, is_form: impl Fn(&str) -> bool) -> String {
    let mut key = String::with_capacity(text.len());
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let word = word.to_lowercase();
        if is_form(&word) {
            continue;
        }
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(&indago_text::stem(&word));
    }
    key
}

/// Whether two questions that sound alike differ in what an encoder hardly sees: numbers, names
/// and their order, negation, or the kind of answer that is wanted.
pub fn differs_in_detail(a: &str, b: &str) -> bool {
    let numbers = |text: &str| {
        let mut values: Vec<u64> = indago_text::numbers(text)
            .iter()
            .map(|number| number.value.to_bits())
            .collect();
        values.sort_unstable();
        values
    };
    let names = |text: &str| -> Vec<String> {
        indago_text::names(text)
            .iter()
            .map(|name| indago_text::normalize_name(&name.text))
            .collect()
    };
    let wanted = |text: &str| indago_text::question::analyze(text).answer;
    numbers(a) != numbers(b)
        || names(a) != names(b)
        || indago_text::polarity::negations(a) != indago_text::polarity::negations(b)
        || wanted(a) != wanted(b)
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
    fn the_form_of_a_question_does_not_make_another_one() {
        assert_eq!(
            question_key("In which year did the tower open?"),
            question_key("What year did the tower open in")
        );
        assert_ne!(question_key("What did it do?"), "");
        assert_ne!(question_key("what"), "");
    }

    #[test]
    fn details_that_sound_alike_differ() {
        let same = "When did Acme open the Harbour Tower in 1931?";
        assert!(!differs_in_detail(
            same,
            "When was it that Acme opened the Harbour Tower in 1931?"
        ));
        for other in [
            "When did Acme open the Harbour Tower in 1932?",
            "When did Bolt open the Harbour Tower in 1931?",
            "When did Acme not open the Harbour Tower in 1931?",
            "Where did Acme open the Harbour Tower in 1931?",
        ] {
            assert!(differs_in_detail(same, other), "{other}");
        }
        assert!(differs_in_detail(
            "Did Acme sue Bolt?",
            "Did Bolt sue Acme?"
        ));
    }

    #[test]
    fn text_without_words_has_an_empty_key() {
        assert_eq!(question_key(" ?! …"), "");
    }
}
