//! Sparse vectors as inverted lists in compressed blocks, and their dot products with a query.
//!
//! ```text
//! list    number of postings u32, scale f32, blocks
//! block   last document u32, postings - 1 u8, bytes a step 1, 2 or 4 u8, largest code u8,
//!         unused u8; steps from the document before, then one code a posting
//! ```
//! A weight is `scale * code` with codes up to 255, so its error is at most half of 1/255 of the
//! list's largest weight. Blocks of 128 postings carry what a search needs to pass them by.
//!
//! [`top_k`] adds weights up term by term in windows of documents; a term's largest weight bounds
//! what it can add, and the lists that together cannot lift a document to the `k`-th best are only
//! looked at where the lists before them have brought one near (MaxScore: Turtle and Flood 1995).

use indago_core::Cancel;

use crate::scan::{Best, ScanError, Scored};

/// Postings in a full block.
const BLOCK: usize = 128;
const LIST_HEADER: usize = 8;
const BLOCK_HEADER: usize = 8;
/// Documents per window: 64 KB of sums.
const WINDOW: usize = 1 << 14;
/// Above the rounding of a sum of a thousand weights.
const SLACK: f32 = 1.0 + 1e-3;

/// Postings that were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostingsError {
    /// Documents must ascend.
    #[error("posting {0} does not come after the document before it")]
    Order(usize),
    /// Weights must be numbers from 0 up.
    #[error("the weight of posting {0} is not a finite number from 0 up")]
    Weight(usize),
    /// Bytes that are no list.
    #[error("damaged posting list at byte {0}")]
    Damaged(usize),
}

/// Appends the encoded list of `(document, weight)` to `out`.
///
/// # Errors
/// When documents do not ascend or a weight is negative or not finite.
pub fn encode(postings: &[(u32, f32)], out: &mut Vec<u8>) -> Result<(), PostingsError> {
    let mut peak = 0.0_f32;
    for (i, &(document, weight)) in postings.iter().enumerate() {
        if i > 0 && postings[i - 1].0 >= document {
            return Err(PostingsError::Order(i));
        }
        if !(weight.is_finite() && weight >= 0.0) {
            return Err(PostingsError::Weight(i));
        }
        peak = peak.max(weight);
    }
    let scale = if peak > 1e-30 { peak / 255.0 } else { 0.0 };
    let inverse = if peak > 1e-30 { 255.0 / peak } else { 0.0 };
    out.extend((postings.len() as u32).to_le_bytes());
    out.extend(scale.to_le_bytes());
    let mut before = 0;
    for block in postings.chunks(BLOCK) {
        let mut steps = [0_u32; BLOCK];
        for (step, &(document, _)) in steps.iter_mut().zip(block) {
            *step = document - before;
            before = document;
        }
        let steps = &steps[..block.len()];
        let widest = steps.iter().copied().max().unwrap_or(0);
        let width = match widest {
            0..=0xff => 1,
            0x100..=0xffff => 2,
            _ => 4,
        };
        let code = |weight: f32| (weight * inverse).round_ties_even() as u8;
        let largest = block.iter().map(|p| code(p.1)).max().unwrap_or(0);
        out.extend(before.to_le_bytes());
        out.extend([(block.len() - 1) as u8, width, largest, 0]);
        for step in steps {
            out.extend(&step.to_le_bytes()[..usize::from(width)]);
        }
        out.extend(block.iter().map(|posting| code(posting.1)));
    }
    Ok(())
}

/// An encoded list whose blocks have been found to fit each other.
#[derive(Clone, Copy, Debug)]
pub struct Postings<'a> {
    blocks: &'a [u8],
    len: u32,
    scale: f32,
    largest: u8,
}

#[derive(Clone, Copy)]
struct Block<'a> {
    last: u32,
    width: usize,
    steps: &'a [u8],
    codes: &'a [u8],
    largest: u8,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

/// The first block of `bytes` and what comes behind it.
fn split_block(bytes: &[u8]) -> Option<(Block<'_>, &[u8])> {
    let (header, rest) = bytes.split_at_checked(BLOCK_HEADER)?;
    let n = usize::from(header[4]) + 1;
    let width = usize::from(header[5]);
    if n > BLOCK || !matches!(width, 1 | 2 | 4) {
        return None;
    }
    let (steps, rest) = rest.split_at_checked(n * width)?;
    let (codes, rest) = rest.split_at_checked(n)?;
    let block = Block {
        last: u32_at(header, 0)?,
        width,
        steps,
        codes,
        largest: header[6],
    };
    Some((block, rest))
}

impl Block<'_> {
    /// Calls `found(document, code)` for each posting; `before` is the last document of the block
    /// before.
    #[inline]
    fn each(&self, before: u32, mut found: impl FnMut(u32, u8)) {
        let mut document = before;
        let mut go = |step: u32, code: u8| {
            document = document.wrapping_add(step);
            found(document, code);
        };
        match self.width {
            1 => (self.steps.iter().zip(self.codes)).for_each(|(&s, &c)| go(u32::from(s), c)),
            2 => {
                let (steps, _) = self.steps.as_chunks::<2>();
                let steps = steps.iter().map(|s| u32::from(u16::from_le_bytes(*s)));
                steps.zip(self.codes).for_each(|(s, &c)| go(s, c));
            }
            _ => {
                let (steps, _) = self.steps.as_chunks::<4>();
                let steps = steps.iter().map(|s| u32::from_le_bytes(*s));
                steps.zip(self.codes).for_each(|(s, &c)| go(s, c));
            }
        }
    }
}

impl<'a> Postings<'a> {
    /// Reads the list at the beginning of `bytes`; also gives what comes behind it. Looks at each
    /// block's header and steps once.
    ///
    /// # Errors
    /// When lengths, order or block maxima do not fit.
    pub fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), PostingsError> {
        let damaged = |rest: &[u8]| PostingsError::Damaged(bytes.len() - rest.len());
        let len = u32_at(bytes, 0).ok_or(PostingsError::Damaged(0))?;
        let scale = u32_at(bytes, 4).map(f32::from_bits);
        let scale = scale.ok_or(PostingsError::Damaged(4))?;
        if !(scale.is_finite() && scale >= 0.0) {
            return Err(PostingsError::Damaged(4));
        }
        let blocks = &bytes[LIST_HEADER..];
        let (mut rest, mut found, mut before, mut largest) = (blocks, 0_u32, None, 0);
        while found < len {
            let (block, behind) = split_block(rest).ok_or_else(|| damaged(rest))?;
            let (mut ascends, mut top, mut previous) = (true, 0, before);
            block.each(before.unwrap_or(0), |document, code| {
                ascends &= previous.is_none_or(|previous| document > previous);
                previous = Some(document);
                top = top.max(code);
            });
            let n = block.codes.len() as u32;
            let full = n as usize == BLOCK || found + n == len;
            if !ascends || previous != Some(block.last) || top != block.largest || !full {
                return Err(damaged(rest));
            }
            largest = largest.max(top);
            found += n;
            before = previous;
            rest = behind;
        }
        if found != len {
            return Err(damaged(rest));
        }
        let list = Self {
            blocks: &blocks[..blocks.len() - rest.len()],
            len,
            scale,
            largest,
        };
        Ok((list, rest))
    }

    /// Number of postings.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are no postings.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The largest weight.
    pub fn largest(&self) -> f32 {
        self.scale * f32::from(self.largest)
    }

    /// All postings, as `(document, weight)`.
    pub fn to_vec(&self) -> Vec<(u32, f32)> {
        let mut postings = Vec::with_capacity(self.len());
        let (mut rest, mut before) = (self.blocks, 0);
        while let Some((block, behind)) = split_block(rest) {
            block.each(before, |document, code| {
                postings.push((document, self.scale * f32::from(code)));
            });
            (rest, before) = (behind, block.last);
        }
        postings
    }
}

/// A list of a query, read front to back.
struct Cursor<'a> {
    rest: &'a [u8],
    before: u32,
    /// Query weight times the list's scale.
    factor: f32,
    /// Bound of what the list adds to a document.
    bound: f32,
}

impl Cursor<'_> {
    /// Adds the list's part to the sums of the documents from `first` on. With `near` (ascending),
    /// blocks without any of those are passed by.
    fn add(&mut self, first: u32, sums: &mut [f32], near: Option<&[u32]>) {
        let end = u64::from(first) + sums.len() as u64;
        let mut near = near;
        while let Some((block, behind)) = split_block(self.rest) {
            if block.last >= first {
                let wanted = match &mut near {
                    None => true,
                    Some(near) => {
                        let passed = near.partition_point(|&document| document <= self.before);
                        // The very first document may be 0, which is not behind `before`.
                        let passed = if self.before == 0 { 0 } else { passed };
                        *near = &near[passed..];
                        near.first().is_some_and(|&document| document <= block.last)
                    }
                };
                if wanted {
                    block.each(self.before, |document, code| {
                        // Documents before the window wrap round and are beyond its end.
                        let at = document.wrapping_sub(first) as usize;
                        if let Some(sum) = sums.get_mut(at) {
                            *sum += self.factor * f32::from(code);
                        }
                    });
                }
            }
            // A block may reach into the next window.
            if u64::from(block.last) >= end {
                return;
            }
            (self.rest, self.before) = (behind, block.last);
        }
    }
}

/// The best `k` documents by the sum of `query weight * weight` over the lists, best first, ties by
/// ascending document. Documents that share nothing with the query are left out.
///
/// `n_documents`: one more than the largest document. Lists whose query weight is not a positive
/// finite number are left out. A score does not depend on `k`, `keep` or pruning: lists are added
/// in one order. Reads about 2 to 3 bytes a posting; runs on the calling thread. Twin:
/// [`crate::reference::sparse_scores`].
///
/// # Errors
/// When cancelled.
pub fn top_k(
    lists: &[(Postings<'_>, f32)],
    n_documents: u32,
    k: usize,
    keep: impl Fn(u32) -> bool,
    cancel: &Cancel,
) -> Result<Vec<Scored>, ScanError> {
    cancel.check()?;
    let mut cursors: Vec<Cursor<'_>> = Vec::with_capacity(lists.len());
    for (list, weight) in lists {
        if weight.is_finite() && *weight > 0.0 {
            cursors.push(Cursor {
                rest: list.blocks,
                before: 0,
                factor: weight * list.scale,
                bound: weight * list.largest(),
            });
        }
    }
    cursors.sort_by(|a, b| b.bound.total_cmp(&a.bound));
    let mut rest = vec![0.0; cursors.len() + 1];
    for (i, cursor) in cursors.iter().enumerate().rev() {
        rest[i] = rest[i + 1] + cursor.bound * SLACK;
    }
    let mut best = Best::new(k);
    let mut sums = vec![0.0_f32; WINDOW.min(n_documents as usize)];
    let mut near: Vec<u32> = Vec::new();
    for first in (0..if k == 0 { 0 } else { n_documents }).step_by(WINDOW) {
        cancel.check()?;
        let sums = &mut sums[..WINDOW.min((n_documents - first) as usize)];
        // Only more than the worst kept counts, since later documents lose ties.
        let bar = best.bar();
        let bar = if bar.is_nan() { 0.0 } else { bar };
        let split = rest.partition_point(|rest| *rest > bar).min(cursors.len());
        if split == 0 {
            break;
        }
        let (heavy, light) = cursors.split_at_mut(split);
        for cursor in heavy {
            cursor.add(first, sums, None);
        }
        if !light.is_empty() {
            near.clear();
            let reach = bar - rest[split];
            let documents = (first..).zip(sums.iter());
            near.extend(
                documents.filter_map(|(d, sum)| (*sum > 0.0 && *sum >= reach).then_some(d)),
            );
            for cursor in light {
                cursor.add(first, sums, Some(&near));
            }
            // Of the others some lists may have been passed by.
            let mut near = near.iter().map(|d| (d - first) as usize).peekable();
            for (i, sum) in sums.iter_mut().enumerate() {
                if near.next_if_eq(&i).is_none() {
                    *sum = 0.0;
                }
            }
        }
        best.offer_all(first as usize, sums, &|row| {
            sums_keep(row, first, sums, &keep)
        });
        sums.fill(0.0);
    }
    Ok(best.into_sorted())
}

/// Whether a document shares something with the query and passes the caller's filter.
fn sums_keep(row: usize, first: u32, sums: &[f32], keep: &impl Fn(u32) -> bool) -> bool {
    sums[row - first as usize] > 0.0 && keep(row as u32)
}
