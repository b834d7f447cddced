//! What a question wants of an entity: people that stand in a role to it, or one of its attributes.

use indago_core::AnswerKind;
use indago_text::question::{Question, Scale};

/// A relation from one entity to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Director,
    Performer,
    Composer,
    Author,
    Founder,
    Creator,
    Producer,
    Publisher,
    Spouse,
    Father,
    Mother,
    Child,
    Sibling,
}

/// A fact about one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    BirthDate,
    DeathDate,
    BirthPlace,
    DeathPlace,
    DeathCause,
    Nationality,
    Country,
    Education,
    Employer,
    Award,
    ReleaseDate,
    FoundingDate,
}

/// The way from a named thing to the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    /// Innermost first.
    pub(crate) roles: Vec<Role>,
    /// Of the entity that the roles lead to; the entity itself is wanted when `None`.
    pub(crate) attribute: Option<Attribute>,
    /// Whether every word of relation was understood.
    pub(crate) whole: bool,
}

/// Reads the relation words of a question. Words that stand for nothing known leave `whole` false.
pub(crate) fn path(question: &Question) -> Path {
    let words: Vec<String> = question
        .hops
        .iter()
        .flat_map(|hop| &hop.relation)
        .map(|word| word.to_lowercase())
        .collect();
    let mut roles: Vec<Role> = Vec::new();
    let mut whole = true;
    let mut line = Role::Father;
    for hop in &question.hops {
        // One hop may say one role in two words; two hops may have the same role.
        let before = roles.len();
        for word in hop.relation.iter().map(|word| word.to_lowercase()) {
            match word.as_str() {
                "maternal" => line = Role::Mother,
                "paternal" => line = Role::Father,
                other => match roles_of(other, line) {
                    Some(found) if found.len() > 1 => roles.extend(found),
                    Some(found) => {
                        for role in found {
                            if !said(&roles, before, role) {
                                roles.push(role);
                            }
                        }
                    }
                    None => whole &= is_attribute_word(other),
                },
            }
        }
    }
    let attribute = attribute(question, &words);
    Path {
        roles,
        attribute,
        whole,
    }
}

/// Whether the hop whose roles begin at `from` has `role` already.
fn said(roles: &[Role], from: usize, role: Role) -> bool {
    roles.iter().skip(from).any(|r| *r == role)
}

fn roles_of(word: &str, line: Role) -> Option<Vec<Role>> {
    Some(match word {
        "director" | "directors" | "directed" => vec![Role::Director],
        "performer" | "performers" | "performed" | "singer" | "sings" | "sung" | "recorded" => {
            vec![Role::Performer]
        }
        "composer" | "composers" | "composed" => vec![Role::Composer],
        "author" | "writer" | "wrote" | "written" | "novelist" => vec![Role::Author],
        "founder" | "founders" => vec![Role::Founder],
        "creator" | "painter" | "painted" | "inventor" | "invented" | "designer" => {
            vec![Role::Creator]
        }
        "producer" => vec![Role::Producer],
        "publisher" | "published" => vec![Role::Publisher],
        "spouse" | "husband" | "wife" | "married" => vec![Role::Spouse],
        "father" => vec![Role::Father],
        "mother" => vec![Role::Mother],
        "child" | "son" | "daughter" | "children" => vec![Role::Child],
        "sibling" | "brother" | "sister" => vec![Role::Sibling],
        "grandfather" => vec![line, Role::Father],
        "grandmother" => vec![line, Role::Mother],
        "father-in-law" => vec![Role::Spouse, Role::Father],
        "mother-in-law" => vec![Role::Spouse, Role::Mother],
        _ => return None,
    })
}

fn is_attribute_word(word: &str) -> bool {
    matches!(
        word,
        "born"
            | "birth"
            | "birthday"
            | "birthplace"
            | "die"
            | "died"
            | "death"
            | "date"
            | "place"
            | "cause"
            | "same"
            | "share"
            | "nationality"
            | "country"
            | "located"
            | "film"
            | "song"
            | "first"
            | "earlier"
            | "later"
            | "younger"
            | "older"
            | "came"
            | "released"
            | "more"
            | "recently"
            | "originate"
            | "year"
    )
}

fn attribute(question: &Question, words: &[String]) -> Option<Attribute> {
    let focus = question.focus.as_deref().unwrap_or_default().to_lowercase();
    let has = |any: &[&str]| {
        any.iter()
            .any(|w| focus == *w || words.iter().any(|x| x == w))
    };
    let asks = question.question_word.as_deref().unwrap_or_default();
    let place = asks == "where" || has(&["place"]) || question.answer == AnswerKind::Place;
    let born_later = question
        .ordering
        .as_ref()
        .is_some_and(|ordering| ordering.scale == Scale::Birth);
    let timed = question
        .ordering
        .as_ref()
        .is_some_and(|ordering| ordering.scale == Scale::Time);
    let time = asks == "when" || timed || has(&["date", "year"]);
    if has(&["birthplace"]) {
        return Some(Attribute::BirthPlace);
    }
    if has(&["birthday"]) || born_later {
        return Some(Attribute::BirthDate);
    }
    if has(&["born", "birth"]) {
        return Some(if place {
            Attribute::BirthPlace
        } else {
            Attribute::BirthDate
        });
    }
    if has(&["die", "died", "death"]) {
        return Some(match () {
            () if asks == "why" || asks == "how" || has(&["cause"]) => Attribute::DeathCause,
            () if place => Attribute::DeathPlace,
            () => Attribute::DeathDate,
        });
    }
    if has(&["nationality", "nationalities", "citizenship"]) {
        return Some(Attribute::Nationality);
    }
    if has(&["country", "countries"]) {
        return Some(Attribute::Country);
    }
    if has(&["award", "prize"]) {
        return Some(Attribute::Award);
    }
    if has(&[
        "educated",
        "study",
        "studied",
        "graduated",
        "graduate",
        "attended",
    ]) {
        return Some(Attribute::Education);
    }
    if has(&["work", "works", "employer", "employed"]) && place {
        return Some(Attribute::Employer);
    }
    if time && has(&["founded", "established", "formed", "started", "opened"]) {
        return Some(Attribute::FoundingDate);
    }
    if time && has(&["released", "came", "release", "premiered", "aired"]) {
        return Some(Attribute::ReleaseDate);
    }
    timed.then_some(Attribute::ReleaseDate)
}
