//! When two different spellings name the same thing.

/// Score of two normalised names that are not equal, `None` when they should not be linked.
///
/// `unique` says that no other name in the index holds the words of `query`.
pub(super) fn loose(query: &str, entry: &str, unique: bool) -> Option<f32> {
    let q: Vec<&str> = query.split(' ').collect();
    let e: Vec<&str> = entry.split(' ').collect();
    let (short, long) = if q.len() < e.len() {
        (&q, &e)
    } else {
        (&e, &q)
    };
    if long.len() == short.len() || long.len() > short.len() + 3 {
        return None;
    }
    if short.len() >= 2 {
        // "Stephen Donaldson" and "Stephen R. Donaldson": a middle name is left out.
        let ends = short.first() == long.first() && short.last() == long.last();
        if ends && is_subsequence(short, long) {
            return Some(0.75);
        }
        // "King Lothair II" and "Lothair II", "Edward Baring 1st Baron Revelstoke" and "Edward
        // Baring": a title before or after. A shorter *entry* must be more than a common pair.
        if long.starts_with(short) || long.ends_with(short) {
            return Some(if unique || q.len() > e.len() {
                0.65
            } else {
                0.55
            });
        }
        return None;
    }
    // One word of several: only "Beethoven" for "Ludwig van Beethoven", never "Baring" as an entry
    // for "Henry Baring", and only when one name alone has it.
    let word = short.first()?;
    let is_surname = q.len() == 1
        && unique
        && word.chars().count() >= 5
        && e.last() == Some(word)
        && !e.iter().any(|other| indago_text::is_function_word(other));
    is_surname.then_some(0.6)
}

fn is_subsequence(short: &[&str], long: &[&str]) -> bool {
    let mut rest = long.iter();
    short.iter().all(|word| rest.any(|other| other == word))
}

#[cfg(test)]
mod tests {
    use super::loose;

    #[test]
    fn looser_forms_are_linked_and_lookalikes_are_not() {
        for (query, entry, unique, linked) in [
            ("stephen donaldson", "stephen r donaldson", false, true),
            ("king lothair ii", "lothair ii", false, true),
            (
                "edward baring 1st baron revelstoke",
                "edward baring",
                false,
                true,
            ),
            ("beethoven", "ludwig van beethoven", true, true),
            ("beethoven", "ludwig van beethoven", false, false),
            ("henry baring", "baring", true, false),
            ("kris benson", "kristin benson", true, false),
            ("anna benson", "kris benson", true, false),
            ("paris", "university of paris", true, false),
            ("dickinson", "emily dickinson", true, true),
        ] {
            assert_eq!(
                loose(query, entry, unique).is_some(),
                linked,
                "{query} / {entry}"
            );
        }
    }
}
