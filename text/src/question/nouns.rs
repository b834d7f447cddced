//! Nouns whose meaning tells the kind of an answer or the type of a named thing.

use indago_core::AnswerKind;

/// The kind of answer a head noun asks for; `None` for nouns that say nothing about it.
pub(super) fn kind_of(noun: &str) -> Option<AnswerKind> {
    let singular = singular(noun);
    Some(match singular.as_str() {
        "city" | "town" | "country" | "county" | "state" | "province" | "place" | "location"
        | "continent" | "village" | "district" | "region" | "area" | "capital" | "nation"
        | "island" | "birthplace" | "hometown" | "borough" | "municipality" | "neighborhood"
        | "neighbourhood" | "suburb" | "territory" | "street" | "venue" | "ocean" | "sea"
        | "headquarters" | "headquarter" | "parish" | "prefecture" | "valley" | "peninsula" => {
            AnswerKind::Place
        }
        "year" | "date" | "day" | "month" | "decade" | "century" | "era" | "birthday"
        | "birthdate" | "period" | "time" => AnswerKind::Time,
        "number" | "population" | "age" | "percentage" | "percent" | "amount" | "height"
        | "length" | "distance" | "price" | "cost" | "temperature" | "weight" | "salary"
        | "elevation" | "depth" | "width" | "count" | "size" | "rate" | "speed" | "capacity"
        | "lifespan" | "total" | "share" | "sum" | "revenue" | "budget" | "limit" | "maximum"
        | "minimum" => AnswerKind::Quantity,
        word if is_person(word) => AnswerKind::Person,
        _ => return None,
    })
}

/// Nouns for people by office, trade or kinship, singular and lower case.
fn is_person(word: &str) -> bool {
    matches!(
        word,
        "person"
            | "man"
            | "woman"
            | "individual"
            | "actor"
            | "actress"
            | "director"
            | "singer"
            | "author"
            | "writer"
            | "president"
            | "king"
            | "queen"
            | "player"
            | "mother"
            | "father"
            | "wife"
            | "husband"
            | "spouse"
            | "child"
            | "son"
            | "daughter"
            | "brother"
            | "sister"
            | "sibling"
            | "politician"
            | "musician"
            | "composer"
            | "artist"
            | "painter"
            | "poet"
            | "novelist"
            | "producer"
            | "screenwriter"
            | "founder"
            | "owner"
            | "ceo"
            | "leader"
            | "coach"
            | "manager"
            | "mayor"
            | "governor"
            | "senator"
            | "minister"
            | "emperor"
            | "pope"
            | "bishop"
            | "scientist"
            | "physicist"
            | "chemist"
            | "engineer"
            | "architect"
            | "inventor"
            | "designer"
            | "performer"
            | "comedian"
            | "model"
            | "dancer"
            | "rapper"
            | "guitarist"
            | "drummer"
            | "pianist"
            | "bassist"
            | "vocalist"
            | "lyricist"
            | "host"
            | "presenter"
            | "journalist"
            | "editor"
            | "publisher"
            | "philosopher"
            | "historian"
            | "general"
            | "admiral"
            | "captain"
            | "commander"
            | "soldier"
            | "officer"
            | "lawyer"
            | "judge"
            | "athlete"
            | "footballer"
            | "quarterback"
            | "pitcher"
            | "grandfather"
            | "grandmother"
            | "grandson"
            | "granddaughter"
            | "uncle"
            | "aunt"
            | "cousin"
            | "nephew"
            | "niece"
            | "stepfather"
            | "stepmother"
            | "partner"
            | "father-in-law"
            | "mother-in-law"
            | "son-in-law"
            | "daughter-in-law"
            | "brother-in-law"
            | "sister-in-law"
            | "child-in-law"
            | "sibling-in-law"
            | "prince"
            | "princess"
            | "duke"
            | "chancellor"
            | "premier"
            | "secretary"
            | "chairman"
            | "chairperson"
            | "entrepreneur"
            | "cinematographer"
            | "maintainer"
            | "creator"
            | "parent"
    )
}

/// Nouns that stand right before a name to say what it is: `film X`, `the company X`.
pub(super) fn is_type_noun(word: &str) -> bool {
    let singular = singular(word);
    matches!(
        singular.as_str(),
        "film"
            | "movie"
            | "song"
            | "album"
            | "book"
            | "novel"
            | "band"
            | "group"
            | "company"
            | "show"
            | "series"
            | "single"
            | "play"
            | "opera"
            | "magazine"
            | "newspaper"
            | "game"
            | "team"
            | "club"
            | "university"
            | "school"
            | "college"
            | "river"
            | "lake"
            | "mountain"
            | "character"
            | "episode"
            | "poem"
            | "painting"
            | "ship"
            | "airline"
            | "airport"
            | "station"
            | "party"
            | "organization"
            | "organisation"
            | "language"
            | "genus"
            | "species"
            | "article"
            | "website"
            | "program"
            | "programme"
            | "project"
            | "function"
            | "module"
            | "tool"
            | "software"
            | "library"
            | "firm"
            | "studio"
            | "label"
            | "representative"
            | "lord"
            | "lady"
            | "sir"
    ) || kind_of(&singular).is_some_and(|k| matches!(k, AnswerKind::Person | AnswerKind::Place))
}

/// A rough singular: `cities` to `city`, `films` to `film`.
pub(super) fn singular(noun: &str) -> String {
    if let Some(stem) = noun
        .strip_suffix("ies")
        .filter(|s| s.len() > 2 && *s != "ser" && *s != "spec")
    {
        return format!("{stem}y");
    }
    match noun {
        "people" => return "person".to_owned(),
        "men" => return "man".to_owned(),
        "women" => return "woman".to_owned(),
        "children" => return "child".to_owned(),
        "wives" => return "wife".to_owned(),
        _ => {}
    }
    if noun.len() > 3
        && noun.ends_with('s')
        && !noun.ends_with("ss")
        && !noun.ends_with("us")
        && !noun.ends_with("series")
        && !noun.ends_with("species")
    {
        return noun[..noun.len() - 1].to_owned();
    }
    noun.to_owned()
}
