//! Contextual compression by selecting sentences: of each passage the sentences closest to the
//! question are shown, with their neighbours' names kept by always showing the first. Nothing is
//! reworded, so quotes stay exact.

use indago_core::ports::{BoxFuture, TaskError};

use super::Operator;
use super::state::SearchState;
use crate::model::Ports;

/// Keeps sentences up to a share of the evidence's bytes.
#[derive(Clone, Copy, Debug)]
pub struct SelectSentences {
    /// Share of the bytes that is kept, 0 to 1.
    pub keep: f64,
}

impl Default for SelectSentences {
    fn default() -> Self {
        Self { keep: 0.5 }
    }
}

impl Operator for SelectSentences {
    fn name(&self) -> &'static str {
        "select_sentences"
    }

    fn apply<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let read = state.reading();
            let mut sentences: Vec<(u32, usize, std::ops::Range<usize>, String)> = Vec::new();
            let mut total = 0;
            for shown in state.evidence.iter().filter(|s| read.contains(&s.n)) {
                let text = &shown.passage.text;
                total += text.len();
                for (i, range) in indago_text::sentences(text).into_iter().enumerate() {
                    let title = &shown.passage.title;
                    let compared = format!("{title}. {}", &text[range.clone()]);
                    sentences.push((shown.n, i, range, compared));
                }
            }
            let texts = sentences.iter().map(|s| s.3.clone()).collect();
            let scores = ports
                .library
                .similarity(state.question.clone(), texts)
                .await?;
            let mut order: Vec<usize> = (0..sentences.len()).collect();
            order.sort_by(|a, b| {
                let score = |i: usize| scores.get(i).copied().unwrap_or(0.0);
                score(*b).total_cmp(&score(*a)).then(a.cmp(b))
            });
            let most = (total as f64 * self.keep) as usize;
            let mut used = 0;
            let mut kept: Vec<usize> = (0..sentences.len())
                .filter(|i| sentences[*i].1 == 0)
                .collect();
            used += kept.iter().map(|i| sentences[*i].2.len()).sum::<usize>();
            for i in order {
                let length = sentences[i].2.len();
                if !kept.contains(&i) && used + length <= most {
                    used += length;
                    kept.push(i);
                }
            }
            kept.sort_unstable();
            state.excerpts.clear();
            for i in kept {
                let (n, _, range, _) = &sentences[i];
                state
                    .excerpts
                    .entry(*n)
                    .or_default()
                    .push((range.start, range.end));
            }
            Ok(())
        })
    }
}
