//! Words that order things: older, first, more recently, largest.

use super::parse::Parse;
use super::{Direction, Ordering, Scale};

/// The ordering the question asks for; `compares` when it names things to choose from.
pub(super) fn ordering(parse: &Parse<'_>, compares: bool) -> Option<Ordering> {
    let mut found: Option<Ordering> = None;
    for i in 0..parse.len() {
        let word = parse.plain(i);
        let Some((direction, mut scale)) = meaning(parse, i, compares) else {
            continue;
        };
        let born = (0..parse.len()).any(|j| matches!(parse.plain(j), "born" | "birth"));
        if scale == Scale::Time && born {
            scale = Scale::Birth;
        }
        // `lived longer` before `first`; otherwise the first word wins.
        if found.is_none() {
            found = Some(Ordering {
                word: word.to_owned(),
                direction,
                scale,
            });
        }
    }
    found
}

fn meaning(parse: &Parse<'_>, i: usize, compares: bool) -> Option<(Direction, Scale)> {
    use Direction::{Least, Most};
    use Scale::{Amount, Birth, Time};
    let next = parse.lower(i + 1);
    Some(match parse.plain(i) {
        "older" | "oldest" | "elder" | "eldest" => (Least, Birth),
        "younger" | "youngest" => (Most, Birth),
        "earlier" | "earliest" | "sooner" | "soonest" => (Least, Time),
        "later" | "latest" | "newer" | "newest" => (Most, Time),
        "first" if compares || stands_alone(parse, i) => (Least, Time),
        "last" if compares || stands_alone(parse, i) => (Most, Time),
        "before" if compares => (Least, Time),
        "after" if compares => (Most, Time),
        "more" | "most" if matches!(next, "recent" | "recently") => (Most, Time),
        "more" | "most" if compares || !next.is_empty() && parse.plain(i) == "most" => {
            (Most, Amount)
        }
        "longer" | "longest" | "larger" | "largest" | "bigger" | "biggest" | "higher"
        | "highest" | "taller" | "tallest" | "greater" | "greatest" | "farther" | "further"
        | "heavier" | "heaviest" | "faster" | "fastest" | "richest" | "deepest" | "widest" => {
            (Most, Amount)
        }
        "smaller" | "smallest" | "fewer" | "fewest" | "lower" | "lowest" | "shorter"
        | "shortest" | "lesser" | "slower" | "slowest" | "nearest" | "closest" => (Least, Amount),
        "less" | "least" if compares => (Least, Amount),
        _ => return None,
    })
}

/// Whether nothing follows that the word could describe: `came out first?`, `first, A or B`.
fn stands_alone(parse: &Parse<'_>, i: usize) -> bool {
    i + 1 == parse.len()
        || parse
            .gap(i)
            .trim_start()
            .starts_with([',', ':', '?', ';', '.'])
}
