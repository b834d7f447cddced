//! Which passages the finding stands on.

use indago_core::PassageId;

use crate::pool::Pool;

/// Passages that are quoted however improbable they are, so that a "not found" can show how near
/// the corpus comes.
const ALWAYS: usize = 2;

/// Passages of at most `documents` documents, most probable first: the best two, and what has at
/// least the probability `least`.
pub(crate) fn select(pool: &Pool, documents: usize, least: f64) -> Vec<PassageId> {
    let mut chosen: Vec<PassageId> = Vec::new();
    let mut seen: Vec<&indago_core::DocumentId> = Vec::new();
    for id in pool.best(pool.len()) {
        let Some(candidate) = pool.get(id) else {
            continue;
        };
        if chosen.len() >= ALWAYS && candidate.p < least || chosen.len() >= 2 * documents {
            break;
        }
        let document = &candidate.passage.document;
        if !seen.contains(&document) {
            if seen.len() >= documents {
                continue;
            }
            seen.push(document);
        }
        chosen.push(id);
    }
    chosen
}

/// Puts the passages that carry a reasoned answer first, in the order of the reasoning.
pub(crate) fn lead_with(selected: &mut Vec<PassageId>, places: &[crate::answer::Place]) {
    let mut front: Vec<PassageId> = Vec::new();
    for (id, _) in places {
        if selected.contains(id) && !front.contains(id) {
            front.push(*id);
        }
    }
    selected.retain(|id| !front.contains(id));
    front.append(selected);
    *selected = front;
}

/// Makes sure that what the answer was read from is quoted, in place of the least probable rest.
pub(crate) fn include(
    pool: &Pool,
    selected: &mut Vec<PassageId>,
    places: &[crate::answer::Place],
    documents: usize,
) {
    let document = |id: PassageId| pool.get(id).map(|c| c.passage.document.clone());
    for (id, _) in places {
        if selected.contains(id) || pool.get(*id).is_none() {
            continue;
        }
        let known = selected
            .iter()
            .any(|other| document(*other) == document(*id));
        if !known && selected.len() >= documents {
            let spare = selected
                .iter()
                .rposition(|o| places.iter().all(|(p, _)| p != o));
            let Some(spare) = spare else { continue };
            selected.remove(spare);
        }
        selected.push(*id);
    }
}
