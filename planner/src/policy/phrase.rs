//! Phrases of a question around a name in it.

use std::ops::Range;

/// Most words of a compound that a name begins: `the RAIN grant`.
const COMPOUND: usize = 2;

/// The innermost phrase of `question` that says something about `name`: `the vehicle bought with
/// the RAIN grant` in `Who made the vehicle bought with the RAIN grant?`. `None` where there is
/// none but the name, or the name is not there.
pub(super) fn inner(question: &str, name: &str) -> Option<Range<usize>> {
    let at = question.find(name)?;
    let name_end = at + name.len();
    let (mut start, mut end) = (at, name_end);
    let words = indago_text::words(question);
    let after = possessed(question, end);
    if let Some(after) = after {
        return Some(start..after);
    }
    let mut said = false;
    let before: Vec<&Range<usize>> = words.iter().filter(|w| w.end <= at).collect();
    let mut found = false;
    let mut article = false;
    for (i, word) in before.iter().rev().enumerate() {
        let lower = question[(*word).clone()].to_lowercase();
        if question[word.end..start].contains([',', ';', '?']) {
            break;
        }
        let determiner = matches!(lower.as_str(), "the" | "a" | "an" | "his" | "her" | "its");
        if determiner && said {
            start = word.start;
            found = true;
            break;
        }
        // `the ship from which N was launched`: the clause goes on behind the name.
        if i == 0 && matches!(lower.as_str(), "which" | "that" | "who" | "whom" | "where") {
            return None;
        }
        if is_asking(&lower) && i + 1 == before.len() {
            break;
        }
        article |= determiner && i == 0;
        said |= !determiner && !matches!(lower.as_str(), "film" | "song" | "of" | "in");
        start = word.start;
    }
    if !found {
        return None;
    }
    if article {
        for word in words.iter().filter(|w| w.start >= name_end).take(COMPOUND) {
            let text = &question[word.clone()];
            let joined = question[end..word.start].trim().is_empty();
            if !joined || ends_phrase(text) {
                break;
            }
            end = word.end;
        }
    }
    Some(start..end)
}

/// `question` with the phrase around `name` replaced by `found`.
pub(super) fn substitute(question: &str, name: &str, found: &str) -> Option<String> {
    let range = inner(question, name)?;
    Some(format!(
        "{}{found}{}",
        &question[..range.start],
        &question[range.end..]
    ))
}

/// The end of what `'s` behind byte `end` gives: `Copper Moon's director`.
fn possessed(question: &str, end: usize) -> Option<usize> {
    let rest = question.get(end..)?;
    let mark = ["'s ", "\u{2019}s "]
        .iter()
        .find(|mark| rest.starts_with(**mark))?;
    let start = end + mark.len();
    let word = indago_text::words(question.get(start..)?)
        .into_iter()
        .next()?;
    let text = &question[start..start + word.end];
    // The word itself may carry the next possessive.
    let bare = text.trim_end_matches("'s").trim_end_matches("\u{2019}s");
    Some(start + bare.len())
}

fn is_asking(word: &str) -> bool {
    matches!(
        word,
        "who" | "what" | "which" | "when" | "where" | "how" | "whose" | "whom" | "in" | "at"
    )
}

/// Whether a compound ends before `word`: it is a verb or a small word.
fn ends_phrase(word: &str) -> bool {
    let lower = word.to_lowercase();
    lower.ends_with("ed")
        || lower.len() <= 3
        || matches!(
            lower.as_str(),
            "born"
                | "dies"
                | "from"
                | "with"
                | "when"
                | "that"
                | "which"
                | "where"
                | "have"
                | "were"
                | "does"
                | "come"
                | "came"
                | "made"
                | "take"
                | "took"
                | "place"
                | "work"
                | "play"
                | "begin"
                | "began"
                | "become"
                | "became"
                | "live"
                | "leave"
                | "left"
                | "belong"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase<'a>(question: &'a str, name: &str) -> Option<&'a str> {
        inner(question, name).map(|r| &question[r])
    }

    #[test]
    fn the_phrase_around_a_name() {
        let question = "When was the director of film Copper Moon born?";
        assert_eq!(
            phrase(question, "Copper Moon"),
            Some("the director of film Copper Moon")
        );
        let question = "Who is the father of Copper Moon's director?";
        assert_eq!(
            phrase(question, "Copper Moon"),
            Some("Copper Moon's director")
        );
        assert_eq!(phrase("Who founded Harbour Works?", "Harbour Works"), None);
        let question = "Which yard built the ship from which Otter was launched?";
        assert_eq!(phrase(question, "Otter"), None);
        assert_eq!(phrase("Who?", "Harbour Works"), None);
    }

    #[test]
    fn what_was_found_takes_its_place() {
        let question = "Who founded the company that made the vehicle bought with the RAIN grant?";
        let next = substitute(question, "RAIN", "Otter");
        assert_eq!(
            next.as_deref(),
            Some("Who founded the company that made Otter?")
        );
        let last = substitute(&next.unwrap(), "Otter", "Harbour Works");
        assert_eq!(last.as_deref(), Some("Who founded Harbour Works?"));
    }
}
