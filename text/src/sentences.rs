//! Where sentences begin and end.
//!
//! Rules, not a model: a terminator ends a sentence unless it belongs to an abbreviation, an
//! initial, a number or a name; a blank line always ends one; a single line break ends one only
//! where the layout says so (list items, headings, table rows, lines of source code).

use std::ops::Range;

/// Byte ranges of the sentences of `text`: disjoint, in order, without surrounding white space.
///
/// ```
/// let text = "Dr. J. R. Smith paid $1.5 million. He left.";
/// let found: Vec<&str> = indago_text::sentences(text).into_iter().map(|r| &text[r]).collect();
/// assert_eq!(found, ["Dr. J. R. Smith paid $1.5 million.", "He left."]);
/// ```
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let end = match c {
            '.' | '!' | '?' | '…' => {
                let Some(end) = terminated(text, start, at, c) else {
                    // Never look at a run of marks twice: time stays linear.
                    let past = closers_end(text, at + c.len_utf8());
                    while chars.offset() < past && chars.next().is_some() {}
                    continue;
                };
                end
            }
            '。' | '！' | '？' | '｡' => closers_end(text, at + c.len_utf8()),
            '\n' if line_break_ends(text, at) => at,
            _ => continue,
        };
        push(text, start..end, &mut found);
        start = end;
        while chars.offset() < end && chars.next().is_some() {}
    }
    push(text, start..text.len(), &mut found);
    found
}

fn push(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let piece = &text[range.clone()];
    let start = range.start + (piece.len() - piece.trim_start().len());
    let end = range.start + piece.trim_end().len();
    if start < end {
        found.push(start..end);
    }
}

/// Past the quotes and brackets that close at `from`, and further terminators.
fn closers_end(text: &str, from: usize) -> usize {
    let closers = |c: char| {
        matches!(
            c,
            '"' | '\'' | ')' | ']' | '\u{201d}' | '\u{2019}' | '»' | '」' | '』' | '）'
        ) || matches!(c, '.' | '!' | '?' | '…')
    };
    from + text[from..]
        .chars()
        .take_while(|&c| closers(c))
        .map(char::len_utf8)
        .sum::<usize>()
}

/// The end of the sentence if the terminator `c` at `at` ends it.
fn terminated(text: &str, start: usize, at: usize, c: char) -> Option<usize> {
    let end = closers_end(text, at + c.len_utf8());
    let rest = &text[end..];
    let Some(next) = rest.chars().next() else {
        return Some(end);
    };
    if !next.is_whitespace() {
        // Reference marks follow directly: `ended.[3] Then`.
        return reference_mark(rest).map(|len| end + len);
    }
    let following = rest.trim_start();
    let opened = following.trim_start_matches(['"', '\'', '(', '[', '\u{201c}', '\u{2018}', '«']);
    let Some(first) = opened.chars().next() else {
        return Some(end);
    };
    if first.is_lowercase() {
        return None;
    }
    if matches!(first, ',' | ';' | ':' | ')' | ']') {
        return None;
    }
    let single_point = c == '.' && end == at + 1;
    if single_point && abbreviates(text, start, at, opened) {
        return None;
    }
    Some(end)
}

/// Length of `[3]`, `[12][13]` at the start of `rest` when white space or the end follows.
fn reference_mark(rest: &str) -> Option<usize> {
    let mut len = 0;
    while rest[len..].starts_with('[') {
        let close = rest[len..].bytes().take(12).position(|b| b == b']')?;
        len += close + 1;
    }
    let after = rest[len..].chars().next();
    (len > 0 && after.is_none_or(char::is_whitespace)).then_some(len)
}

/// Whether the point at `at` belongs to the word before it. `following` is what comes next.
fn abbreviates(text: &str, start: usize, at: usize, following: &str) -> bool {
    let before = text[start..at].trim_start();
    let word_start =
        before.rfind(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '\u{201c}'));
    let word = match word_start {
        Some(i) => {
            let skip = before[i..].chars().next().map_or(0, char::len_utf8);
            &before[i + skip..]
        }
        None => before,
    };
    let next_word: &str = following
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .next()
        .unwrap_or_default();
    let opens_sentence = is_opener(next_word);
    let next_is_digit = following.starts_with(|c: char| c.is_ascii_digit());
    let mut letters = word.chars();
    let (first, second) = (letters.next(), letters.next());
    let Some(first) = first else { return false };
    if second.is_none() {
        // An initial, or an enumeration `a.` / `1.` at the start of the sentence.
        if first.is_uppercase() {
            return !opens_sentence;
        }
        return word_start.is_none() && first.is_alphanumeric();
    }
    if word_start.is_none() && word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit()) {
        return true; // `12. Item`
    }
    if word.contains('.') {
        let dotted = word.split('.').all(|part| part.chars().count() <= 2);
        return dotted && !opens_sentence;
    }
    let lower = word.to_lowercase();
    if ALWAYS.contains(&lower.as_str()) {
        return true;
    }
    if BEFORE_NUMBER.contains(&lower.as_str()) {
        return next_is_digit;
    }
    SOMETIMES.contains(&lower.as_str()) && !opens_sentence
}

/// Abbreviations that something always follows.
const ALWAYS: &[&str] = &[
    "adm", "approx", "brig", "capt", "cf", "cmdr", "col", "dr", "e.g", "eg", "fr", "gen", "gov",
    "hon", "i.e", "ie", "lt", "maj", "messrs", "mr", "mrs", "ms", "mt", "mx", "pres", "prof",
    "rep", "rev", "sen", "sgt", "st", "supt", "vs", "viz", "resp",
];

/// Abbreviations only in front of a number.
const BEFORE_NUMBER: &[&str] = &[
    "art", "ch", "chap", "eq", "fig", "figs", "no", "nos", "nr", "op", "p", "para", "pp", "sec",
    "vol", "vols",
];

/// Abbreviations that may also end a sentence.
const SOMETIMES: &[&str] = &[
    "al", "apr", "aug", "ave", "blvd", "bros", "c", "ca", "co", "corp", "dec", "dept", "ed", "eds",
    "esq", "est", "etc", "feb", "ft", "inc", "jan", "jr", "jul", "jun", "lat", "ltd", "nov", "oct",
    "ph.d", "plc", "sep", "sept", "sr", "univ",
];

/// Words that open sentences and do not continue a name.
fn is_opener(word: &str) -> bool {
    matches!(
        word,
        "A" | "After"
            | "Also"
            | "Although"
            | "An"
            | "And"
            | "As"
            | "At"
            | "Before"
            | "But"
            | "By"
            | "During"
            | "Each"
            | "For"
            | "From"
            | "He"
            | "Her"
            | "His"
            | "How"
            | "However"
            | "I"
            | "If"
            | "In"
            | "It"
            | "It's"
            | "Its"
            | "Many"
            | "Most"
            | "No"
            | "On"
            | "One"
            | "Our"
            | "She"
            | "Since"
            | "So"
            | "Some"
            | "Such"
            | "That"
            | "The"
            | "Their"
            | "Then"
            | "There"
            | "These"
            | "They"
            | "This"
            | "Those"
            | "Thus"
            | "To"
            | "Two"
            | "Under"
            | "We"
            | "What"
            | "When"
            | "Where"
            | "Which"
            | "While"
            | "Who"
            | "Why"
            | "With"
            | "You"
            | "Did"
            | "Does"
            | "Is"
            | "Was"
            | "Were"
            | "Are"
    )
}

/// Whether the line break at byte `at` ends a sentence.
fn line_break_ends(text: &str, at: usize) -> bool {
    let line_start = text[..at].rfind('\n').map_or(0, |i| i + 1);
    let line = text[line_start..at].trim_end();
    let after = &text[at + 1..];
    let next = after[..after.find('\n').unwrap_or(after.len())].trim_end();
    let trimmed = line.trim_start();
    let next_trimmed = next.trim_start();
    if trimmed.is_empty() || next_trimmed.is_empty() {
        return true;
    }
    starts_block(next_trimmed)
        || is_heading_mark(trimmed)
        || trimmed.starts_with('|')
        || is_rule(next_trimmed)
        || is_code(line)
        || is_code(next)
        || is_heading_like(trimmed, next_trimmed)
}

/// `# Heading`, one to six marks.
fn is_heading_mark(line: &str) -> bool {
    let marks = line.bytes().take_while(|&b| b == b'#').count();
    (1..=6).contains(&marks) && line[marks..].starts_with(' ')
}

/// A list item, a heading, a table row, a quote, a fence.
fn starts_block(line: &str) -> bool {
    let mut chars = line.chars();
    let first = chars.next().unwrap_or(' ');
    let spaced = chars.next().is_none_or(char::is_whitespace);
    if matches!(first, '-' | '*' | '+' | '•' | '◦' | '▪' | '–' | '>') && spaced {
        return true;
    }
    if first == '|' || is_heading_mark(line) || line.starts_with("```") || line.starts_with("~~~") {
        return true;
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let marker = &line[digits..];
    (1..=3).contains(&digits) && (marker.starts_with(". ") || marker.starts_with(") "))
}

/// An underline of a heading or a thematic break.
fn is_rule(line: &str) -> bool {
    line.len() >= 3
        && line
            .bytes()
            .all(|b| matches!(b, b'=' | b'-' | b'*' | b'_' | b'~'))
}

/// A line of source code, judged by how it ends or begins.
fn is_code(line: &str) -> bool {
    let trimmed = line.trim();
    trimmed.ends_with([';', '{', '}'])
        || trimmed.ends_with("},")
        || trimmed.ends_with("):")
        || trimmed.ends_with("*/")
        || trimmed.starts_with("//")
        || trimmed.starts_with("/*")
        || trimmed.starts_with("#!")
        || trimmed.starts_with("#[")
        || trimmed.starts_with('@') && !trimmed.contains(' ')
        || trimmed.starts_with('}')
}

/// A short line without final punctuation, followed by a line that starts afresh.
fn is_heading_like(line: &str, next: &str) -> bool {
    let short = line.len() <= 60 && next.len() > line.len();
    let fresh = next.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    let capital = line.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    let last_word = line.rsplit(' ').next().unwrap_or_default();
    let open_end = line.ends_with([',', ';', '-', '(', '"'])
        || crate::is_function_word(last_word)
        || crate::is_function_word(&last_word.to_lowercase());
    short && fresh && capital && !open_end && line.split(' ').count() <= 8
}
