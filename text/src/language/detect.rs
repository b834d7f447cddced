//! Which language a text is written in: by its script, then by its function words.
//!
//! The sure cases only: a wrong language costs more than none, because what is undecided is analysed
//! as English, and English text must never be anything else for the foreign names in it. Trigram
//! models decide more, and less surely on short texts full of names.

use super::analyze::fold_word;
use super::stop_words::{key_of, languages_of};
use super::{Language, Languages};
use crate::terms::next_run;

/// Bytes of a text that are looked at.
const SAMPLE: usize = 3072;
/// Function words of a language that a text must show beyond twice those of English.
const CLEAR: u32 = 3;
/// The same where there is none of English.
const CLEAR_ALONE: u32 = 2;
/// Bytes of the longest run of letters that is looked at.
const MAX_WORD: usize = 64;
/// Least share of function words among all words: one in this many.
const ONE_IN: u32 = 10;

/// The language of `text`, where it is clear; reads no more than its beginning.
///
/// ```
/// use indago_text::{Language, detect_language};
/// let text = "Le phare est ouvert au public depuis la fin de la guerre.";
/// assert_eq!(detect_language(text), Some(Language::French));
/// assert_eq!(detect_language("Los Angeles"), None);
/// ```
pub fn detect_language(text: &str) -> Option<Language> {
    let text = &text[..text.floor_char_boundary(SAMPLE)];
    let scripts = Scripts::of(text);
    match scripts.main()? {
        Script::Latin => by_function_words(text),
        Script::Cyrillic => Some(cyrillic(text)),
        Script::Devanagari => {
            let hits = hits(text);
            Some(if hits.are_many(Language::Hindi) {
                Language::Hindi
            } else {
                Language::Undetermined
            })
        }
        Script::Arabic => Some(arabic(text)),
        Script::Han if 10 * scripts.kana() >= scripts.han() => Some(Language::Japanese),
        Script::Han => Some(Language::Chinese),
        Script::Hangul => Some(Language::Korean),
        Script::Thai => Some(Language::Thai),
        Script::Greek => Some(Language::Greek),
        Script::Armenian => Some(Language::Armenian),
        Script::Tamil => Some(Language::Tamil),
        Script::Other => Some(Language::Undetermined),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Latin,
    Cyrillic,
    Greek,
    Armenian,
    Arabic,
    Devanagari,
    Tamil,
    Thai,
    /// And kana.
    Han,
    Hangul,
    Other,
}

const SCRIPTS: [Script; 11] = [
    Script::Latin,
    Script::Cyrillic,
    Script::Greek,
    Script::Armenian,
    Script::Arabic,
    Script::Devanagari,
    Script::Tamil,
    Script::Thai,
    Script::Han,
    Script::Hangul,
    Script::Other,
];

/// Letters of a text by script.
#[derive(Default)]
struct Scripts {
    letters: [u32; SCRIPTS.len()],
    kana: u32,
}

impl Scripts {
    fn of(text: &str) -> Self {
        let mut scripts = Self::default();
        for c in text.chars().filter(|c| c.is_alphabetic()) {
            let script = match u32::from(c) {
                0..=0x036F | 0x1D00..=0x1EFF | 0xFF21..=0xFF5A => Script::Latin,
                0x0370..=0x03FF | 0x1F00..=0x1FFF => Script::Greek,
                0x0400..=0x052F => Script::Cyrillic,
                0x0530..=0x058F => Script::Armenian,
                0x0600..=0x06FF | 0x0750..=0x077F | 0xFB50..=0xFDFF | 0xFE70..=0xFEFF => {
                    Script::Arabic
                }
                0x0900..=0x097F => Script::Devanagari,
                0x0B80..=0x0BFF => Script::Tamil,
                0x0E00..=0x0E7F => Script::Thai,
                0x3040..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9D => {
                    scripts.kana += 1;
                    Script::Han
                }
                0x2E80..=0x2FDF
                | 0x3005..=0x3007
                | 0x3100..=0x312F
                | 0x3400..=0x9FFF
                | 0xF900..=0xFAFF
                | 0x2_0000..=0x3_FFFF => Script::Han,
                0x1100..=0x11FF | 0x3130..=0x318F | 0xA960..=0xA97F | 0xAC00..=0xD7FF => {
                    Script::Hangul
                }
                _ => Script::Other,
            };
            scripts.letters[script as usize] += 1;
        }
        scripts
    }

    fn kana(&self) -> u32 {
        self.kana
    }

    fn han(&self) -> u32 {
        self.letters[Script::Han as usize]
    }

    /// The script of most of the text. A character of Han or Hangul says about as much as three
    /// letters.
    fn main(&self) -> Option<Script> {
        let weighed = SCRIPTS.map(|script| {
            let weight = if matches!(script, Script::Han | Script::Hangul) {
                3
            } else {
                1
            };
            (self.letters[script as usize] * weight, script)
        });
        let total: u32 = weighed.iter().map(|(letters, _)| letters).sum();
        let most = weighed.into_iter().max_by_key(|(letters, _)| *letters);
        most.filter(|(letters, _)| 2 * letters > total)
            .map(|(_, script)| script)
    }
}

/// Function words of a text. Each counts once, however often it is there: what is repeated in a
/// table or a list of names is no evidence.
struct Hits {
    words: u32,
    /// By language: words that English does not have.
    own: [u32; 64],
    /// By language: of those, the ones that stand in no name.
    sure: [u32; 64],
    /// By language: words that English has too.
    shared: [u32; 64],
    english: u32,
    /// By language: every occurrence of any of them.
    times: [u32; 64],
}

impl Hits {
    fn of(&self, language: Language) -> u32 {
        self.own[language as usize] + self.shared[language as usize]
    }

    /// Whether enough of the text's words are function words of a language.
    fn are_many(&self, language: Language) -> bool {
        self.times[language as usize] * ONE_IN >= self.words
    }
}

fn hits(text: &str) -> Hits {
    let mut hits = Hits {
        words: 0,
        own: [0; 64],
        sure: [0; 64],
        shared: [0; 64],
        english: 0,
        times: [0; 64],
    };
    let mut seen: Vec<u64> = Vec::new();
    let mut at = 0;
    while let Some((range, ascii)) = next_run(text, at) {
        at = range.end;
        let run = &text[range];
        if run
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
        {
            continue;
        }
        hits.words += 1;
        // Single letters are initials and formulas.
        if run.len() == 1 || run.len() > MAX_WORD || run.chars().nth(1).is_none() {
            continue;
        }
        let folded;
        let word = if ascii && run.bytes().all(|byte| byte.is_ascii_lowercase()) {
            run
        } else {
            folded = fold_word(Language::Undetermined, run);
            &folded
        };
        let languages = languages_of(word);
        if languages == Languages::default() {
            continue;
        }
        let key = key_of(word);
        let first = !seen.contains(&key);
        if first {
            seen.push(key);
        }
        let english = languages.contains(Language::English);
        let sure = !english && !stands_in_names(word);
        hits.english += u32::from(english && first);
        for language in languages.iter() {
            let i = language as usize;
            hits.times[i] += 1;
            if first {
                let slot = if english {
                    &mut hits.shared
                } else {
                    &mut hits.own
                };
                slot[i] += 1;
                hits.sure[i] += u32::from(sure);
            }
        }
    }
    hits
}

/// The language whose function words a text in Latin script has.
fn by_function_words(text: &str) -> Option<Language> {
    let hits = hits(text);
    let others = Language::ALL
        .iter()
        .copied()
        .filter(|l| *l != Language::English);
    let best = others.max_by_key(|language| {
        // Of equals the first.
        (
            hits.own[*language as usize],
            hits.of(*language),
            std::cmp::Reverse(*language),
        )
    })?;
    let own = hits.own[best as usize];
    let against = hits.english - hits.shared[best as usize];
    let clear = own >= CLEAR + 2 * against || (against == 0 && own >= CLEAR_ALONE);
    if clear && hits.sure[best as usize] > 0 && hits.are_many(best) {
        return Some(best);
    }
    let english = hits.english >= CLEAR_ALONE && hits.english > 2 * own;
    (english && hits.are_many(Language::English)).then_some(Language::English)
}

/// Function words that names keep in whatever language they are written of: `El Paso de Robles`.
fn stands_in_names(word: &str) -> bool {
    matches!(
        word,
        "al" | "am"
            | "d"
            | "da"
            | "das"
            | "de"
            | "degli"
            | "dei"
            | "del"
            | "della"
            | "dem"
            | "den"
            | "der"
            | "des"
            | "di"
            | "die"
            | "do"
            | "dos"
            | "du"
            | "e"
            | "el"
            | "en"
            | "et"
            | "il"
            | "l"
            | "la"
            | "las"
            | "le"
            | "les"
            | "lo"
            | "los"
            | "och"
            | "og"
            | "ter"
            | "und"
            | "van"
            | "von"
            | "vom"
            | "y"
            | "zu"
            | "zum"
            | "zur"
    )
}

/// By the letters that only one of the languages has.
fn cyrillic(text: &str) -> Language {
    let has = |letters: &[char]| text.contains(letters);
    if has(&['ђ', 'ј', 'љ', 'њ', 'ћ', 'џ', 'Ђ', 'Ј', 'Љ', 'Њ', 'Ћ', 'Џ']) {
        return Language::Serbian;
    }
    if has(&['і', 'ї', 'є', 'ґ', 'ў', 'І', 'Ї', 'Є', 'Ґ', 'Ў']) {
        return Language::Undetermined;
    }
    let hits = hits(text);
    let russian = has(&['ы', 'э', 'ё', 'Э', 'Ё']);
    if russian || hits.are_many(Language::Russian) {
        return Language::Russian;
    }
    Language::Undetermined
}

/// Persian writes letters that Arabic does not.
fn arabic(text: &str) -> Language {
    let persian = ['پ', 'چ', 'ژ', 'گ', 'ک', 'ی'];
    let urdu = ['ٹ', 'ڈ', 'ڑ', 'ں', 'ے'];
    let count = |letters: &[char]| text.chars().filter(|c| letters.contains(c)).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if 100 * count(&urdu) > letters {
        Language::Undetermined
    } else if 50 * count(&persian) > letters {
        Language::Persian
    } else {
        Language::Arabic
    }
}
