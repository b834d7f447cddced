//! Follow-up queries from what was just found: a name met while reading, with the words of the
//! question that are still open.

use indago_core::PassageId;
use indago_text::normalize_name;

use crate::asked::{Asked, TermSet};
use crate::pool::{Candidate, Pool};

/// A query for a name met in a passage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rewritten {
    /// Where the name was met.
    pub(crate) from: PassageId,
    /// The name as written.
    pub(crate) name: String,
    /// Its index terms.
    pub(crate) name_terms: Vec<String>,
    /// The question's terms that the passage leaves open.
    pub(crate) open: TermSet,
    /// Share of the question in the best sentence around the name.
    pub(crate) sentence: f64,
    /// The query.
    pub(crate) text: String,
}

/// Queries for at most `names` names of each of the passages `from`, most promising first.
pub(crate) fn rewrite(
    asked: &Asked,
    pool: &Pool,
    from: &[PassageId],
    names: usize,
) -> Vec<Rewritten> {
    let mut queries: Vec<Rewritten> = Vec::new();
    for candidate in from.iter().filter_map(|&id| pool.get(id)) {
        let open = asked.all() & !candidate.terms;
        if open == 0 {
            continue;
        }
        let mut found = open_names(asked, candidate);
        found.truncate(names);
        for (sentence, name, name_terms) in found {
            let text = format!("{name} {}", asked.words(open).join(" "));
            if queries.iter().all(|q| q.text != text) {
                queries.push(Rewritten {
                    from: candidate.passage.id,
                    name,
                    name_terms,
                    open,
                    sentence,
                    text,
                });
            }
        }
    }
    queries
}

/// Names of the passage that neither the question nor the passage's title has, those in sentences
/// close to the question first.
fn open_names(asked: &Asked, candidate: &Candidate) -> Vec<(f64, String, Vec<String>)> {
    let text = &candidate.passage.text;
    let title = indago_text::terms(&candidate.passage.title);
    let mut found: Vec<(f64, usize, String, String, Vec<String>)> = Vec::new();
    for name in indago_text::names(text) {
        let normal = normalize_name(&name.text);
        if normal.len() < 3 || normal.chars().all(|c| c.is_numeric() || c == ' ') {
            continue;
        }
        let terms = indago_text::terms(&name.text);
        if terms.is_empty() || terms.iter().all(|t| title.contains(t)) {
            continue;
        }
        if asked.mentions(&name.text) {
            continue;
        }
        let own = asked.terms_in(&name.text);
        let sentence = candidate
            .sentence_at(name.range.start)
            .map_or(0.0, |s| asked.share(s.terms & !own));
        match found.iter_mut().find(|f| f.2 == normal) {
            Some(seen) => seen.0 = seen.0.max(sentence),
            None => found.push((sentence, name.range.start, normal, name.text, terms)),
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found
        .into_iter()
        .map(|(sentence, _, _, name, terms)| (sentence, name, terms))
        .collect()
}
