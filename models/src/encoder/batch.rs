//! Cuts many texts into pieces of work of about equal cost, and hands these to the cores.

use indago_core::ports::EncodeError;
use rayon::prelude::*;

use super::forward::ROWS_A_THREAD;

/// Tokens per piece of work. Enough rows to use each weight that was read many times, few enough
/// that the cores finish together and cancelling is prompt (about 50 ms on one core).
const TOKENS: usize = 256;

/// Groups of positions in `lengths`, longest sequences first, so that the last groups to be worked
/// on are cheap. Sequences of length 0 are left out.
pub(super) fn groups(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).filter(|&i| lengths[i] > 0).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lengths[i]), i));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for i in order {
        if let Some(group) = groups.last_mut()
            && lengths[i] <= room
        {
            group.push(i);
            room -= lengths[i];
        } else {
            groups.push(vec![i]);
            room = TOKENS.saturating_sub(lengths[i]);
        }
    }
    groups
}

/// Runs `work` for each of `groups` (of sequences with `lengths` tokens) with the number of threads
/// that it may share its work among. Several groups go side by side, each on one thread. One that is
/// alone gets all threads if it is long enough, unless the caller is a thread of the pool: then it
/// is one of several pieces of work itself, and the others are busy.
pub(super) fn for_each<T: Send>(
    groups: &[Vec<usize>],
    lengths: &[usize],
    work: impl Fn(&[usize], usize) -> Result<T, EncodeError> + Sync,
) -> Result<Vec<T>, EncodeError> {
    if let [group] = groups {
        let tokens: usize = group.iter().map(|&i| lengths[i]).sum();
        let threads = rayon::current_num_threads();
        let alone = rayon::current_thread_index().is_none();
        let made = if alone && threads > 1 && tokens >= 2 * ROWS_A_THREAD {
            // Into the pool once, and not at each of its meetings.
            rayon::scope(|_| work(group, threads))
        } else {
            work(group, 1)
        };
        return Ok(vec![made?]);
    }
    groups
        .par_iter()
        .with_max_len(1)
        .map(|group| work(group, 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_each_sequence_once_and_no_more_tokens_than_allowed() {
        let lengths: Vec<usize> = (0..300).map(|i| i * 7 % 257).collect();
        let groups = groups(&lengths);
        let mut seen: Vec<usize> = groups.iter().flatten().copied().collect();
        seen.sort_unstable();
        let expected: Vec<usize> = (0..300).filter(|&i| lengths[i] > 0).collect();
        assert_eq!(seen, expected);
        for group in &groups {
            let tokens: usize = group.iter().map(|&i| lengths[i]).sum();
            assert!(tokens <= TOKENS || group.len() == 1);
        }
        let costs: Vec<usize> = groups.iter().map(|group| lengths[group[0]]).collect();
        assert!(costs.is_sorted_by(|a, b| a >= b));
    }
}
