//! One spelling per name, so that names can be compared and looked up.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Lower case without diacritics; punctuation and spaces stay.
///
/// Compatibility-decomposes, drops combining marks, and spells out the common letters that have
/// no decomposition (`ø`, `ł`, `ß`, `æ`, ...).
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        folded.push_str(text);
        folded.make_ascii_lowercase();
        return folded;
    }
    for c in text
        .nfkd()
        .filter(|&c| !is_combining_mark(c))
        .flat_map(char::to_lowercase)
    {
        match c {
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'þ' => folded.push_str("th"),
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ı' => folded.push('i'),
            'ħ' => folded.push('h'),
            c if is_combining_mark(c) => {} // lower-casing may bring one back: `İ`
            c => folded.push(c),
        }
    }
    folded
}

/// The spelling under which a name is looked up: [`fold`]ed, possessive `'s` and apostrophes
/// dropped, other punctuation to single spaces, a leading `the` dropped.
///
/// Idempotent. Empty when the name holds no letter or digit.
///
/// ```
/// assert_eq!(indago_text::normalize_name("The  O'Reilly-Müller Co.'s"), "oreilly muller co");
/// ```
pub fn normalize_name(name: &str) -> String {
    let folded = fold(name);
    let mut normal = String::with_capacity(folded.len());
    let mut rest = folded.trim_end();
    while let Some(stripped) = rest
        .strip_suffix("'s")
        .or_else(|| rest.strip_suffix("\u{2019}s"))
        .filter(|s| s.chars().any(char::is_alphanumeric))
    {
        rest = stripped;
    }
    for c in rest.chars() {
        if c.is_alphanumeric() {
            normal.push(c);
        } else if !matches!(c, '\'' | '\u{2019}' | '\u{2bc}')
            && !normal.is_empty()
            && !normal.ends_with(' ')
        {
            normal.push(' ');
        }
    }
    normal.truncate(normal.trim_end().len());
    while let Some(rest) = normal.strip_prefix("the ") {
        normal = rest.to_owned();
    }
    normal
}

/// The name without a final parenthesis: `Mercury (planet)` gives `Mercury`.
///
/// A name that is nothing but a parenthesis stays as it is.
pub fn strip_disambiguation(name: &str) -> &str {
    let trimmed = name.trim_end();
    if !trimmed.ends_with(')') {
        return trimmed;
    }
    match trimmed.rfind('(').map(|open| trimmed[..open].trim_end()) {
        Some(kept) if !kept.is_empty() => kept,
        _ => trimmed,
    }
}
