//! GenQREnsemble and GenQRFusion (Dhole and Agichtein, 2024): keywords from many wordings of one
//! instruction, because any one wording is luck.

use indago_core::ports::{BoxFuture, TaskError};
use serde::Deserialize;

use super::{call, tidy};
use crate::model::prompts::Keywords as Prompt;
use crate::model::{Ports, complete_all, parse_json};
use crate::operators::Rewrite;
use crate::operators::state::{QuerySet, SearchState};

/// Wordings of the instruction.
pub const INSTRUCTIONS: &[&str] = &[
    "Write useful keywords for finding documents that answer it.",
    "List the terms that an expert would search for.",
    "Which words would stand in a document that answers it?",
    "Improve the query by suggesting expansion terms.",
    "Recommend terms that make the search more effective.",
    "Name related concepts and synonyms worth searching for.",
    "Write the keywords of an encyclopedia article about it.",
    "Which names, places and technical terms belong to it?",
    "Expand it with other words for the same thing.",
    "Write search terms that a librarian would add.",
];

/// Keywords of one call; more would flood the query.
const MAX_KEYWORDS: usize = 12;

/// Lists alike by more than this add nothing (Jaccard).
const ALIKE: f64 = 0.9;

/// Asks for keywords with every wording at once.
#[derive(Clone, Copy, Debug)]
pub struct Ensemble {
    /// Wordings used (`N`).
    pub wordings: usize,
    /// How often the question stands in a single query (`r`).
    pub repeat: usize,
    /// Whether each list makes a query of its own and the results are fused.
    pub fusion: bool,
}

impl Ensemble {
    /// One query from all lists.
    pub const ENSEMBLE: Self = Self {
        wordings: 10,
        repeat: 5,
        fusion: false,
    };
    /// One query from each list.
    pub const FUSION: Self = Self {
        fusion: true,
        ..Self::ENSEMBLE
    };
}

#[derive(Debug, Default, Deserialize)]
struct Keywords {
    keywords: Vec<String>,
}

impl Rewrite for Ensemble {
    fn name(&self) -> &'static str {
        if self.fusion {
            "query_fusion"
        } else {
            "query_ensemble"
        }
    }

    fn rewrite<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<QuerySet, TaskError>> {
        Box::pin(async move {
            let asks = INSTRUCTIONS
                .iter()
                .take(self.wordings)
                .map(|wording| {
                    let text = Prompt::new(wording).render();
                    call(state, String::new(), text, 120)
                })
                .collect();
            let purpose = format!("{}/{}", self.name(), state.round + 1);
            let done = complete_all(ports, &purpose, asks, &mut state.usage).await?;
            let mut lists: Vec<Vec<String>> = Vec::new();
            for text in done.into_iter().flatten().map(|c| c.text) {
                let words = parse_json::<Keywords>(&text).unwrap_or_default().keywords;
                let words = tidy(words, MAX_KEYWORDS);
                if !words.is_empty() && lists.iter().all(|known| jaccard(known, &words) <= ALIKE) {
                    lists.push(words);
                }
            }
            let question = state.question.as_str();
            if lists.is_empty() {
                return Ok(QuerySet::one(question));
            }
            let queries = if self.fusion {
                lists
                    .iter()
                    .map(|words| format!("{question} {}", words.join(" ")))
                    .collect()
            } else {
                let mut parts = vec![question; self.repeat.max(1)];
                parts.extend(lists.iter().flatten().map(String::as_str));
                vec![parts.join(" ")]
            };
            Ok(QuerySet {
                queries,
                imagined: Vec::new(),
            })
        })
    }
}

fn jaccard(a: &[String], b: &[String]) -> f64 {
    let terms = |list: &[String]| -> std::collections::BTreeSet<String> {
        list.iter().flat_map(|w| indago_text::terms(w)).collect()
    };
    let (a, b) = (terms(a), terms(b));
    let both = a.intersection(&b).count() as f64;
    both / (a.union(&b).count() as f64).max(1.0)
}
