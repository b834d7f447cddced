//! HyDE (Gao et al., 2022): search by the mean of the vectors of imagined answers and of the
//! question. The imagined text is compared and thrown away: no reader and no citation sees it.

use indago_core::ports::{BoxFuture, TaskError};

use super::call;
use crate::model::prompts::Hypothetical;
use crate::model::{Ports, complete_all};
use crate::operators::Rewrite;
use crate::operators::state::{QuerySet, SearchState};

/// HyDE with its number of samples.
#[derive(Clone, Copy, Debug)]
pub struct Hyde {
    /// Passages imagined (`n`).
    pub samples: u64,
}

impl Default for Hyde {
    fn default() -> Self {
        Self { samples: 4 }
    }
}

impl Rewrite for Hyde {
    fn name(&self) -> &'static str {
        "hyde"
    }

    fn rewrite<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<QuerySet, TaskError>> {
        Box::pin(async move {
            let seed = ports.cx.seed();
            let asks = (0..self.samples)
                .map(|i| {
                    let mut ask = call(state, String::new(), Hypothetical::new().render(), 200);
                    ask.request.temperature = Some(0.7);
                    ask.request.seed = Some(seed.wrapping_add(i));
                    ask
                })
                .collect();
            let purpose = format!("hyde/{}", state.round + 1);
            let done = complete_all(ports, &purpose, asks, &mut state.usage).await?;
            let imagined = done
                .into_iter()
                .flatten()
                .map(|c| c.text.trim().to_owned())
                .filter(|text| !text.is_empty())
                .collect();
            Ok(QuerySet {
                queries: vec![state.question.clone()],
                imagined,
            })
        })
    }
}
