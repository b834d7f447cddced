//! What the rules cannot tell: whether quotes support a claim in other words.
//!
//! Only claims whose numbers, dates and names stand in their quotes come here (see `entail.rs`), so
//! that no judge can talk a changed number into a report. A judge that fails, is cut short or says
//! nothing of a claim leaves it unknown, which is neither support nor refutation.

use indago_core::ports::{Entailment, Request, RetryPolicy, StepKey, StepWork, TaskError, Verdict};
use indago_core::{Cancel, Claim, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Ask, Ports, Role, from_value, to_value};
use super::json::complete_json;
use super::prompts::{Support, note, opening, role};
use crate::operators::is_fatal;
use crate::verify::Standing;

/// Claims that one call judges at most.
const MAX_CLAIMS: usize = 12;

#[derive(Debug, Deserialize)]
struct Judged {
    verdicts: Vec<OneVerdict>,
}

#[derive(Debug, Deserialize)]
struct OneVerdict {
    claim: usize,
    verdict: Word,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Supported,
    Contradicted,
    Unknown,
}

/// Has those of `looked` judged that the rules leave open: by `local` where there is one, then by the judge among the models. What is left open is dropped. Gives the claims
/// that stand, in their order, and the text of the others with the reason.
pub(super) async fn settle(
    ports: &mut Ports<'_>,
    local: Option<&dyn Entailment>,
    (question, purpose): (&str, &str),
    looked: Vec<(Claim, Standing)>,
    usage: &mut Usage,
) -> Result<(Vec<Claim>, Vec<(String, String)>), TaskError> {
    let is_open = |standing: &Standing| matches!(standing, Standing::Open(_));
    let open: Vec<&Claim> = looked
        .iter()
        .filter(|(_, standing)| is_open(standing))
        .map(|(claim, _)| claim)
        .collect();
    let mut verdicts = Vec::new();
    if !open.is_empty() {
        verdicts = match local {
            Some(local) => judged_here(ports, local, purpose, &open).await?,
            None => vec![
                Verdict::Unknown {
                    reason: String::new()
                };
                open.len()
            ],
        };
        let unsure: Vec<usize> = (0..open.len())
            .filter(|i| matches!(verdicts.get(*i), Some(Verdict::Unknown { .. }) | None))
            .collect();
        let asked: Vec<&Claim> = unsure.iter().map(|i| open[*i]).collect();
        let said = judged_by_model(ports, question, purpose, &asked, usage).await?;
        for (i, verdict) in unsure.into_iter().zip(said) {
            if let Some(slot) = verdicts.get_mut(i) {
                *slot = verdict;
            }
        }
    }
    let mut verdicts = verdicts.into_iter();
    let (mut kept, mut failed) = (Vec::new(), Vec::new());
    for (claim, standing) in looked {
        let refused = match standing {
            Standing::Kept => None,
            Standing::Dropped(reason) => Some(reason),
            Standing::Open(open) => match verdicts.next() {
                Some(Verdict::Supported) => None,
                Some(Verdict::Contradicted { reason }) => Some(reason),
                Some(Verdict::Unknown { reason }) => Some(format!("unknown: {open}; {reason}")),
                None => Some(format!("unknown: {open}")),
            },
        };
        match refused {
            None => kept.push(claim),
            Some(reason) => failed.push((claim.text().to_owned(), reason)),
        }
    }
    Ok((kept, failed))
}

/// The verdicts of `local`, an entailment model in this process, on `claims`, in their order.
/// Recorded, so that another model version cannot change a run that is resumed.
async fn judged_here(
    ports: &mut Ports<'_>,
    local: &dyn Entailment,
    purpose: &str,
    claims: &[&Claim],
) -> Result<Vec<Verdict>, TaskError> {
    let key = StepKey::new(format!("entail/{purpose}"), &(local.name(), claims));
    let work: StepWork<'_> = Box::new(move || {
        Box::pin(async move {
            let mut verdicts = Vec::with_capacity(claims.len());
            for claim in claims {
                let quotes: Vec<&str> = claim.quotes().iter().map(|q| q.text.as_str()).collect();
                verdicts.push(local.judge(claim.text(), &quotes, &Cancel::new()).await);
            }
            to_value(&verdicts)
        })
    });
    let recorded = ports.cx.step(key, RetryPolicy::ONCE, work).await?;
    from_value(purpose, recorded)
}

/// The verdicts of the judge among `ports.models` on `claims`, in their order.
///
/// # Errors
/// Those that end the run. A call that fails otherwise leaves its claims unknown.
async fn judged_by_model(
    ports: &mut Ports<'_>,
    question: &str,
    purpose: &str,
    claims: &[&Claim],
    usage: &mut Usage,
) -> Result<Vec<Verdict>, TaskError> {
    let mut verdicts = Vec::with_capacity(claims.len());
    for (i, batch) in claims.chunks(MAX_CLAIMS).enumerate() {
        let mut prompt = role(opening(question), Support::new().render());
        for (n, claim) in batch.iter().enumerate() {
            prompt = note(prompt, &format!("claim {}", n + 1), claim.text());
            let quotes: Vec<&str> = claim.quotes().iter().map(|q| q.text.as_str()).collect();
            let name = format!("quotes of claim {}", n + 1);
            prompt = note(prompt, &name, quotes.join("\n"));
        }
        let ask = Ask {
            role: Role::Judge,
            purpose: match i {
                0 => purpose.to_owned(),
                more => format!("{purpose}/{more}"),
            },
            request: Request {
                prompt,
                max_tokens: Some(60 + 20 * batch.len() as u32),
                temperature: Some(0.0),
                ..Request::default()
            },
        };
        let judged = complete_json::<Judged>(ports, ask, "support", schema(), usage).await;
        let (said, failed) = match judged {
            Ok(judged) => (judged.verdicts, None),
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        verdicts.extend((1..=batch.len()).map(|n| verdict(n, &said, failed.as_deref())));
    }
    Ok(verdicts)
}

/// What was said of claim `n`. Two different words on one claim are none.
fn verdict(n: usize, said: &[OneVerdict], failed: Option<&str>) -> Verdict {
    let unknown = |reason: &str| Verdict::Unknown {
        reason: reason.to_owned(),
    };
    if let Some(reason) = failed {
        return unknown(&format!("the judge failed: {reason}"));
    }
    let mut of_it = said.iter().filter(|one| one.claim == n).map(|v| v.verdict);
    let Some(word) = of_it.next() else {
        return unknown("the judge said nothing of it");
    };
    if of_it.any(|other| other != word) {
        return unknown("the judge said two things of it");
    }
    match word {
        Word::Supported => Verdict::Supported,
        Word::Contradicted => Verdict::Contradicted {
            reason: "the judge says that its quotes say otherwise".to_owned(),
        },
        Word::Unknown => unknown("the judge cannot tell"),
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "verdicts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "claim": { "type": "integer" },
                        "verdict": { "enum": ["supported", "contradicted", "unknown"] },
                    },
                    "required": ["claim", "verdict"],
                    "additionalProperties": false,
                },
            },
        },
        "required": ["verdicts"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_contradiction_and_failure_are_unknown() {
        let one = |claim, verdict| OneVerdict { claim, verdict };
        let said = [
            one(1, Word::Supported),
            one(2, Word::Supported),
            one(2, Word::Unknown),
            one(3, Word::Contradicted),
        ];
        let of = |n| verdict(n, &said, None);
        assert_eq!(of(1), Verdict::Supported);
        assert!(matches!(of(2), Verdict::Unknown { .. }));
        assert!(matches!(of(3), Verdict::Contradicted { .. }));
        assert!(matches!(of(4), Verdict::Unknown { .. }));
        let failed = verdict(1, &said, Some("429"));
        assert!(matches!(failed, Verdict::Unknown { .. }));
    }
}
