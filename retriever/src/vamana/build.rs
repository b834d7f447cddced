//! Making a graph, and bringing one up to date.

use indago_core::Cancel;
use indago_kernels::gather::{QueryCodes, scores_i8_at};
use indago_kernels::scan::ScanError;
use indago_kernels::{RowsI8, ShapeError};
use rayon::prelude::*;

use super::walk::Walker;
use super::{Adjacency, Graph, MAX_ENTRIES, NONE, Near};

/// How dense the graph becomes and how long that takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Most links of a row, at least 4.
    pub degree: usize,
    /// Beam of the walk that finds the neighbours of a new row.
    pub beam: usize,
    /// A near row is left out when a kept one is nearer to it by this factor; above 1 it keeps long
    /// links, so that walks are short.
    pub alpha: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            degree: 48,
            beam: 96,
            alpha: 1.2,
        }
    }
}

/// A batch is at most this part of the rows that are in the graph.
const BATCH_PART: usize = 50;

/// A graph over `members` (rows of `rows`, each at most once).
///
/// # Errors
/// When cancelled, or a member is beyond the last row.
pub fn build(
    rows: RowsI8<'_>,
    members: &[u32],
    params: Params,
    cancel: &Cancel,
) -> Result<Graph, ScanError> {
    let mut making = Making::new(rows, params);
    making.insert(members, cancel)?;
    making.finish(cancel)
}

/// A graph over `members` that starts from an older one over other rows: `now[i]` is the row that
/// the older graph's row `i` became, `None` when it is gone.
///
/// # Errors
/// As [`build`].
pub fn update(
    rows: RowsI8<'_>,
    members: &[u32],
    old: &Graph,
    now: &[Option<u32>],
    params: Params,
    cancel: &Cancel,
) -> Result<Graph, ScanError> {
    let mut making = Making::new(rows, params);
    let fresh = making.carry_over(members, old, now, cancel)?;
    making.insert(&fresh, cancel)?;
    making.finish(cancel)
}

struct Making<'a> {
    rows: RowsI8<'a>,
    params: Params,
    /// `[rows, room]`: half as many again as the degree, so that few links cost a pruning.
    links: Vec<u32>,
    counts: Vec<u32>,
    room: usize,
    inserted: usize,
    entries: Vec<u32>,
}

impl Adjacency for Making<'_> {
    fn links(&self, row: u32, out: &mut Vec<u32>) {
        out.clear();
        out.extend(self.of(row));
    }
}

/// Spreads numbers evenly and always alike (Steele et al. 2014, "SplitMix").
fn spread(x: u32) -> u64 {
    let mut z = u64::from(x).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl<'a> Making<'a> {
    fn new(rows: RowsI8<'a>, params: Params) -> Self {
        let degree = params.degree.max(4);
        let room = degree + degree / 2;
        Self {
            rows,
            params: Params { degree, ..params },
            links: vec![NONE; rows.len() * room],
            counts: vec![0; rows.len()],
            room,
            inserted: 0,
            entries: Vec::new(),
        }
    }

    fn of(&self, row: u32) -> &[u32] {
        let start = row as usize * self.room;
        let count = self.counts.get(row as usize).copied().unwrap_or(0);
        self.links.get(start..start + count as usize).unwrap_or(&[])
    }

    fn set(&mut self, row: u32, links: &[u32]) {
        let start = row as usize * self.room;
        self.links[start..start + links.len()].copy_from_slice(links);
        self.counts[row as usize] = links.len() as u32;
    }

    /// Inserts rows in batches, in an order that has nothing to do with theirs.
    fn insert(&mut self, members: &[u32], cancel: &Cancel) -> Result<(), ScanError> {
        if let Some(&beyond) = members.iter().find(|&&m| m as usize >= self.rows.len()) {
            return Err(ScanError::Shape(ShapeError {
                what: "row",
                found: beyond as usize,
                expected: self.rows.len(),
            }));
        }
        let mut order = members.to_vec();
        order.sort_unstable_by_key(|&row| (spread(row), row));
        let total = self.inserted + order.len();
        let wanted = total.isqrt().clamp(1, MAX_ENTRIES).min(total);
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            cancel.check()?;
            let size = (self.inserted / BATCH_PART).clamp(1, rest.len());
            let (batch, others) = rest.split_at(size);
            rest = others;
            if self.inserted > 0 {
                self.insert_batch(batch)?;
            }
            self.inserted += batch.len();
            let missing = wanted.saturating_sub(self.entries.len());
            self.entries.extend(batch.iter().take(missing));
        }
        Ok(())
    }

    fn insert_batch(&mut self, batch: &[u32]) -> Result<(), ScanError> {
        let this = &*self;
        let made: Vec<Vec<u32>> = batch
            .par_iter()
            .map_init(Scratch::default, |scratch, &row| -> Result<_, ShapeError> {
                let Scratch { walker, prune } = scratch;
                prune.query.set_row(this.rows, row as usize)?;
                walker.walk(
                    this.rows,
                    this,
                    &this.entries,
                    &prune.query,
                    this.params.beam,
                )?;
                prune.near.clear();
                prune.near.extend(walker.followed());
                prune.run(this.rows, row, this.params)
            })
            .collect::<Result<_, _>>()?;
        let mut back: Vec<(u32, u32)> = Vec::new();
        for (&row, links) in batch.iter().zip(&made) {
            back.extend(links.iter().map(|&link| (link, row)));
            self.set(row, links);
        }
        back.sort_unstable();
        let groups: Vec<&[(u32, u32)]> = back.chunk_by(|a, b| a.0 == b.0).collect();
        let this = &*self;
        let changed: Vec<(u32, Vec<u32>)> = groups
            .par_iter()
            .map_init(Pruning::default, |prune, group| {
                let row = group[0].0;
                let known = this.of(row);
                let newcomers = group.iter().map(|&(_, new)| new);
                let mut links = known.to_vec();
                links.extend(newcomers.filter(|new| !known.contains(new)));
                if links.len() > this.room {
                    links = prune.again(this.rows, row, &links, this.params)?;
                }
                Ok((row, links))
            })
            .collect::<Result<_, ShapeError>>()?;
        for (row, links) in changed {
            self.set(row, &links);
        }
        Ok(())
    }

    /// Takes over what is left of an older graph; gives the members that it lacks.
    fn carry_over(
        &mut self,
        members: &[u32],
        old: &Graph,
        now: &[Option<u32>],
        cancel: &Cancel,
    ) -> Result<Vec<u32>, ScanError> {
        cancel.check()?;
        let mut is_member = vec![false; self.rows.len()];
        for &row in members {
            if let Some(member) = is_member.get_mut(row as usize) {
                *member = true;
            }
        }
        let place = |row: u32| {
            let row = now.get(row as usize).copied().flatten()?;
            (is_member.get(row as usize) == Some(&true)).then_some(row)
        };
        let linked = |row: u32, out: &mut Vec<u32>| old.links(row, out);
        let this = &*self;
        let carried: Vec<(u32, Vec<u32>)> = (0..now.len() as u32)
            .into_par_iter()
            .filter_map(|row| place(row).map(|new| (row, new)))
            .map_init(Pruning::default, |prune, (row, new)| {
                let (mut links, mut beyond) = (Vec::new(), Vec::new());
                linked(row, &mut links);
                let mut kept: Vec<u32> = links.iter().filter_map(|&l| place(l)).collect();
                // What a row that is gone was linked to takes its place.
                for &gone in links.iter().filter(|&&l| place(l).is_none()) {
                    linked(gone, &mut beyond);
                    kept.extend(beyond.iter().filter_map(|&l| place(l)));
                }
                kept.retain(|&link| link != new);
                kept.sort_unstable();
                kept.dedup();
                if kept.len() > this.params.degree {
                    kept = prune.again(this.rows, new, &kept, this.params)?;
                }
                Ok((new, kept))
            })
            .collect::<Result<_, ShapeError>>()?;
        let alone = carried.len() == 1;
        for (row, links) in carried {
            // A row that nothing links to any more is inserted anew.
            if alone || !links.is_empty() {
                self.set(row, &links);
                is_member[row as usize] = false;
                self.inserted += 1;
            }
        }
        // An entry must be in the graph already.
        let entries = old.entries.iter().filter_map(|&e| {
            let row = now.get(e as usize).copied().flatten()?;
            (is_member.get(row as usize) == Some(&false)).then_some(row)
        });
        self.entries = entries.collect();
        if self.entries.is_empty() {
            // Without an entry nothing can be reached: everything is inserted anew.
            self.counts.fill(0);
            self.inserted = 0;
            return Ok(members.to_vec());
        }
        Ok(members
            .iter()
            .copied()
            .filter(|&row| is_member.get(row as usize) == Some(&true))
            .collect())
    }

    /// Cuts every row to its degree and moves all to where the graph has them, in the memory that
    /// they are in: links are the most that making a graph needs beside the rows.
    fn finish(self, cancel: &Cancel) -> Result<Graph, ScanError> {
        cancel.check()?;
        let Self {
            rows,
            params,
            mut links,
            mut counts,
            room,
            entries,
            ..
        } = self;
        links
            .par_chunks_mut(room)
            .zip(&mut counts)
            .enumerate()
            .filter(|(_, (_, count))| **count as usize > params.degree)
            .map_init(Pruning::default, |prune, (row, (links, count))| {
                let known = &links[..*count as usize];
                let kept = prune.again(rows, row as u32, known, params)?;
                links[..kept.len()].copy_from_slice(&kept);
                *count = kept.len() as u32;
                Ok(())
            })
            .collect::<Result<(), ShapeError>>()?;
        let degree = params.degree;
        for (row, &count) in counts.iter().enumerate() {
            let (from, to, count) = (row * room, row * degree, count as usize);
            links.copy_within(from..from + count, to);
            links[to + count..to + degree].fill(NONE);
        }
        links.truncate(rows.len() * degree);
        links.shrink_to_fit();
        Ok(Graph {
            degree,
            links,
            entries,
        })
    }
}

#[derive(Default)]
struct Scratch {
    walker: Walker,
    prune: Pruning,
}

/// Chooses among near rows those that lead in different directions.
#[derive(Default)]
struct Pruning {
    query: QueryCodes,
    near: Vec<Near>,
    rows: Vec<u32>,
    scores: Vec<f32>,
    sums: Vec<i32>,
}

impl Pruning {
    /// Chooses among `links` of `row`.
    fn again(
        &mut self,
        rows: RowsI8<'_>,
        row: u32,
        links: &[u32],
        params: Params,
    ) -> Result<Vec<u32>, ShapeError> {
        self.query.set_row(rows, row as usize)?;
        self.scores.resize(links.len(), 0.0);
        scores_i8_at(rows, &self.query, links, &mut self.sums, &mut self.scores)?;
        self.near.clear();
        let scored = links.iter().zip(&self.scores);
        self.near
            .extend(scored.map(|(&row, &score)| Near { row, score }));
        self.run(rows, row, params)
    }

    /// Chooses among `self.near`, at most the degree: the nearest, then the nearest that is not
    /// much nearer to one chosen before than to `row`.
    fn run(&mut self, rows: RowsI8<'_>, row: u32, params: Params) -> Result<Vec<u32>, ShapeError> {
        self.near.retain(|near| near.row != row);
        self.near.sort_unstable_by(Near::order);
        let mut chosen = Vec::with_capacity(params.degree);
        let mut rest = std::mem::take(&mut self.near);
        while !rest.is_empty() && chosen.len() < params.degree {
            let best = rest.remove(0);
            chosen.push(best.row);
            self.query.set_row(rows, best.row as usize)?;
            self.rows.clear();
            self.rows.extend(rest.iter().map(|near| near.row));
            self.scores.resize(self.rows.len(), 0.0);
            scores_i8_at(
                rows,
                &self.query,
                &self.rows,
                &mut self.sums,
                &mut self.scores,
            )?;
            let mut scores = self.scores.iter();
            rest.retain(|near| {
                let between = 1.0 - scores.next().copied().unwrap_or(0.0);
                params.alpha * between > 1.0 - near.score
            });
        }
        rest.clear();
        self.near = rest;
        Ok(chosen)
    }
}
