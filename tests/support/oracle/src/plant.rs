//! A careless writer: plants errors into what the oracle says and remembers each.

use std::sync::{Arc, Mutex};

use indago_core::ports::Request;
use serde_json::{Value, json};

use crate::model::Spoil;

/// What was planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Error {
    /// A quote that stands nowhere.
    Fabricated,
    /// Another number.
    Number,
    /// A flipped negation.
    Negation,
    /// Another name.
    Name,
    /// A true sentence under the number of another source.
    Source,
    /// None: a true claim, as it is or in other words.
    True,
}

/// A sentence that was handed to the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// Its text.
    pub text: String,
    /// What is wrong with it.
    pub error: Error,
}

/// Plants errors with a seeded generator.
#[derive(Clone, Debug, Default)]
pub struct Planter {
    state: Arc<Mutex<(u64, Vec<Planted>)>>,
}

impl Planter {
    /// The same seed plants the same errors.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new((seed.wrapping_mul(2) + 1, Vec::new()))),
        }
    }

    /// What was planted since the last call of this function.
    pub fn take(&self) -> Vec<Planted> {
        std::mem::take(&mut self.state.lock().unwrap().1)
    }

    fn roll(&self, sides: u64) -> u64 {
        let mut state = self.state.lock().unwrap();
        state.0 = state
            .0
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        let mut z = state.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 31)) % sides
    }

    fn note(&self, text: &str, error: Error) {
        self.state.lock().unwrap().1.push(Planted {
            text: text.to_owned(),
            error,
        });
    }

    /// To be given to [`crate::OracleModel::spoilt`]: spoils readings and sections.
    pub fn spoil(&self) -> Spoil {
        let this = self.clone();
        Arc::new(move |request, reply| this.change(request, reply))
    }

    fn change(&self, request: &Request, reply: String) -> String {
        let name = request.schema.as_ref().map_or("", |s| s.name.as_str());
        let Ok(mut value) = serde_json::from_str::<Value>(&reply) else {
            return reply;
        };
        match name {
            "reading" => self.reading(&mut value),
            "section" => self.section(&mut value),
            _ => return reply,
        }
        value.to_string()
    }

    /// Adds, to the true quotes and claims, a claim with each kind of error.
    fn reading(&self, value: &mut Value) {
        let quotes = value["quotes"].as_array().cloned().unwrap_or_default();
        let claims = value["claims"].as_array().cloned().unwrap_or_default();
        let (mut all_quotes, mut all_claims) = (quotes.clone(), Vec::new());
        for claim in &claims {
            let text = claim["text"].as_str().unwrap_or_default();
            let told = match self.roll(3) {
                0 => text.to_owned(),
                _ => paraphrase(text, self.roll(3)),
            };
            self.note(&told, Error::True);
            all_claims.push(json!({ "text": told, "quotes": claim["quotes"] }));
            let error = match self.roll(5) {
                0 => Error::Fabricated,
                1 => Error::Number,
                2 => Error::Negation,
                3 => Error::Name,
                _ => Error::Source,
            };
            let (text, cites) = match error {
                Error::Fabricated => {
                    let Some(made_up) = renumber(text, self.roll(7) + 3).or_else(|| rename(text))
                    else {
                        continue;
                    };
                    let passage = quotes.first().map_or(json!(1), |q| q["passage"].clone());
                    all_quotes.push(json!({ "passage": passage, "text": made_up }));
                    (made_up, json!([all_quotes.len() - 1]))
                }
                Error::Number => match renumber(text, self.roll(7) + 3) {
                    Some(text) => (text, claim["quotes"].clone()),
                    None => continue,
                },
                Error::Negation => match negate(text) {
                    Some(text) => (text, claim["quotes"].clone()),
                    None => continue,
                },
                Error::Name => match rename(text) {
                    Some(text) => (text, claim["quotes"].clone()),
                    None => continue,
                },
                _ => {
                    let own = claim["quotes"][0].as_u64().unwrap_or(0);
                    let other = quotes.iter().enumerate().find(|(i, q)| {
                        *i as u64 != own && q["passage"] != quotes[own as usize]["passage"]
                    });
                    match other {
                        Some((i, _)) => (text.to_owned() + " ", json!([i])),
                        None => continue,
                    }
                }
            };
            let text = text.trim_end_matches(' ').to_owned();
            if error == Error::Source {
                // The same words as the true claim: told apart by what they cite.
                self.note(&format!("{text} @{cites}"), error);
            } else {
                self.note(&text, error);
            }
            all_claims.push(json!({ "text": text, "quotes": cites }));
        }
        value["quotes"] = json!(all_quotes);
        value["claims"] = json!(all_claims);
    }

    /// Spoils every third sentence.
    fn section(&self, value: &mut Value) {
        let list = value["sentences"].as_array().cloned().unwrap_or_default();
        let mut out = Vec::new();
        for sentence in list {
            let text = sentence["text"].as_str().unwrap_or_default().to_owned();
            let spoilt = match self.roll(9) {
                0 => renumber(&text, self.roll(7) + 3).map(|t| (t, Error::Number)),
                1 => negate(&text).map(|t| (t, Error::Negation)),
                2 => rename(&text).map(|t| (t, Error::Name)),
                _ => None,
            };
            let (text, error) = spoilt.unwrap_or((text, Error::True));
            self.note(&text, error);
            out.push(json!({ "text": text, "evidence": sentence["evidence"] }));
        }
        value["sentences"] = json!(out);
    }
}

/// A true sentence in slightly other words.
fn paraphrase(text: &str, way: u64) -> String {
    let body = text.trim_end_matches('.');
    match way {
        0 => format!("According to the source, {body}."),
        1 => {
            let lower = body.split(" is a ").collect::<Vec<_>>();
            lower.join(" was described as a ") + "."
        }
        _ => {
            let cut = body
                .char_indices()
                .filter(|(_, c)| *c == ',')
                .map(|(i, _)| i)
                .find(|i| *i > body.len() / 2);
            cut.map_or_else(|| format!("{body}."), |i| format!("{}.", &body[..i]))
        }
    }
}

/// The sentence with its first number of two digits or more changed.
fn renumber(text: &str, by: u64) -> Option<String> {
    let start = text
        .char_indices()
        .find(|(i, c)| {
            c.is_ascii_digit()
                && text[i + 1..].starts_with(|d: char| d.is_ascii_digit())
                && !text[..*i].ends_with(|d: char| d.is_alphanumeric())
        })?
        .0;
    let digits: String = text[start..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let number: u64 = digits.parse().ok()?;
    let changed = format!(
        "{}{}{}",
        &text[..start],
        number + by,
        &text[start + digits.len()..]
    );
    Some(changed)
}

/// The sentence negated.
fn negate(text: &str) -> Option<String> {
    if text.contains(" not ") || text.contains(" no ") || text.contains(" never ") {
        return None;
    }
    [" is ", " was ", " are ", " were "]
        .iter()
        .find_map(|verb| {
            text.contains(verb)
                .then(|| text.replacen(verb, &format!("{verb}not "), 1))
        })
}

/// The sentence with its last name replaced by one that nobody has.
fn rename(text: &str) -> Option<String> {
    let name = indago_text::names(text).into_iter().next_back()?;
    (name.text.chars().count() > 3).then(|| {
        format!(
            "{}Ottoline Brackwater{}",
            &text[..name.range.start],
            &text[name.range.end..]
        )
    })
}
