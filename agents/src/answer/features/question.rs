//! What is looked up once for all spans of a question.

use std::collections::BTreeMap;

use indago_core::{AnswerKind, PassageId};
use indago_text::NameKind;

use super::super::chain;
use super::super::relation::path;
use crate::asked::{Asked, TermSet};
use crate::pool::{Candidate, Pool};

/// What all spans of a question share.
pub(in crate::answer) struct Question<'a> {
    pub(super) asked: &'a Asked,
    pub(super) pool: &'a Pool,
    pub(super) selected: &'a [PassageId],
    pub(super) kind: AnswerKind,
    pub(super) outer: TermSet,
    pub(super) relation: TermSet,
    pub(super) chained: bool,
    /// Normalised names of the question.
    pub(super) names: Vec<String>,
    /// Passages by the names that they are about.
    pub(super) about: BTreeMap<&'a str, &'a Candidate>,
    /// What the pattern of the last relation reads.
    pub(super) stated: Option<(PassageId, String)>,
    pub(super) focus: Option<String>,
}

impl<'a> Question<'a> {
    pub(in crate::answer) fn new(
        asked: &'a Asked,
        pool: &'a Pool,
        selected: &'a [PassageId],
        kind: AnswerKind,
    ) -> Self {
        let mut about: BTreeMap<&str, &Candidate> = BTreeMap::new();
        for candidate in pool.iter() {
            for name in &candidate.names {
                let best = about.entry(name).or_insert(candidate);
                if best.p < candidate.p {
                    *best = candidate;
                }
            }
        }
        let single = asked
            .analysis
            .names
            .iter()
            .filter(|n| n.kind != NameKind::Joined);
        let path = path(&asked.analysis);
        let stated = chain::last_step(asked, pool, selected, &path)
            .and_then(|found| Some((found.from.first()?.0, found.answer.text)));
        let focus = asked.analysis.focus.as_deref();
        Self {
            names: single
                .map(|n| indago_text::normalize_name(&n.text))
                .filter(|n| !n.is_empty())
                .collect(),
            focus: focus.and_then(|f| indago_text::terms(f).into_iter().next()),
            outer: asked.outermost(),
            relation: asked.relation(),
            chained: asked.analysis.hops.len() >= 2,
            asked,
            pool,
            selected,
            kind,
            about,
            stated,
        }
    }
}
