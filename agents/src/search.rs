//! Work on one sub-question: retrieve, read, follow names, judge; again, or stop.

use std::collections::BTreeMap;

use indago_core::ports::{Library, TaskCtx, TaskError};
use indago_core::{Bridge, Claim, Event, Finding, PassageId, StopReason, Usage};

use crate::abstain::{Evidence, answer_confidence, confidence, evidence, least_confidence};
use crate::answer::{Answered, answer};
use crate::asked::Asked;
use crate::bridge::{follow, named};
use crate::judge::{Features, Scales, judge};
use crate::pool::{FollowUp, Pool, Ranked};
use crate::read::{Selected, read};
use crate::retrieve::{Ask, Found, retrieve};
use crate::rewrite::rewrite;
use crate::select::{include, lead_with, select};
use crate::{SearchInput, Searched};

/// Depth of the lists of the first round.
const DEPTH: usize = 100;
/// Fused passages that are read in the first round.
const READ_FIRST: usize = 30;
/// Passages of the library's own retriever that are read in the first round.
const READ_OWN: usize = 20;
/// Passages whose names are followed in each round.
const FOLLOWED: usize = 12;
/// Passages that follow-up queries are made from in each round, and queries from each.
const REWRITTEN: (usize, usize) = (4, 5);
/// Depth of the lists of follow-up queries.
const FOLLOW_UP_DEPTH: usize = 6;
/// Rounds after which further hops stop paying, whatever the limits allow.
const MAX_ROUNDS: u32 = 3;
/// Documents that the finding of a part may quote, and rounds spent on it: the whole question is
/// searched in depth anyway.
const PART_SOURCES: usize = 3;
const PART_ROUNDS: u32 = 2;
/// Confidence from which the answer of the last part of a chain replaces a guess.
const TRUSTED_PART: f64 = 0.6;
/// Certainty from which an answer counts as reasoned rather than guessed.
const REASONED: f64 = 0.8;
/// Least probability of a passage that answers are looked for in.
pub(crate) const CONSIDERED: f64 = 0.012;
/// Least probability of a passage that is quoted: for a question whose answer was guessed, beside
/// an answer that was reasoned from passages of its own, and for a part of a question. The curve of
/// completeness against precision is in `docs/quality.md`.
const QUOTED: f64 = 0.02;
const QUOTED_BESIDE_REASONING: f64 = 0.06;
const QUOTED_BY_PART: f64 = 0.08;
/// Constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009).
const FUSION_CONSTANT: f64 = 60.0;

/// A search with everything it found, before it is written down as a finding.
pub(crate) struct Trail {
    pub(crate) asked: Asked,
    pub(crate) pool: Pool,
    pub(crate) tried: Vec<String>,
    pub(crate) usage: Usage,
    pub(crate) stop: StopReason,
    /// Features of each round, for calibration.
    pub(crate) rounds: Vec<Vec<(PassageId, Features)>>,
    lists: Lists,
}

/// The lists of the first round by passage.
#[derive(Debug, Default)]
struct Lists {
    lexical: BTreeMap<PassageId, Ranked>,
    dense: BTreeMap<PassageId, Ranked>,
    fused: BTreeMap<PassageId, Ranked>,
    own: BTreeMap<PassageId, Ranked>,
}

/// Works on one sub-question until its evidence suffices, rounds bring nothing new, or its limits
/// are reached.
pub async fn search_sub_question(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: &SearchInput,
) -> Result<Searched, TaskError> {
    let trail = explore(cx, library, input).await?;
    let sources = limit(input);
    let mut selected = select(&trail.pool, sources, CONSIDERED);
    let (asked, pool) = (&trail.asked, &trail.pool);
    let (answered, seen) = answer(library, asked, pool, &selected).await?;
    let answered = of_last_part(input, &trail, answered);
    let evidence = evidence(asked, pool, &selected, answered.as_ref(), &seen);
    let places = answered.as_ref().map_or(&[][..], |a| &a.from);
    let reasoned = answered.as_ref().is_some_and(|a| a.certainty >= REASONED);
    selected = match (is_part(input), reasoned) {
        (true, _) => select(&trail.pool, sources, QUOTED_BY_PART),
        (_, true) => select(&trail.pool, sources, QUOTED_BESIDE_REASONING),
        _ => select(&trail.pool, sources, QUOTED),
    };
    include(&trail.pool, &mut selected, places, sources);
    if reasoned {
        lead_with(&mut selected, places);
    }
    let quotes = read(library, &trail.asked, &trail.pool, &selected, places).await?;
    for Selected { quote, .. } in &quotes {
        cx.emit(Event::Quoted {
            node: input.node,
            passage: quote.passage,
            text: quote.text.clone(),
        });
    }
    Ok(conclude(input, trail, quotes, answered, &evidence))
}

/// The answer of the last part in place of a guess, where the parts took the question's chain to
/// its end: the last part asks what the question asks, of the thing that the others have found.
fn of_last_part(
    input: &SearchInput,
    trail: &Trail,
    answered: Option<Answered>,
) -> Option<Answered> {
    let question = &trail.asked.analysis;
    let steps = question.hops.len();
    let chain = steps >= 2 && question.options.len() < 2 && question.sources.len() < 2;
    let reasoned = answered.as_ref().is_some_and(|a| a.certainty >= REASONED);
    if !chain || reasoned || input.parents.len() < steps {
        return answered;
    }
    let last = input
        .parents
        .last()
        .filter(|f| f.stop == StopReason::Answered && f64::from(f.confidence) >= TRUSTED_PART);
    let Some((finding, found)) = last.and_then(|f| Some((f, f.answer.as_ref()?))) else {
        return answered;
    };
    let same_kind = answered
        .as_ref()
        .is_none_or(|a| a.answer.kind == found.kind);
    let quote = finding
        .claims
        .iter()
        .flat_map(Claim::quotes)
        .find(|q| q.text.contains(&found.text));
    let place = quote.and_then(|quote| {
        let candidate = trail.pool.get(quote.passage)?;
        let at = candidate.passage.text.find(&found.text)?;
        Some((quote.passage, at..at + found.text.len()))
    });
    match place {
        Some(place) if same_kind && !trail.asked.mentions(&found.text) => Some(Answered {
            answer: found.clone(),
            certainty: answered
                .map_or(0.3, |a| a.certainty)
                .max(f64::from(finding.confidence) * 0.7),
            from: vec![place],
        }),
        _ => answered,
    }
}

fn conclude(
    input: &SearchInput,
    trail: Trail,
    quotes: Vec<Selected>,
    answered: Option<Answered>,
    evidence: &Evidence,
) -> Searched {
    let bridges = bridges(&trail.pool, &quotes);
    let claims: Vec<_> = quotes
        .into_iter()
        .filter_map(Selected::into_claim)
        .collect();
    let probability = confidence(evidence);
    let found = !claims.is_empty() && probability >= least_confidence(&trail.asked);
    // What a reader relies on is the short answer; other parts build on what the evidence says.
    let confidence = if found && answered.is_some() && !is_part(input) {
        answer_confidence(evidence)
    } else {
        probability
    };
    let finding = Finding {
        node: input.node,
        answer: answered.filter(|_| found).map(|a| a.answer),
        confidence: if claims.is_empty() {
            0.0
        } else {
            confidence as f32
        },
        open: if found {
            Vec::new()
        } else {
            open(&trail.asked, &trail.pool, &claims)
        },
        claims,
        bridges,
        tried: trail.tried,
        rounds: trail.usage.rounds as u32,
        stop: match trail.stop {
            _ if !found => StopReason::NothingFound,
            // The evidence suffices: that further rounds brought nothing is no complaint.
            StopReason::NoProgress => StopReason::Answered,
            other => other,
        },
    };
    Searched {
        finding,
        usage: trail.usage,
    }
}

/// What the quoted passages leave open, in words.
fn open(asked: &Asked, pool: &Pool, claims: &[Claim]) -> Vec<String> {
    let covered = claims
        .iter()
        .flat_map(Claim::quotes)
        .filter_map(|q| pool.get(q.passage))
        .fold(0, |set, c| set | c.terms);
    let words = asked.words(asked.all() & !covered);
    if words.is_empty() {
        vec!["no passage answers the question as a whole".to_owned()]
    } else {
        vec![format!("no passage found mentions: {}", words.join(", "))]
    }
}

/// Documents that a finding may quote. A part of the question stands on few.
fn limit(input: &SearchInput) -> usize {
    let sources = input.limits.sources as usize;
    if is_part(input) {
        sources.min(PART_SOURCES)
    } else {
        sources
    }
}

/// Whether this is a part of the run's question rather than the question itself.
fn is_part(input: &SearchInput) -> bool {
    input.question.trim() != input.whole.trim()
}

/// Names that led to the selected passages.
fn bridges(pool: &Pool, quotes: &[Selected]) -> Vec<Bridge> {
    let mut found: Vec<Bridge> = Vec::new();
    for quote in quotes {
        let Some(candidate) = pool.get(quote.quote.passage) else {
            continue;
        };
        let best = candidate
            .leads
            .iter()
            .filter(|l| !l.asked && quotes.iter().any(|q| q.quote.passage == l.from))
            .max_by(|a, b| {
                let value =
                    |l: &crate::pool::Lead| pool.get(l.from).map_or(0.0, |c| c.p) * l.strength;
                value(a).total_cmp(&value(b))
            });
        if let Some(lead) = best.filter(|l| found.iter().all(|b| b.name != l.name)) {
            found.push(Bridge {
                name: lead.name.clone(),
                met_in: lead.from,
                defined_in: Some(candidate.passage.id),
                score: candidate.p as f32,
            });
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.name.cmp(&b.name)));
    found
}

/// The rounds of a search.
pub(crate) async fn explore(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: &SearchInput,
) -> Result<Trail, TaskError> {
    let asked = Asked::new(library, &input.question).await?;
    let mut trail = Trail {
        asked,
        pool: Pool::default(),
        tried: Vec::new(),
        usage: Usage::default(),
        stop: StopReason::NothingFound,
        rounds: Vec::new(),
        lists: Lists::default(),
    };
    if trail.asked.all() == 0 || input.limits.rounds == 0 || input.limits.queries == 0 {
        return Ok(trail);
    }
    let scales = first_round(cx, library, input, &mut trail).await?;
    if trail.pool.len() == 0 {
        return Ok(trail);
    }
    let top = input.limits.sources.max(1) as usize;
    let mut leading = trail.pool.best(top);
    trail.stop = StopReason::Budget;
    let rounds = if is_part(input) {
        PART_ROUNDS
    } else {
        MAX_ROUNDS
    };
    for round in 1..input.limits.rounds.min(rounds) {
        if cx.is_cancelled() {
            return Err(TaskError::Cancelled);
        }
        further_round(cx, library, input, &mut trail, round).await?;
        let rows = judge(&trail.asked, &mut trail.pool, &scales, round as usize);
        trail.rounds.push(rows);
        let now = trail.pool.best(top);
        // A round that brings no new passage among those that count ends the search.
        if now.iter().all(|id| leading.contains(id)) {
            trail.stop = StopReason::NoProgress;
            break;
        }
        leading = now;
    }
    if trail.pool.iter().any(|c| c.p >= 0.5) {
        trail.stop = StopReason::Answered;
    }
    Ok(trail)
}

/// Asks the question itself, and looks up what its names are about.
async fn first_round(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: &SearchInput,
    trail: &mut Trail,
) -> Result<Scales, TaskError> {
    let text = trail.asked.query().to_owned();
    let mut retrievers = vec![None, Some("bm25")];
    if library.coverage().embedded > 0 {
        retrievers.push(Some("dense"));
    }
    let asks: Vec<Ask> = retrievers
        .into_iter()
        .map(|retriever| Ask {
            text: text.clone(),
            retriever,
        })
        .collect();
    let lists = retrieve(cx, library, "retrieve/1", &asks, &input.filters, DEPTH).await?;
    let empty: &[Found] = &[];
    let list = |i: usize| lists.get(i).map_or(empty, Vec::as_slice);
    let (own, lexical, dense) = (list(0), list(1), list(2));

    let mut fused: BTreeMap<PassageId, f64> = BTreeMap::new();
    for list in [lexical, dense] {
        for (rank, found) in list.iter().enumerate() {
            *fused.entry(found.passage).or_default() += 1.0 / (FUSION_CONSTANT + rank as f64);
        }
    }
    let mut order: Vec<(PassageId, f64)> = fused.into_iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    trail.lists = Lists {
        lexical: by_passage(lexical.iter().map(|f| (f.passage, f64::from(f.score)))),
        dense: by_passage(dense.iter().map(|f| (f.passage, f64::from(f.score)))),
        fused: by_passage(order.iter().copied()),
        own: by_passage(own.iter().map(|f| (f.passage, f64::from(f.score)))),
    };

    let names = named(library, &trail.asked).await?;
    let read_first = order.iter().take(READ_FIRST).map(|(id, _)| *id);
    let linked = names.keys().copied().chain(quoted_by_parents(input));
    let wanted: Vec<PassageId> = read_first
        .chain(own.iter().take(READ_OWN).map(|f| f.passage))
        .chain(linked.filter(|id| allowed(input, &trail.lists, *id)))
        .collect();
    let new = load(library, input, trail, wanted).await?;
    for (id, value) in names {
        if let Some(candidate) = trail.pool.get_mut(id) {
            candidate.named = Some(value);
        }
    }
    let first = |list: &[Found]| list.first().map_or(0.0, |f| f64::from(f.score));
    let scales = Scales {
        lexical: first(lexical),
        dense: first(dense),
        dense_floor: dense.last().map_or(0.0, |f| f64::from(f.score)),
        depth: 3.0 * DEPTH as f64,
    };
    let rows = judge(&trail.asked, &mut trail.pool, &scales, 0);
    trail.rounds.push(rows);
    report_round(cx, input, trail, 1, vec![text], new);
    Ok(scales)
}

/// Follows the names of the best passages, and asks for them together with what is still open.
async fn further_round(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: &SearchInput,
    trail: &mut Trail,
    round: u32,
) -> Result<(), TaskError> {
    let best = trail.pool.best(FOLLOWED);
    let leads = follow(library, &trail.asked, &trail.pool, &best).await?;

    let (from, names) = REWRITTEN;
    let mut queries = rewrite(
        &trail.asked,
        &trail.pool,
        best.get(..from.min(best.len())).unwrap_or(&[]),
        names,
    );
    queries.retain(|q| !trail.tried.contains(&q.text));
    let left = u64::from(input.limits.queries).saturating_sub(trail.usage.queries);
    queries.truncate(left as usize);
    // Lexical on purpose: what matters is that the passage has the name and the open words.
    let asks: Vec<Ask> = queries
        .iter()
        .map(|q| Ask {
            text: q.text.clone(),
            retriever: Some("bm25"),
        })
        .collect();
    let purpose = format!("retrieve/{}", round + 1);
    let lists = retrieve(
        cx,
        library,
        &purpose,
        &asks,
        &input.filters,
        FOLLOW_UP_DEPTH,
    )
    .await?;

    let linked = leads
        .keys()
        .copied()
        .filter(|id| allowed(input, &trail.lists, *id));
    let wanted: Vec<PassageId> = linked
        .chain(lists.iter().flatten().map(|f| f.passage))
        .collect();
    let new = load(library, input, trail, wanted).await?;
    for (target, found) in leads {
        let Some(candidate) = trail.pool.get_mut(target) else {
            continue;
        };
        for lead in found {
            if candidate.leads.iter().all(|l| l.from != lead.from) {
                candidate.leads.push(lead);
            }
        }
    }
    for (query, list) in queries.iter().zip(&lists) {
        let mut rank = 0;
        for found in list.iter().filter(|f| f.passage != query.from) {
            let Some(candidate) = trail.pool.get_mut(found.passage) else {
                continue;
            };
            if candidate.has_name(&query.name_terms) {
                let open = trail.asked.weight(query.open & candidate.terms)
                    / trail.asked.weight(query.open).max(f64::MIN_POSITIVE);
                candidate.follow_ups.push(FollowUp {
                    from: query.from,
                    name: query.name.clone(),
                    open,
                    rank,
                    sentence: query.sentence,
                });
            }
            rank += 1;
        }
    }
    let texts = queries.into_iter().map(|q| q.text).collect();
    report_round(cx, input, trail, round + 1, texts, new);
    Ok(())
}

fn report_round(
    cx: &mut dyn TaskCtx,
    input: &SearchInput,
    trail: &mut Trail,
    round: u32,
    queries: Vec<String>,
    new_passages: u32,
) {
    trail.usage.queries += queries.len() as u64;
    trail.usage.rounds += 1;
    trail.usage.passages += u64::from(new_passages);
    trail.tried.extend(queries.iter().cloned());
    cx.emit(Event::Searched {
        node: input.node,
        round,
        queries,
        new_passages,
    });
}

/// Reads passages that the pool does not have yet, and gives their number.
async fn load(
    library: &dyn Library,
    input: &SearchInput,
    trail: &mut Trail,
    wanted: Vec<PassageId>,
) -> Result<u32, TaskError> {
    let missing = trail.pool.missing(wanted);
    let mut passages = library.passages(missing).await?;
    // Links and findings may lead to documents that do not count.
    passages.retain(|passage| !input.filters.except.contains(&passage.document));
    let new = passages.len() as u32;
    let ids: Vec<PassageId> = passages.iter().map(|p| p.id).collect();
    trail.pool.add(&trail.asked, passages);
    for id in ids {
        if let Some(candidate) = trail.pool.get_mut(id) {
            candidate.lexical = trail.lists.lexical.get(&id).copied();
            candidate.dense = trail.lists.dense.get(&id).copied();
            candidate.fused = trail.lists.fused.get(&id).copied();
            candidate.own = trail.lists.own.get(&id).copied();
        }
    }
    Ok(new)
}

/// Whether a passage that no filtered query returned may be used: links know no filters, so under
/// filters only what the retrievers let through is read.
fn allowed(input: &SearchInput, lists: &Lists, id: PassageId) -> bool {
    input.filters.is_open() || lists.fused.contains_key(&id) || lists.own.contains_key(&id)
}

fn quoted_by_parents(input: &SearchInput) -> impl Iterator<Item = PassageId> + '_ {
    input
        .parents
        .iter()
        .flat_map(|f| &f.claims)
        .flat_map(indago_core::Claim::quotes)
        .map(|q| q.passage)
}

fn by_passage(list: impl Iterator<Item = (PassageId, f64)>) -> BTreeMap<PassageId, Ranked> {
    list.enumerate()
        .map(|(rank, (id, score))| {
            (
                id,
                Ranked {
                    rank: rank as u32,
                    score,
                },
            )
        })
        .collect()
}
