//! BERT's text clean-up, one character at a time: controls dropped, accents stripped, lower case,
//! and each character classed as part of a word, a word of its own, or a gap.

use unicode_normalization::char::decompose_canonical;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// What a character does to the words around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Belongs to a word.
    Letter,
    /// Is a word by itself: punctuation, and ideographs, which are written without gaps.
    Alone,
    /// Ends a word.
    Gap,
}

/// Calls `emit` for each character that `c` becomes.
pub(super) fn normalize(c: char, mut emit: impl FnMut(Kind, char)) {
    if c.is_ascii() {
        return normalize_ascii(c, emit);
    }
    if c == '\u{fffd}' {
        return;
    }
    if c.is_whitespace() {
        return emit(Kind::Gap, ' ');
    }
    if is_control(c) {
        return;
    }
    if is_ideograph(c) {
        return emit(Kind::Alone, c);
    }
    decompose_canonical(c, |part| {
        if part.general_category() == GeneralCategory::NonspacingMark {
            return;
        }
        for lower in part.to_lowercase() {
            emit(kind(lower), lower);
        }
    });
}

fn normalize_ascii(c: char, mut emit: impl FnMut(Kind, char)) {
    match c {
        'a'..='z' | '0'..='9' => emit(Kind::Letter, c),
        'A'..='Z' => emit(Kind::Letter, c.to_ascii_lowercase()),
        ' ' | '\t' | '\n' | '\r' => emit(Kind::Gap, ' '),
        _ if c.is_ascii_punctuation() => emit(Kind::Alone, c),
        _ => {} // controls
    }
}

fn kind(c: char) -> Kind {
    if c.is_whitespace() {
        Kind::Gap
    } else if c.is_ascii_punctuation()
        || c.general_category_group() == GeneralCategoryGroup::Punctuation
    {
        Kind::Alone
    } else {
        Kind::Letter
    }
}

/// Control, format, private-use and unassigned characters.
fn is_control(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
    )
}

/// The CJK ideograph blocks that BERT's tokenizer lists; not kana, not hangul.
fn is_ideograph(c: char) -> bool {
    matches!(
        c,
        '\u{4e00}'..='\u{9fff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{20000}'..='\u{2a6df}'
            | '\u{2a700}'..='\u{2b73f}'
            | '\u{2b740}'..='\u{2b81f}'
            | '\u{2b920}'..='\u{2ceaf}'
            | '\u{f900}'..='\u{faff}'
            | '\u{2f800}'..='\u{2fa1f}'
    )
}
