//! Checks claims against the stored documents before anything is written: a compiler pass, not a
//! prompt.

use std::collections::BTreeMap;
use std::sync::Arc;

use indago_core::ports::{Entailment, Library, TaskError, Verdict as Judged};
use indago_core::{Cancel, Claim, PassageId};

use crate::entail::{Verdict, bound_to, entails};

/// Claims that survived, and those that did not with the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// Every quote of these stands in its document, byte for byte.
    pub kept: Vec<Claim>,
    /// The text of each dropped claim and why it was dropped.
    pub dropped: Vec<(String, String)>,
}

/// How hard claims are looked at.
#[derive(Clone, Default)]
pub struct Verifier {
    strict: bool,
    entailment: Option<Arc<dyn Entailment>>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let judge = self.entailment.as_ref().map(|e| e.name().to_owned());
        write!(
            f,
            "Verifier(strict: {}, entailment: {judge:?})",
            self.strict
        )
    }
}

impl Verifier {
    /// For claims that somebody wrote: everything checkable in them has to stand in their quotes.
    /// What the rules leave open is for `entailment` to say; where it does not know, or there is
    /// none, the rules' verdict stands: unknown is no support.
    pub fn strict(entailment: Option<Arc<dyn Entailment>>) -> Self {
        Self {
            strict: true,
            entailment,
        }
    }

    /// Reads each quote again, byte for byte, and drops the claims whose quotes no longer stand
    /// where they say, or that say otherwise than their quotes.
    ///
    /// # Errors
    /// When the corpus cannot be read.
    pub async fn verify(
        &self,
        library: &dyn Library,
        claims: Vec<Claim>,
    ) -> Result<Verified, TaskError> {
        let mut verified = Verified::default();
        let titles = if self.strict {
            titles(library, &claims).await?
        } else {
            BTreeMap::new()
        };
        for claim in claims {
            let refused = match broken_quote(library, &claim).await? {
                Some(reason) => Some(reason),
                None if self.strict => self.refused(&claim, &titles).await,
                None => match entails(&claim) {
                    Verdict::Contradicted(reason) => Some(reason),
                    _ => None,
                },
            };
            match refused {
                None => verified.kept.push(claim),
                Some(reason) => verified.dropped.push((claim.text().to_owned(), reason)),
            }
        }
        Ok(verified)
    }

    /// Why a written claim does not stand on its quotes; `None` when it does.
    async fn refused(&self, claim: &Claim, titles: &BTreeMap<PassageId, String>) -> Option<String> {
        let quotes: Vec<&str> = claim.quotes().iter().map(|q| q.text.as_str()).collect();
        let about: Vec<&str> = claim
            .quotes()
            .iter()
            .filter_map(|q| titles.get(&q.passage))
            .map(String::as_str)
            .collect();
        let open = match bound_to(claim.text(), &quotes, &about) {
            Verdict::Supported => return None,
            Verdict::Contradicted(reason) => return Some(reason),
            Verdict::Unknown(reason) => reason,
        };
        let Some(entailment) = &self.entailment else {
            return Some(format!("unknown: {open}"));
        };
        match entailment
            .judge(claim.text(), &quotes, &Cancel::new())
            .await
        {
            Judged::Supported => None,
            Judged::Contradicted { reason } => Some(reason),
            Judged::Unknown { reason } => Some(format!("unknown: {open}; {reason}")),
        }
    }
}

/// What the quoted passages are about: their titles and the names they introduce themselves, which
/// a quote from their middle may leave out.
async fn titles(
    library: &dyn Library,
    claims: &[Claim],
) -> Result<BTreeMap<PassageId, String>, TaskError> {
    let mut ids: Vec<PassageId> = claims
        .iter()
        .flat_map(Claim::quotes)
        .map(|q| q.passage)
        .collect();
    ids.sort();
    ids.dedup();
    let passages = library.passages(ids).await?;
    Ok(passages
        .into_iter()
        .map(|p| {
            let introduced = indago_text::introduced_name(&p.text).unwrap_or_default();
            (p.id, format!("{} \n{introduced}", p.title))
        })
        .collect())
}

async fn broken_quote(library: &dyn Library, claim: &Claim) -> Result<Option<String>, TaskError> {
    for quote in claim.quotes() {
        match library.reread(quote.clone()).await? {
            Some(text) if text == quote.text => {}
            Some(_) => {
                return Ok(Some(format!(
                    "`{}` no longer has this text at bytes {}..{}",
                    quote.document, quote.start, quote.end
                )));
            }
            None => {
                return Ok(Some(format!(
                    "`{}` has no readable text at bytes {}..{}",
                    quote.document, quote.start, quote.end
                )));
            }
        }
    }
    Ok(None)
}

/// Reads each quote again, byte for byte, and drops the claims whose quotes no longer stand where
/// they say or that say otherwise than their quotes.
pub async fn verify(library: &dyn Library, claims: Vec<Claim>) -> Result<Verified, TaskError> {
    Verifier::default().verify(library, claims).await
}
