//! Which passages the finding stands on.

use indago_core::PassageId;

use crate::pool::Pool;

/// Selection stops when the probability that is left outside falls below this.
const LEFT_OUT: f64 = 0.0;

/// At most `documents` passages, most probable first: as few as leave little probability outside.
pub(crate) fn select(pool: &Pool, documents: usize) -> Vec<PassageId> {
    let order = pool.best(pool.len());
    let mut rest: f64 = pool.iter().map(|c| c.p).sum();
    let mut chosen: Vec<PassageId> = Vec::new();
    let mut seen: Vec<&indago_core::DocumentId> = Vec::new();
    for id in order {
        if rest < LEFT_OUT {
            break;
        }
        let Some(candidate) = pool.get(id) else {
            continue;
        };
        rest -= candidate.p;
        let document = &candidate.passage.document;
        if !seen.contains(&document) {
            if seen.len() >= documents {
                continue;
            }
            seen.push(document);
        }
        chosen.push(id);
        if chosen.len() >= 2 * documents {
            break;
        }
    }
    chosen
}
