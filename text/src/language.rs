//! Languages that documents are written in, and how each is told and analysed.

mod analyze;
mod detect;
mod stop_words;

use std::fmt;
use std::str::FromStr;

use frostem::Algorithm;

pub use analyze::{for_each_term_in, query_terms};
pub use detect::detect_language;

macro_rules! languages {
    ($($variant:ident $code:literal $three:literal $name:literal $algorithm:expr;)+) => {
        /// A language whose words are analysed in a way of their own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "each is what its name says")]
        pub enum Language {
            $($variant,)+
        }

        impl Language {
            /// Every language, in order of their codes, the undetermined one last.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// ISO 639-1 code, such as `de`; `und` for text of any other language.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Its name in English.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// ISO 639-2 codes, bibliographic and terminological, a space between them.
            fn three_letters(self) -> &'static str {
                match self { $(Self::$variant => $three,)+ }
            }

            /// Its Snowball algorithm.
            pub(crate) fn algorithm(self) -> Option<Algorithm> {
                match self { $(Self::$variant => $algorithm,)+ }
            }
        }
    };
}

languages! {
    Arabic "ar" "ara" "Arabic" Some(Algorithm::Arabic);
    Catalan "ca" "cat" "Catalan" Some(Algorithm::Catalan);
    Czech "cs" "ces cze" "Czech" Some(Algorithm::Czech);
    Danish "da" "dan" "Danish" Some(Algorithm::Danish);
    German "de" "deu ger" "German" Some(Algorithm::German);
    Greek "el" "ell gre" "Greek" Some(Algorithm::Greek);
    English "en" "eng" "English" Some(Algorithm::English);
    Esperanto "eo" "epo" "Esperanto" Some(Algorithm::Esperanto);
    Spanish "es" "spa" "Spanish" Some(Algorithm::Spanish);
    Estonian "et" "est" "Estonian" Some(Algorithm::Estonian);
    Basque "eu" "eus baq" "Basque" Some(Algorithm::Basque);
    Persian "fa" "fas per" "Persian" Some(Algorithm::Persian);
    Finnish "fi" "fin" "Finnish" Some(Algorithm::Finnish);
    French "fr" "fra fre" "French" Some(Algorithm::French);
    Irish "ga" "gle" "Irish" Some(Algorithm::Irish);
    Hindi "hi" "hin" "Hindi" Some(Algorithm::Hindi);
    Hungarian "hu" "hun" "Hungarian" Some(Algorithm::Hungarian);
    Armenian "hy" "hye arm" "Armenian" Some(Algorithm::Armenian);
    Indonesian "id" "ind" "Indonesian" Some(Algorithm::Indonesian);
    Italian "it" "ita" "Italian" Some(Algorithm::Italian);
    Japanese "ja" "jpn" "Japanese" None;
    Korean "ko" "kor" "Korean" None;
    Lithuanian "lt" "lit" "Lithuanian" Some(Algorithm::Lithuanian);
    Nepali "ne" "nep" "Nepali" Some(Algorithm::Nepali);
    Dutch "nl" "nld dut" "Dutch" Some(Algorithm::Dutch);
    Norwegian "no" "nor nob nno nb nn" "Norwegian" Some(Algorithm::Norwegian);
    Polish "pl" "pol" "Polish" Some(Algorithm::Polish);
    Portuguese "pt" "por" "Portuguese" Some(Algorithm::Portuguese);
    Romanian "ro" "ron rum mo" "Romanian" Some(Algorithm::Romanian);
    Russian "ru" "rus" "Russian" Some(Algorithm::Russian);
    Serbian "sr" "srp" "Serbian" Some(Algorithm::Serbian);
    Swedish "sv" "swe" "Swedish" Some(Algorithm::Swedish);
    Tamil "ta" "tam" "Tamil" Some(Algorithm::Tamil);
    Thai "th" "tha" "Thai" None;
    Turkish "tr" "tur" "Turkish" Some(Algorithm::Turkish);
    Yiddish "yi" "yid" "Yiddish" Some(Algorithm::Yiddish);
    Chinese "zh" "zho chi" "Chinese" None;
    Undetermined "und" "mul" "undetermined" None;
}

/// A text that names no language of [`Language::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no language that is known: {}", known())]
pub struct UnknownLanguage {
    /// What was given.
    pub found: String,
}

/// The codes of all languages, for messages.
fn known() -> String {
    let codes: Vec<&str> = Language::ALL.iter().map(|l| l.code()).collect();
    format!("auto, {}", codes.join(", "))
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    /// Reads codes of two and three letters, with or without a region (`pt-BR`, `de_AT`), and
    /// English names, in any letter case.
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        let lower = text.trim().to_ascii_lowercase();
        let primary = lower.split(['-', '_']).next().unwrap_or_default();
        let is = |language: &&Self| {
            let codes = language.three_letters().split(' ');
            language.code() == primary
                || language.name().eq_ignore_ascii_case(&lower)
                || codes.into_iter().any(|code| code == primary)
        };
        let found = Self::ALL.iter().find(is).copied();
        found.ok_or_else(|| UnknownLanguage {
            found: text.to_owned(),
        })
    }
}

/// Which language documents are taken to be in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LanguageChoice {
    /// The one that a document states, else the one that its text shows, else English.
    #[default]
    Auto,
    /// This one, whatever they are.
    Always(Language),
}

impl LanguageChoice {
    /// The language of a document: `stated` is what its own properties say, in any form that
    /// [`Language`] reads; what cannot be read counts as not said.
    pub fn of(self, stated: Option<&str>, text: &str) -> Language {
        match self {
            Self::Always(language) => language,
            Self::Auto => stated
                .and_then(|stated| stated.parse().ok())
                .filter(|language| *language != Language::Undetermined)
                .or_else(|| detect_language(text))
                .unwrap_or(Language::English),
        }
    }
}

impl fmt::Display for LanguageChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Always(language) => language.fmt(f),
        }
    }
}

impl FromStr for LanguageChoice {
    type Err = UnknownLanguage;

    /// `auto`, or a language.
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        if text.trim().eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        text.parse().map(Self::Always)
    }
}

/// A set of languages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Languages(u64);

impl Languages {
    /// English and no other.
    pub const ENGLISH: Self = Self(1 << Language::English as u64);

    /// Adds a language.
    pub fn insert(&mut self, language: Language) {
        self.0 |= 1 << language as u64;
    }

    /// Whether `language` is in it.
    pub fn contains(self, language: Language) -> bool {
        self.0 >> (language as u64) & 1 == 1
    }

    /// The one language that is in it, unless there are none or several.
    pub fn only(self) -> Option<Language> {
        self.0.is_power_of_two().then(|| self.iter().next())?
    }

    /// The languages in it, in the order of [`Language::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Language> {
        let all = Language::ALL.iter().copied();
        all.filter(move |language| self.contains(*language))
    }
}

impl FromIterator<Language> for Languages {
    fn from_iter<I: IntoIterator<Item = Language>>(languages: I) -> Self {
        let mut set = Self::default();
        languages.into_iter().for_each(|l| set.insert(l));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_by_code_region_and_name() {
        for (text, language) in [
            ("de", Language::German),
            ("DE-at", Language::German),
            ("ger", Language::German),
            ("German", Language::German),
            ("pt_BR", Language::Portuguese),
            ("nb", Language::Norwegian),
            (" zh-Hans ", Language::Chinese),
            ("und", Language::Undetermined),
        ] {
            assert_eq!(text.parse(), Ok(language), "{text}");
        }
        for text in ["", "python", "xx", "auto", "d", "-de"] {
            assert!(text.parse::<Language>().is_err(), "{text}");
        }
        let error = "klingon".parse::<LanguageChoice>().unwrap_err().to_string();
        assert!(error.starts_with("`klingon` is no language"), "{error}");
        assert!(
            error.contains("auto, ar,") && error.contains(" sv,"),
            "{error}"
        );
    }

    #[test]
    fn every_code_stands_for_one_language_and_reads_back() {
        for language in Language::ALL {
            assert_eq!(language.code().parse(), Ok(*language));
            assert_eq!(language.name().parse(), Ok(*language));
        }
        assert!(Language::ALL.len() <= 64, "the set has 64 bits");
        assert!(Language::ALL.is_sorted_by_key(|l| (l.code() == "und", l.code())));
        assert_eq!(Languages::ENGLISH.only(), Some(Language::English));
        let all: Languages = Language::ALL.iter().copied().collect();
        assert!(all.iter().eq(Language::ALL.iter().copied()) && all.only().is_none());
    }

    #[test]
    fn what_a_document_states_wins_over_what_its_text_shows() {
        let german = "Das Haus steht an der Straße und ist nicht groß.";
        let auto = LanguageChoice::Auto;
        assert_eq!(auto.of(None, german), Language::German);
        assert_eq!(auto.of(Some("nl"), german), Language::Dutch);
        assert_eq!(auto.of(Some("python"), german), Language::German);
        assert_eq!(auto.of(None, "7 x 7"), Language::English);
        let always = LanguageChoice::Always(Language::French);
        assert_eq!(always.of(Some("nl"), german), Language::French);
    }
}
