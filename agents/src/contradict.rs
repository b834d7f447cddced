//! Sources that disagree: quotes about the same thing that give different values for one fact.

use indago_core::{Claim, Contradiction, Date};

use crate::answer::{Attribute, Reading};

/// Facts that have one value, with their names.
const SINGLE: [(Attribute, &str); 2] = [
    (Attribute::BirthDate, "date of birth"),
    (Attribute::DeathDate, "date of death"),
];

/// Disagreements among `claims`, each pair once. Only quotes of different documents that introduce
/// the same name are compared.
pub(crate) fn contradictions(claims: &[&Claim]) -> Vec<Contradiction> {
    let facts: Vec<(String, &Claim, Vec<Option<Date>>)> = claims
        .iter()
        .filter_map(|claim| {
            let text = &claim.quotes().first()?.text;
            let name = indago_text::introduced_name(text)?;
            let reading = Reading::new(text);
            let dates = SINGLE
                .iter()
                .map(|(attribute, _)| reading.attribute(*attribute).first().and_then(|v| v.date))
                .collect();
            Some((indago_text::normalize_name(&name), *claim, dates))
        })
        .collect();
    let mut found = Vec::new();
    for (i, (name, claim, dates)) in facts.iter().enumerate() {
        for (other_name, other, other_dates) in facts.iter().skip(i + 1) {
            let document = |c: &Claim| c.quotes().first().map(|q| q.document.clone());
            if name != other_name || document(claim) == document(other) {
                continue;
            }
            for ((_, what), (a, b)) in SINGLE.iter().zip(dates.iter().zip(other_dates)) {
                if let (Some(a), Some(b)) = (a, b)
                    && differ(*a, *b)
                {
                    found.push(Contradiction {
                        about: format!("{what} of {name}: {a} or {b}"),
                        claims: vec![(*claim).clone(), (*other).clone()],
                    });
                }
            }
        }
    }
    found
}

/// Whether two dates cannot be the same day, given what is known of them.
fn differ(a: Date, b: Date) -> bool {
    let unlike = |x: Option<u8>, y: Option<u8>| matches!((x, y), (Some(x), Some(y)) if x != y);
    a.year != b.year || unlike(a.month, b.month) || unlike(a.day, b.day)
}
