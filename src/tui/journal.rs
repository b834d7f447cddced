//! What the journal tells about runs, in the model's words. Reads only, apart from steering.

use std::collections::BTreeSet;
use std::sync::Arc;

use indago_core::ports::{RunError, RunStatus};
use indago_core::{Budget, Claim, Finding, NodeId, PassageId, Report, RunId, Steering};
use indago_workflows::deep_research::ResearchInput;
use indago_workflows::journal::{Journal as _, RunMeta, SqliteJournal, TaskRecord};
use indago_workflows::{Fork, LiveCall, live_calls, new_run_id};
use serde_json::Value;

use super::model::run::{Call, Detail, Numbered, ReadHit};
use super::text::clean;
use crate::{Corpus, Error, Project, Runs};

/// Runs that are listed.
const MAX_RUNS: usize = 200;
/// Hits that are shown of a node.
const MAX_HITS: usize = 24;

/// Whether the project has a journal; looking must not make one.
fn exists(project: &Project) -> bool {
    project.journal_dir().join("journal.sqlite").is_file()
}

/// The runs of a project, if it has any.
pub(super) fn open(project: &Project) -> Result<Option<Arc<Runs>>, Error> {
    let runs = exists(project).then(|| Runs::open(project)).transpose()?;
    Ok(runs.map(Arc::new))
}

/// Where they are recorded.
pub(super) fn of(runs: &Runs) -> &SqliteJournal {
    runs.engine().journal()
}

fn status_of(journal: &SqliteJournal, meta: &RunMeta) -> RunStatus {
    meta.status(meta.outcome.is_none() && journal.is_hosted(&meta.id))
}

/// Runs, newest first.
pub(super) fn runs(runs: &Runs) -> Result<Vec<RunStatus>, RunError> {
    let journal = of(runs);
    let metas = journal.list()?;
    Ok(metas
        .iter()
        .take(MAX_RUNS)
        .map(|meta| status_of(journal, meta))
        .collect())
}

/// Where a run stands, with what it was started with.
pub(super) fn status(runs: &Runs, run: &RunId) -> Result<(RunStatus, Budget), RunError> {
    let journal = of(runs);
    let meta = journal.meta(run)?;
    let mut status = status_of(journal, &meta);
    if status.state == indago_core::RunState::Interrupted {
        // Its host stores the end before it lets go of its lock: look once more.
        status = status_of(journal, &journal.meta(run)?);
    }
    let input = serde_json::from_value::<ResearchInput>(meta.spec.input);
    Ok((
        status,
        input.map_or(Budget::STANDARD, |input| input.limits.budget),
    ))
}

/// Events from a number on, at most `limit`.
pub(super) fn events(
    runs: &Runs,
    run: &RunId,
    from: u64,
    limit: usize,
) -> Result<Vec<Numbered>, RunError> {
    let stored = of(runs).events(run, from, limit)?;
    let numbered = stored.into_iter().map(|stored| Numbered {
        seq: stored.seq,
        at_ms: stored.at_ms,
        event: stored.event,
    });
    Ok(numbered.collect())
}

/// Calls of models that are under way, whichever process made them.
pub(super) fn calls(runs: &Runs, run: &RunId) -> Vec<Call> {
    let folder = of(runs).folder();
    let live = folder.map_or_else(Vec::new, |folder| live_calls(folder, run));
    let call = |live: LiveCall| {
        // What the step is for; behind `#` is the hash of the request.
        let step = live.step.split('#').next().unwrap_or_default();
        let step = step.strip_prefix("lm/").unwrap_or(step);
        Call {
            title: clean(&format!("{} · {step}", live.model)),
            text: clean(&live.text),
        }
    };
    live.into_iter().map(call).collect()
}

/// The report of a run that has one, and the corpus it was asked of.
pub(super) fn report(runs: &Runs, run: &RunId) -> Result<(Report, String), Error> {
    let meta = of(runs).meta(run)?;
    let corpus = meta.spec.corpus.clone();
    match meta.outcome.map(|outcome| outcome.result) {
        Some(Ok(output)) => Ok((crate::asking::read_report(run, output)?, corpus)),
        Some(Err(error)) => Err(RunError::Failed(error).into()),
        None => Err(Error::BadReport {
            run: run.to_string(),
            reason: "it has not ended".to_owned(),
        }),
    }
}

/// Asks something of a run, from whatever process.
pub(super) fn steer(runs: &Runs, run: &RunId, steering: Steering) -> Result<(), Error> {
    let run = runs.get(run)?;
    crate::asking::runtime()?.block_on(run.steer(steering))?;
    Ok(())
}

/// Records a run that begins like another one up to an event. It does not run yet.
pub(super) fn fork(runs: &Runs, from: &RunId, at: Option<u64>) -> Result<RunId, Error> {
    let id = new_run_id();
    let fork = Fork {
        id: id.clone(),
        at,
        steerings: Vec::new(),
    };
    let engine = runs.engine();
    crate::asking::runtime()?.block_on(engine.fork(from, fork))?;
    Ok(id)
}

/// What the journal has of a node: its finding, and what its last search found.
pub(super) fn detail(
    runs: &Runs,
    run: &RunId,
    node: NodeId,
    corpus: Option<&Corpus>,
) -> Result<Detail, RunError> {
    let record = of(runs).load(run)?;
    let prefix = format!("{node}-");
    let turns = record.tasks.iter().filter_map(|(path, task)| {
        let turn: u32 = path.strip_prefix(&prefix)?.parse().ok()?;
        Some((turn, task))
    });
    let Some((_, task)) = turns.max_by_key(|(turn, _)| *turn) else {
        return Ok(Detail::default());
    };
    let finding = finding_of(task);
    let quoted: BTreeSet<PassageId> = finding
        .iter()
        .flat_map(|finding| &finding.claims)
        .flat_map(Claim::quotes)
        .map(|quote| quote.passage)
        .collect();
    let mut found = hits_of(task);
    // What was quoted first, then by how well it was found.
    found.sort_by_key(|(id, best, _)| (!quoted.contains(id), *best));
    let more_hits = found.len().saturating_sub(MAX_HITS);
    found.truncate(MAX_HITS);
    let hits = found
        .into_iter()
        .map(|(id, _, why)| ReadHit {
            source: source(corpus, id),
            why,
            is_quoted: quoted.contains(&id),
        })
        .collect();
    Ok(Detail {
        finding,
        hits,
        more_hits,
    })
}

fn finding_of(task: &TaskRecord) -> Option<Finding> {
    let (_, result) = task.done.as_ref()?;
    let value = result.as_ref().ok()?;
    serde_json::from_value(value.get("finding")?.clone()).ok()
}

/// Passages that retrieval steps gave: id, best rank, and why in words. What does not look like a
/// list of hits is passed over: steps belong to the operators, which may change.
fn hits_of(task: &TaskRecord) -> Vec<(PassageId, usize, String)> {
    let mut found: Vec<(PassageId, usize, String)> = Vec::new();
    let mut steps: Vec<_> = task
        .steps
        .iter()
        .filter(|(key, _)| key.starts_with("retrieve/"))
        .collect();
    steps.sort_by_key(|(key, _)| key.as_str());
    for (key, result) in steps {
        let round = key.split(['/', '#']).nth(1).unwrap_or("?");
        let Ok(Value::Array(lists)) = result else {
            continue;
        };
        for (query, list) in lists.iter().enumerate() {
            for (rank, hit) in list.as_array().into_iter().flatten().enumerate() {
                let Some(id) = hit["passage"].as_str().and_then(|id| id.parse().ok()) else {
                    continue;
                };
                let score = hit["score"].as_f64().unwrap_or_default();
                let why = format!(
                    "round {round}, list {}: rank {}, score {score:.3}",
                    query + 1,
                    rank + 1
                );
                match found.iter_mut().find(|(known, ..)| *known == id) {
                    Some((_, best, all)) => {
                        *best = (*best).min(rank);
                        if all.len() < 200 {
                            all.push_str("; ");
                            all.push_str(&why);
                        }
                    }
                    None => found.push((id, rank, why)),
                }
            }
        }
    }
    found
}

/// Title and place of a passage, as far as the corpus still has it.
fn source(corpus: Option<&Corpus>, id: PassageId) -> String {
    let passage = corpus.and_then(|corpus| corpus.passage(id).ok().flatten());
    match passage {
        Some(passage) => {
            let title = if passage.title.is_empty() {
                passage.document.as_str()
            } else {
                &passage.title
            };
            let place = passage.location.to_string();
            clean(format!("{title} · {place}").trim_end_matches([' ', '·']))
        }
        None => id.to_string(),
    }
}
