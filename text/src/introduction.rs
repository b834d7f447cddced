//! What a passage says it is about: the subject of a defining first sentence, and its aliases.

use crate::names::{is_title, names};
use crate::normalize::{normalize_name, strip_disambiguation};
use crate::stop_words::is_function_word;
use crate::words::words;

/// Longest introduction that is read, in bytes.
const MAX_SENTENCE: usize = 2000;
/// Longest subject, in words.
const MAX_WORDS: usize = 14;

/// The name that a defining first sentence introduces.
///
/// ```
/// let text = "Carsten Erik Olsen (1891-1974) was a Danish chemist.";
/// assert_eq!(indago_text::introduced_name(text).as_deref(), Some("Carsten Erik Olsen"));
/// ```
pub fn introduced_name(text: &str) -> Option<String> {
    introduced_names(text).into_iter().next()
}

/// The name that a defining first sentence introduces, followed by its other names: the reading
/// with an epithet, an acronym, what it is also known as, and, for people, the name without title
/// or middle names.
///
/// Empty when the sentence does not define anything.
pub fn introduced_names(text: &str) -> Vec<String> {
    let mut end = text.len().min(MAX_SENTENCE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let Some(first) = crate::sentences(&text[..end]).into_iter().next() else {
        return Vec::new();
    };
    let sentence = past_participle(&text[first]);
    let Some((subject, rest)) = subject(sentence) else {
        return Vec::new();
    };
    let mut found: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        let name = name.trim();
        if !name.is_empty() && !found.iter().any(|f| f == name) {
            found.push(name.to_owned());
        }
    };
    let (one, other) = subject.split_once(" or ").unwrap_or((subject, ""));
    let either = !other.is_empty() && !one.is_empty();
    add(if either { unquoted(one) } else { subject });
    if either {
        add(unquoted(other));
        add(subject);
    }
    if let Some(long) = with_epithet(subject, sentence) {
        add(&long);
    }
    if let Some(short) = acronym(rest) {
        add(short);
    }
    for alias in aliases(rest) {
        add(&alias);
    }
    if is_person(rest) {
        for alias in shorter(subject) {
            add(&alias);
        }
    }
    found
}

/// Whether `sentence` defines `name`: introduces it, or an alias that is spelled alike.
///
/// ```
/// assert!(indago_text::is_definition("The Vinda is a river in Norland.", "Vinda"));
/// assert!(!indago_text::is_definition("She swam in the Vinda.", "Vinda"));
/// ```
pub fn is_definition(sentence: &str, name: &str) -> bool {
    let wanted = normalize_name(strip_disambiguation(name));
    let alike = |n: &String| normalize_name(strip_disambiguation(n)) == wanted;
    !wanted.is_empty() && introduced_names(sentence).iter().any(alike)
}

/// Words that end the subject of a definition.
fn is_copula(word: &str) -> bool {
    matches!(
        word,
        "is" | "was" | "are" | "were" | "refers" | "refer" | "means" | "denotes"
    ) || matches!(word, "describes" | "may")
}

/// The subject and the rest of the sentence after it.
fn subject(sentence: &str) -> Option<(&str, &str)> {
    let head_end = copula(sentence).or_else(|| dated_parenthesis(sentence))?;
    let head = &sentence[..head_end];
    let stop = head.char_indices().find(|&(i, c)| {
        let cut =
            c == '(' && (i == 0 || head[..i].ends_with(' ') || head[i + 1..].starts_with(' '));
        cut || c == ',' && head[i + 1..].starts_with(' ')
            || c == ',' && head[i + 1..].starts_with('(')
    });
    let end = stop.map_or(head.len(), |(i, _)| i);
    let name = unquoted(&head[..end]);
    // `A black hole`, but `A Winter Carol`.
    let indefinite = ["A ", "An "].iter().find_map(|a| name.strip_prefix(a));
    let indefinite = indefinite.filter(|bare| bare.starts_with(char::is_lowercase));
    let bare = match name.strip_prefix("The ") {
        Some(bare) => past_type_noun(bare)?,
        None => indefinite.unwrap_or(name),
    };
    let bare = unquoted(bare);
    let count = bare.split(' ').count();
    let quoted = head.starts_with(['"', '\u{201c}']);
    let sound = !bare.is_empty() && count <= MAX_WORDS && (quoted || opens_name(bare));
    (sound && !holds_verb(bare)).then_some((bare, &sentence[end..]))
}

/// `Born in Porto, Ann Lee was ...`: from after the comma.
fn past_participle(sentence: &str) -> &str {
    let first = sentence.split(' ').next().unwrap_or_default();
    let opener = matches!(
        first,
        "Born"
            | "Formed"
            | "Founded"
            | "Based"
            | "Located"
            | "Established"
            | "Built"
            | "Released"
            | "Named"
            | "Published"
            | "Opened"
            | "Written"
            | "Directed"
    );
    let rest = if opener {
        sentence.split_once(", ").map(|(_, rest)| rest)
    } else {
        None
    };
    rest.unwrap_or(sentence)
}

/// Whether a subject holds a verb after all: `Seattle remained the seat ...`.
fn holds_verb(subject: &str) -> bool {
    let opens = subject.starts_with(char::is_uppercase);
    opens
        && subject.split(' ').skip(1).any(|w| {
            w.starts_with(char::is_lowercase)
                && (w.len() > 4 && w.ends_with("ed") || crate::phrases::is_common_verb(w))
        })
}

/// Where the first copula outside parentheses begins, past the first word.
fn copula(sentence: &str) -> Option<usize> {
    let mut scanned = 0;
    let mut depth = 0usize;
    let mut quoted = false;
    words(sentence).into_iter().find_map(|span| {
        for c in sentence[scanned..span.start].chars() {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                '"' => quoted = !quoted,
                '\u{201c}' => quoted = true,
                '\u{201d}' => quoted = false,
                _ => {}
            }
        }
        scanned = span.start;
        let outside = depth == 0 && !quoted && span.start > 0;
        (outside && is_copula(&sentence[span.clone()])).then_some(span.start)
    })
}

/// The end of `Name (1133–1189)` at the start: dates of life make it an introduction whatever the
/// verb.
fn dated_parenthesis(sentence: &str) -> Option<usize> {
    let open = sentence.find('(')?;
    let close = open + sentence[open..].find(')')?;
    let capital = sentence.starts_with(char::is_uppercase);
    let short = open <= 80 && capital && !sentence[..open].contains(", ");
    (short && is_person(&sentence[open..=close])).then_some(close + 1)
}

/// Without quotation marks, emphasis marks and white space around it.
fn unquoted(name: &str) -> &str {
    name.trim()
        .trim_matches(['"', '\u{201c}', '\u{201d}', '*', '_'])
        .trim()
}

/// `genus "Darwinius"`, `play Oscar Wilde`: the name after lower-case words; `None` for
/// definite subjects that are no names, such as `song`.
fn past_type_noun(name: &str) -> Option<&str> {
    if !name.starts_with(char::is_lowercase) {
        return Some(name);
    }
    let at = name
        .char_indices()
        .zip(name.chars().skip(1))
        .find_map(|((i, c), next)| {
            let begins = next.is_uppercase() || matches!(next, '"' | '\u{201c}');
            (c == ' ' && begins).then_some(i + 1)
        })?;
    Some(&name[at..])
}

/// Whether the subject may be a name: it does not open with a function word, unless all of it is
/// written like a title (`If There Was a Way`).
fn opens_name(name: &str) -> bool {
    let first = name.split(' ').next().unwrap_or_default().to_lowercase();
    if !is_function_word(&first) {
        return true;
    }
    let pronoun = matches!(
        first.as_str(),
        "it" | "he"
            | "she"
            | "they"
            | "this"
            | "these"
            | "there"
            | "we"
            | "i"
            | "his"
            | "her"
            | "its"
            | "their"
            | "that"
            | "those"
            | "you"
            | "some"
            | "many"
            | "most"
            | "one"
            | "each"
    );
    let digits = name.chars().any(|c| c.is_ascii_digit());
    !pronoun && !digits && name.contains(' ') && is_title(name)
}

/// `Edward Baring, 1st Baron Revelstoke`, where the sentence goes on like that.
fn with_epithet(subject: &str, sentence: &str) -> Option<String> {
    let at = sentence.find(subject)?;
    let after = &sentence[at + subject.len()..];
    let name = after.strip_prefix(", ")?;
    let end = name.find([',', '(', ';']).unwrap_or(name.len());
    let end = copula(name).map_or(end, |c| c.min(end));
    let epithet = name[..end].trim();
    let ranked = epithet.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    let short = epithet.split(' ').count() <= 8 && epithet.chars().any(char::is_uppercase);
    (ranked && short && is_title(epithet)).then(|| format!("{subject}, {epithet}"))
}

/// The acronym in the parenthesis right after the subject: `(WHO)`.
fn acronym(rest: &str) -> Option<&str> {
    let inner = rest.trim_start().strip_prefix('(')?;
    let word = inner.get(..inner.find([')', ',', ';'])?)?.trim();
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    let sound = (2..=12).contains(&word.len())
        && capitals >= 2
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '&' | '.'));
    sound.then_some(word)
}

/// Names after `also known as` and its like.
fn aliases(rest: &str) -> Vec<String> {
    const CUES: &[&str] = &[
        "known as",
        "also called",
        "formerly",
        "stage name",
        "nicknamed",
        "abbreviated",
        "abbreviation",
        "abbreviated as",
        "romanized as",
        "Romanized as",
        "born",
    ];
    let mut found = Vec::new();
    for cue in CUES {
        for (at, _) in rest.match_indices(cue) {
            let after = &rest[at + cue.len()..];
            let near = &after[..after
                .char_indices()
                .nth(120)
                .map_or(after.len(), |(i, _)| i)];
            let name = names(near).into_iter().next();
            let direct = |start: usize| near[..start].split_whitespace().count() <= 1;
            if let Some(name) = name.filter(|n| direct(n.range.start)) {
                found.push(name.text);
            }
        }
    }
    found
}

/// Whether what follows the subject speaks of a life: `(born 1950)`, `(1891–1974)`.
fn is_person(rest: &str) -> bool {
    let Some(inner) = rest.trim_start_matches([' ', ',']).strip_prefix('(') else {
        return rest.starts_with(", born ");
    };
    let inner = &inner[..inner.find(')').unwrap_or(inner.len())];
    let years = inner
        .split(|c: char| !c.is_ascii_digit())
        .filter(|d| d.len() == 4)
        .count();
    inner.contains("born") || inner.contains("died") || years >= 1
}

/// The name of a person without title, middle names, or with the nickname in its quotes.
fn shorter(name: &str) -> Vec<String> {
    const TITLES: &[&str] = &[
        "Dr.",
        "Dr",
        "Sir",
        "General",
        "Lord",
        "Lady",
        "Prince",
        "Princess",
        "King",
        "Queen",
        "Saint",
        "St.",
        "Colonel",
        "Captain",
        "Major",
        "Professor",
        "Reverend",
        "Rev.",
        "Baron",
        "Count",
        "Dame",
        "Admiral",
        "Pope",
    ];
    let mut found = Vec::new();
    let mut parts: Vec<&str> = name.split(' ').filter(|p| !p.is_empty()).collect();
    if parts.len() >= 3 && parts.first().is_some_and(|p| TITLES.contains(p)) {
        parts.remove(0);
        found.push(parts.join(" "));
    }
    let nickname = |p: &&str| p.starts_with(['"', '\u{201c}']) && p.ends_with(['"', '\u{201d}']);
    let capital = |p: &&str| p.starts_with(char::is_uppercase) || nickname(p);
    if parts.len() < 3 || parts.len() > 5 || !parts.iter().all(capital) {
        return found;
    }
    if let (Some(first), Some(last)) = (parts.first(), parts.last()) {
        if let Some(nick) = parts.iter().find(|p| nickname(p)) {
            found.push(format!("{} {last}", unquoted(nick)));
        }
        if !matches!(*last, "II" | "III" | "IV" | "V" | "VI" | "Jr." | "Sr.") {
            found.push(format!("{first} {last}"));
        }
    }
    found
}
