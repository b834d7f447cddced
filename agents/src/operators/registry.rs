//! Everything by name: a new operator is one file and one line here.

use std::sync::Arc;

use indago_core::ports::{PlanPolicy, Toolbox};

use super::decide::{Always, Frequency, Never, SelfAsked, TokenConfidence};
use super::loops::Searcher;
use super::proof::Proved;
use super::rewrite::{AsIs, Beams, Decompose, Ensemble, Hyde, StepBack};
use super::{
    AutoRag, Chain, Cutoff, Edges, Follow, Interleave, IterRetGen, KnowledgeFilter, MindSearch,
    OneRound, Operator, Pipeline, React, Reservoir, RetrievalPolicy, RetroRag, Rewrite,
    SelectSentences, SelfJudged, SingleShot, StopPolicy, Strategy, ToolCalls,
};
use crate::model::Models;
use crate::planning::{BreadthDepth, Opposing, Perspectives};

/// The names of strategies. [`strategy`] knows all but `tool_calls`, for which [`with_tools`] takes
/// its tools.
pub const STRATEGIES: &[&str] = &[
    "single_shot",
    "follow",
    "iter_retgen",
    "interleave",
    "auto_rag",
    "retro_rag",
    "erm4",
    "adaptive",
    "react",
    "tool_calls",
];

/// The search strategy registered under `name`, as its paper has it.
pub fn strategy(name: &str, models: &Models) -> Option<Box<dyn Strategy>> {
    reading(name, models, None)
}

/// The search strategy registered under `name`, with `k` passages for each query.
pub fn reading(name: &str, models: &Models, k: Option<usize>) -> Option<Box<dyn Strategy>> {
    let models = models.clone();
    macro_rules! with {
        ($loop:ident, $passages:ident) => {{
            let body = $loop::default();
            let read = k.unwrap_or(body.$passages);
            let body = $loop {
                $passages: read,
                ..body
            };
            Box::new(Searcher::new(body, models))
        }};
    }
    Some(match name {
        "single_shot" => Box::new(Searcher::new(
            SingleShot {
                k: k.unwrap_or(SingleShot::default().k),
            },
            models,
        )),
        "follow" => Box::new(Searcher::new(
            Follow {
                k: k.unwrap_or(Follow::default().k),
            },
            models,
        )),
        "react" => Box::new(Searcher::new(
            React {
                k: k.unwrap_or(React::default().k),
            },
            models,
        )),
        "iter_retgen" => with!(IterRetGen, k),
        "interleave" => with!(Interleave, k),
        "auto_rag" => with!(AutoRag, per_turn),
        "retro_rag" => with!(RetroRag, k),
        "erm4" => Box::new(Searcher::new(erm4(k.unwrap_or(5)), models)),
        "adaptive" => Box::new(Searcher::new(adaptive(k.unwrap_or(10)), models)),
        _ => return None,
    })
}

/// The strategy that works through `tools`, registered as `tool_calls`.
pub fn with_tools(models: &Models, tools: Arc<dyn Toolbox>) -> Box<dyn Strategy> {
    Box::new(Searcher::new(ToolCalls::new(tools), models.clone()))
}

/// ERM4: rewriter, reservoir with its trigger, filter, one pass.
fn erm4(k: usize) -> Pipeline {
    Pipeline {
        name: "erm4",
        decide: Box::new(Always),
        rewrite: Box::new(Decompose::default()),
        reservoir: Some(Reservoir::default()),
        after: vec![Box::new(KnowledgeFilter)],
        stop: Box::new(OneRound),
        before_reading: Vec::new(),
        k,
    }
}

/// Rounds until the judge is satisfied; then the strongest passages at both ends.
fn adaptive(k: usize) -> Pipeline {
    Pipeline {
        name: "adaptive",
        decide: Box::new(Always),
        rewrite: Box::new(AsIs),
        reservoir: None,
        after: Vec::new(),
        stop: Box::new(SelfJudged),
        before_reading: vec![Box::new(Edges::default())],
        k,
    }
}

/// The rewrite registered under `name`.
pub fn rewrite(name: &str) -> Option<Box<dyn Rewrite>> {
    Some(match name {
        "as_is" => Box::new(AsIs),
        "query_ensemble" => Box::new(Ensemble::ENSEMBLE),
        "query_fusion" => Box::new(Ensemble::FUSION),
        "beams" => Box::new(Beams::default()),
        "hyde" => Box::new(Hyde::default()),
        "step_back" => Box::new(StepBack),
        "decompose" => Box::new(Decompose::default()),
        _ => return None,
    })
}

/// The retrieval policy registered under `name`.
pub fn retrieval_policy(name: &str) -> Option<Box<dyn RetrievalPolicy>> {
    Some(match name {
        "always" => Box::new(Always),
        "never" => Box::new(Never),
        "frequency" => Box::new(Frequency::default()),
        "self_asked" => Box::new(SelfAsked::default()),
        "token_confidence" => Box::new(TokenConfidence::default()),
        _ => return None,
    })
}

/// The stop policy registered under `name`.
pub fn stop_policy(name: &str) -> Option<Box<dyn StopPolicy>> {
    Some(match name {
        "one_round" => Box::new(OneRound),
        "self_judged" => Box::new(SelfJudged),
        "proved" => Box::new(Proved),
        _ => return None,
    })
}

/// The operator registered under `name`.
pub fn operator(name: &str) -> Option<Box<dyn Operator>> {
    Some(match name {
        "knowledge_filter" => Box::new(KnowledgeFilter),
        "cutoff" => Box::new(Cutoff::default()),
        "edges" => Box::new(Edges::default()),
        "chain" => Box::new(Chain),
        "select_sentences" => Box::new(SelectSentences::default()),
        _ => return None,
    })
}

/// The names [`plan_policy`] knows.
pub const PLAN_POLICIES: &[&str] = &[
    "mind_search",
    "breadth_depth",
    "perspectives",
    "mind_search+opposing",
    "breadth_depth+opposing",
    "perspectives+opposing",
];

/// The model-driven plan policy registered under `name`; `NAME+opposing` also asks what would speak
/// against its findings.
pub fn plan_policy(name: &str, models: &Models) -> Option<Box<dyn PlanPolicy>> {
    if let Some(inner) = name.strip_suffix("+opposing") {
        let inner = plan_policy(inner, models)?;
        return Some(Box::new(Opposing::new(inner, models.clone())));
    }
    match name {
        "mind_search" => Some(Box::new(MindSearch::new(models.clone()))),
        "breadth_depth" => Some(Box::new(BreadthDepth::new(models.clone()))),
        "perspectives" => Some(Box::new(Perspectives::new(models.clone()))),
        _ => None,
    }
}
