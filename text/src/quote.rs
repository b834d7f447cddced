//! Whether two spans of text say the same, letter for letter, up to typography.

/// `text` with straight quotes, plain hyphens, single spaces, no soft hyphens and no space around
/// it. Case stays.
pub fn canonical(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' => plain.push('\''),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{2033}' | '\u{ab}'
            | '\u{bb}' => plain.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => plain.push('-'),
            '\u{2026}' => plain.push_str("..."),
            '\u{ad}' | '\u{200b}' | '\u{200c}' | '\u{200d}' | '\u{feff}' => {}
            c if c.is_whitespace() => {
                if !plain.is_empty() && !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            c => plain.push(c),
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// Equal up to white space, quotation marks, dashes and invisible characters.
pub fn equivalent(a: &str, b: &str) -> bool {
    a == b || canonical(a) == canonical(b)
}

/// [`equivalent`], and equal up to letter case.
pub fn equivalent_ignoring_case(a: &str, b: &str) -> bool {
    a == b || canonical(a).to_lowercase() == canonical(b).to_lowercase()
}
