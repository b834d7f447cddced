//! Suffix sorting in linear time by induced sorting: SA-IS (Nong, Zhang and Chan, "Two Efficient
//! Algorithms for Linear Time Suffix Array Construction", IEEE Transactions on Computers, 2011).
//!
//! A suffix is of type S when it is smaller than the one after it, else L; leftmost S suffixes (LMS)
//! are sorted by naming the substrings between them and sorting the names, and the order of all
//! others follows from theirs in two passes. An end that is smaller than every symbol is implied.

use indago_core::{Cancel, Cancelled};

/// No suffix stands here yet.
const EMPTY: u32 = u32::MAX;
/// Steps between two looks at whether somebody cancelled.
const STEPS: usize = 1 << 22;

/// What texts are made of.
trait Symbol: Copy + Ord {
    fn index(self) -> usize;
}

impl Symbol for u8 {
    fn index(self) -> usize {
        usize::from(self)
    }
}

impl Symbol for u32 {
    fn index(self) -> usize {
        self as usize
    }
}

/// The starts of all suffixes of `text` in order, where a suffix that is the beginning of another
/// comes first. `text` must be shorter than 2^32 - 1.
pub(super) fn suffix_array(text: &[u8], cancel: &Cancel) -> Result<Vec<u32>, Cancelled> {
    let mut suffixes = vec![EMPTY; text.len()];
    sort(text, 256, &mut suffixes, cancel)?;
    Ok(suffixes)
}

/// Sorts the suffixes of `text`, whose symbols are below `symbols`, into `out` of the same length.
fn sort<S: Symbol>(
    text: &[S],
    symbols: usize,
    out: &mut [u32],
    cancel: &Cancel,
) -> Result<(), Cancelled> {
    let n = text.len();
    if n <= 1 {
        out.fill(0);
        return Ok(());
    }
    let mut counts = vec![0_u32; symbols];
    for symbol in text {
        counts[symbol.index()] += 1;
    }
    out.fill(EMPTY);
    let mut ends = bucket_ends(&counts);
    let mut n_lms = 0;
    for_each_lms(text, |at| {
        let end = &mut ends[text[at].index()];
        *end -= 1;
        out[*end as usize] = at as u32;
        n_lms += 1;
    });
    // Whatever the order of the LMS suffixes in a bucket, this sorts their LMS substrings.
    let s_starts = induce(text, &counts, out, cancel)?;
    if n_lms <= 1 {
        return Ok(());
    }
    let mut found = 0;
    for i in 0..n {
        let at = out[i] as usize;
        let is_lms = at > 0 && text[at - 1] > text[at] && i >= s_starts[text[at].index()] as usize;
        if is_lms {
            out[found] = at as u32;
            found += 1;
        }
    }
    let mut places = Vec::with_capacity(n_lms);
    let names = name(text, n_lms, out, &mut places);
    if names < n_lms {
        sort(&places, names, &mut out[..n_lms], cancel)?;
    } else {
        for (at, name) in places.iter().enumerate() {
            out[*name as usize] = at as u32;
        }
    }
    // The LMS suffixes by their place in the text, from the last to the first and turned round.
    places.clear();
    for_each_lms(text, |at| places.push(at as u32));
    places.reverse();
    for slot in &mut out[..n_lms] {
        *slot = places[*slot as usize];
    }
    drop(places);
    out[n_lms..].fill(EMPTY);
    let mut ends = bucket_ends(&counts);
    for i in (0..n_lms).rev() {
        let at = std::mem::replace(&mut out[i], EMPTY);
        let end = &mut ends[text[at as usize].index()];
        *end -= 1;
        out[*end as usize] = at;
    }
    induce(text, &counts, out, cancel)?;
    Ok(())
}

/// Names the sorted LMS substrings in `out[..n_lms]`, equal ones alike, by ascending numbers, and
/// puts the names into `places` in the order of the text. Gives the number of names.
fn name<S: Symbol>(text: &[S], n_lms: usize, out: &mut [u32], places: &mut Vec<u32>) -> usize {
    // No two LMS suffixes are neighbours, so half of a place is a slot of its own.
    let (sorted, by_place) = out.split_at_mut(n_lms);
    by_place.fill(EMPTY);
    let mut after = text.len();
    for_each_lms(text, |at| {
        // Up to and with the first symbol of the next; the last one ends behind the text, alone.
        by_place[at / 2] = (after + 1 - at) as u32;
        after = at;
    });
    let mut names = 0;
    let mut before: Option<&[S]> = None;
    for at in sorted.iter().map(|at| *at as usize) {
        let length = by_place[at / 2] as usize;
        let substring = text.get(at..at + length);
        if names == 0 || substring.is_none() || substring != before {
            names += 1;
        }
        before = substring;
        by_place[at / 2] = names as u32 - 1;
    }
    places.extend(by_place.iter().filter(|name| **name != EMPTY));
    names
}

/// Calls `take` with each LMS suffix, from the last to the first.
fn for_each_lms<S: Symbol>(text: &[S], mut take: impl FnMut(usize)) {
    let mut after_is_s = false;
    for i in (0..text.len().saturating_sub(1)).rev() {
        let is_s = text[i] < text[i + 1] || (text[i] == text[i + 1] && after_is_s);
        if after_is_s && !is_s {
            take(i + 1);
        }
        after_is_s = is_s;
    }
}

/// Where the bucket of each symbol ends.
fn bucket_ends(counts: &[u32]) -> Vec<u32> {
    let mut end = 0;
    let add = |count: &u32| {
        end += count;
        end
    };
    counts.iter().map(add).collect()
}

/// Sorts all suffixes by the LMS suffixes that stand at the ends of their buckets: L suffixes from
/// left to right, then S suffixes from right to left over them. Gives where the S suffixes of each
/// bucket begin.
fn induce<S: Symbol>(
    text: &[S],
    counts: &[u32],
    out: &mut [u32],
    cancel: &Cancel,
) -> Result<Vec<u32>, Cancelled> {
    let n = text.len();
    let mut heads = bucket_ends(counts);
    for (head, count) in heads.iter_mut().zip(counts) {
        *head -= count;
    }
    let mut put = |out: &mut [u32], at: usize| {
        let head = &mut heads[text[at].index()];
        out[*head as usize] = at as u32;
        *head += 1;
    };
    // What the implied end induces.
    put(out, n - 1);
    for from in (0..n).step_by(STEPS) {
        cancel.check()?;
        for i in from..n.min(from + STEPS) {
            let at = out[i];
            // What stands here is L or LMS, so an equal symbol before it is L as well.
            if at != EMPTY && at > 0 && text[at as usize - 1] >= text[at as usize] {
                put(out, at as usize - 1);
            }
        }
    }
    let mut ends = bucket_ends(counts);
    for until in (1..=n).rev().step_by(STEPS) {
        cancel.check()?;
        for i in (until.saturating_sub(STEPS)..until).rev() {
            let at = out[i];
            if at == EMPTY || at == 0 {
                continue;
            }
            let (before, own) = (text[at as usize - 1], text[at as usize]);
            // S suffixes of a bucket are filled in from its end, so this one is S if it stands there.
            let is_s = before < own || (before == own && i >= ends[own.index()] as usize);
            if is_s {
                let end = &mut ends[before.index()];
                *end -= 1;
                out[*end as usize] = at - 1;
            }
        }
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_comparing(text: &[u8]) -> Vec<u32> {
        let mut suffixes: Vec<u32> = (0..text.len() as u32).collect();
        suffixes.sort_by_key(|at| &text[*at as usize..]);
        suffixes
    }

    fn sorted(text: &[u8]) -> Vec<u32> {
        suffix_array(text, &Cancel::new()).unwrap()
    }

    #[test]
    fn known_texts_are_sorted() {
        // The example of the paper's section 3.
        let text = b"mmiissiissiippii";
        assert_eq!(
            sorted(text),
            [15, 14, 10, 6, 2, 11, 7, 3, 1, 0, 13, 12, 9, 5, 8, 4]
        );
        assert_eq!(sorted(b"banana"), [5, 3, 1, 0, 4, 2]);
        assert!(sorted(b"").is_empty());
        assert_eq!(sorted(b"a"), [0]);
    }

    #[test]
    fn texts_that_repeat_are_sorted() {
        let mut fibonacci = (vec![b'a'], vec![b'b', b'a']);
        while fibonacci.1.len() < 2000 {
            let next = [fibonacci.1.clone(), fibonacci.0].concat();
            fibonacci = (fibonacci.1, next);
        }
        let periodic: Vec<u8> = b"abcab".iter().copied().cycle().take(3001).collect();
        let falling: Vec<u8> = (0..=255).rev().cycle().take(1500).collect();
        for text in [fibonacci.1, periodic, falling, vec![7; 1000]] {
            assert_eq!(sorted(&text), by_comparing(&text));
        }
    }

    #[test]
    fn somebody_may_cancel() {
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(suffix_array(b"banana", &cancel).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn suffixes_stand_as_comparing_sorts_them(
            symbols in 1u8..6,
            text in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let few: Vec<u8> = text.iter().map(|byte| byte % symbols).collect();
            prop_assert_eq!(sorted(&few), by_comparing(&few));
            prop_assert_eq!(sorted(&text), by_comparing(&text));
        }
    }
}
