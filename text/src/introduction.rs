//! What a passage says it is about: the subject of a defining first sentence, and its aliases.

use crate::names::names;

/// The name that a defining first sentence introduces.
///
/// ```
/// let text = "Carsten Erik Olsen (1891-1974) was a Danish chemist.";
/// assert_eq!(indago_text::introduced_name(text).as_deref(), Some("Carsten Erik Olsen"));
/// ```
pub fn introduced_name(text: &str) -> Option<String> {
    introduced_names(text).into_iter().next()
}

/// Words that end the subject of a definition.
fn is_copula(word: &str) -> bool {
    matches!(
        word,
        "is" | "was" | "are" | "were" | "refers" | "means" | "denotes" | "describes"
    )
}

/// Longest introduction that is read, in bytes.
const MAX_SENTENCE: usize = 2000;

/// The name that a defining first sentence introduces, followed by its other names.
///
/// Empty when the sentence does not define anything.
pub fn introduced_names(text: &str) -> Vec<String> {
    let Some(first) = crate::sentences(text).into_iter().next() else {
        return Vec::new();
    };
    let mut sentence = &text[first];
    if sentence.len() > MAX_SENTENCE {
        let cut = (0..=MAX_SENTENCE)
            .rev()
            .find(|i| sentence.is_char_boundary(*i))
            .unwrap_or(0);
        sentence = &sentence[..cut];
    }
    let Some((subject, rest)) = subject(sentence) else {
        return Vec::new();
    };
    let mut found = vec![subject.to_owned()];
    for alias in acronym(rest).into_iter().chain(aliases(rest)) {
        if !found.contains(&alias) {
            found.push(alias);
        }
    }
    found
}

/// The subject and the rest of the sentence after it.
fn subject(sentence: &str) -> Option<(&str, &str)> {
    let mut scanned = 0;
    let mut depth = 0usize;
    let copula = crate::words::words(sentence).into_iter().find(|span| {
        for byte in sentence[scanned..span.start].bytes() {
            match byte {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        scanned = span.start;
        depth == 0 && is_copula(&sentence[span.clone()])
    })?;
    let head = &sentence[..copula.start];
    let end = [" (", ", "]
        .iter()
        .filter_map(|mark| head.find(mark))
        .min()
        .unwrap_or(head.len());
    let marks = ['"', '\u{201c}', '\u{201d}', '*', '_'];
    let name = head[..end].trim().trim_matches(marks);
    let bare = ["The ", "A ", "An "]
        .iter()
        .find_map(|a| name.strip_prefix(a))
        .unwrap_or(name);
    let sound = !bare.is_empty() && bare.split(' ').count() <= 12 && !starts_with_pronoun(bare);
    sound.then_some((bare, &sentence[end..]))
}

fn starts_with_pronoun(name: &str) -> bool {
    let first = name.split(' ').next().unwrap_or_default().to_lowercase();
    crate::is_function_word(&first)
}

/// The acronym in the parenthesis right after the subject: `(WHO)`.
fn acronym(rest: &str) -> Option<String> {
    let inner = rest.strip_prefix(" (")?;
    let word = inner.get(..inner.find([')', ',', ';'])?)?;
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    let sound = (2..=12).contains(&word.len())
        && capitals >= 2
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '&' | '.'));
    sound.then(|| word.to_owned())
}

/// Names after `also known as` and its like.
fn aliases(rest: &str) -> Vec<String> {
    const CUES: &[&str] = &[
        "also known as",
        "better known as",
        "commonly known as",
        "known as",
        "also called",
        "formerly",
        "stage name",
        "nicknamed",
        "abbreviated",
        "born",
    ];
    let mut found = Vec::new();
    for cue in CUES {
        for (at, _) in rest.match_indices(cue) {
            let after = &rest[at + cue.len()..];
            let name = names(after).into_iter().next();
            if let Some(name) =
                name.filter(|n| after[..n.range.start].split_whitespace().count() <= 1)
            {
                found.push(name.text);
            }
        }
    }
    found
}
