//! Where a reader is in something long, and a bounded list that grows.

use std::collections::VecDeque;

/// A position in content of changing length. Whoever reads stays where they are when content is
/// added; only a reader at the end follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scroll {
    /// First line shown, from 0.
    pub(crate) top: usize,
    /// Whether the end stays in sight.
    pub(crate) follow: bool,
}

impl Scroll {
    /// At the beginning, staying there.
    pub(crate) const TOP: Self = Self {
        top: 0,
        follow: false,
    };

    /// Moves by `lines`, given what there is and what is in sight.
    pub(crate) fn by(&mut self, lines: isize, content: usize, sight: usize) {
        let last = content.saturating_sub(sight);
        let from = if self.follow {
            last
        } else {
            self.top.min(last)
        };
        self.top = from.saturating_add_signed(lines).min(last);
        self.follow = self.follow && self.top == last || lines > 0 && self.top == last && last > 0;
    }

    /// To the beginning.
    pub(crate) fn first(&mut self) {
        *self = Self::TOP;
    }

    /// To the end, following it.
    pub(crate) fn last(&mut self) {
        self.follow = true;
    }

    /// The first line to show.
    pub(crate) fn line(&self, content: usize, sight: usize) -> usize {
        let last = content.saturating_sub(sight);
        if self.follow {
            last
        } else {
            self.top.min(last)
        }
    }
}

/// Keeps line `selected` in sight: the first line to show, given the one shown before.
pub(crate) fn keep_in_sight(top: usize, selected: usize, sight: usize, content: usize) -> usize {
    let sight = sight.max(1);
    let top = if selected < top {
        selected
    } else if selected >= top + sight {
        selected + 1 - sight
    } else {
        top
    };
    top.min(content.saturating_sub(sight))
}

/// The newest entries of a list that only grows, by their number from 0.
#[derive(Clone, Debug)]
pub(crate) struct Recent<T> {
    entries: VecDeque<T>,
    dropped: usize,
    most: usize,
}

impl<T> Recent<T> {
    /// Keeps the newest `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            dropped: 0,
            most: most.max(1),
        }
    }

    /// Adds an entry; the oldest goes when there is no room.
    pub(crate) fn push(&mut self, entry: T) {
        if self.entries.len() == self.most {
            self.entries.pop_front();
            self.dropped += 1;
        }
        self.entries.push_back(entry);
    }

    /// How many there were in all.
    pub(crate) fn total(&self) -> usize {
        self.dropped + self.entries.len()
    }

    /// How many of the oldest are gone.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped
    }

    /// Those kept, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.entries.iter()
    }

    /// The entry of a number; `None` when it is gone or not there yet.
    pub(crate) fn get(&self, number: usize) -> Option<&T> {
        self.entries.get(number.checked_sub(self.dropped)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_not_moved_and_a_follower_is() {
        let mut reader = Scroll::TOP;
        reader.last();
        reader.by(-3, 100, 10);
        assert_eq!((reader.line(100, 10), reader.line(500, 10)), (87, 87));
        reader.by(3, 100, 10);
        assert_eq!(reader.line(500, 10), 490);
        let mut top = Scroll::TOP;
        top.by(-1, 100, 10);
        assert_eq!(top.line(100, 10), 0);
    }

    #[test]
    fn the_newest_are_kept_and_all_are_counted() {
        let mut recent = Recent::new(3);
        (0..10).for_each(|n| recent.push(n));
        assert_eq!(recent.total(), 10);
        assert_eq!(recent.iter().copied().collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!((recent.get(6), recent.get(8)), (None, Some(&8)));
    }

    #[test]
    fn what_is_selected_stays_in_sight() {
        assert_eq!(keep_in_sight(0, 25, 10, 100), 16);
        assert_eq!(keep_in_sight(50, 25, 10, 100), 25);
        assert_eq!(keep_in_sight(20, 25, 10, 100), 20);
        assert_eq!(keep_in_sight(20, 0, 0, 0), 0);
    }
}
