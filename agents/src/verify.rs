//! Checks claims against the stored documents before anything is written: a compiler pass, not a
//! prompt.

use std::collections::BTreeMap;

use indago_core::ports::{Library, TaskError};
use indago_core::{Claim, PassageId};

use crate::entail::{Verdict, bound_to, entails};

/// Claims that survived, and those that did not with the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// Every quote of these stands in its document, byte for byte.
    pub kept: Vec<Claim>,
    /// The text of each dropped claim and why it was dropped.
    pub dropped: Vec<(String, String)>,
}

/// What the rules say of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It stands.
    Kept,
    /// It does not, for this reason.
    Dropped(String),
    /// Everything that rules can check stands, but they cannot tell whether the quotes say it.
    Open(String),
}

/// How hard claims are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verifier {
    strict: bool,
}

impl Verifier {
    /// For claims that somebody wrote: everything checkable in them has to stand in their quotes.
    pub fn strict() -> Self {
        Self { strict: true }
    }

    /// Reads each quote again, byte for byte, and drops the claims whose quotes no longer stand
    /// where they say, or that say otherwise than their quotes. What the rules leave open is
    /// dropped too: unknown is no support.
    ///
    /// # Errors
    /// When the corpus cannot be read.
    pub async fn verify(
        &self,
        library: &dyn Library,
        claims: Vec<Claim>,
    ) -> Result<Verified, TaskError> {
        let mut verified = Verified::default();
        for (claim, standing) in self.look(library, claims).await? {
            match standing {
                Standing::Kept => verified.kept.push(claim),
                Standing::Dropped(reason) => {
                    verified.dropped.push((claim.text().to_owned(), reason));
                }
                Standing::Open(reason) => verified
                    .dropped
                    .push((claim.text().to_owned(), format!("unknown: {reason}"))),
            }
        }
        Ok(verified)
    }

    /// What the rules say of each claim, in the same order.
    ///
    /// # Errors
    /// When the corpus cannot be read.
    pub async fn look(
        &self,
        library: &dyn Library,
        claims: Vec<Claim>,
    ) -> Result<Vec<(Claim, Standing)>, TaskError> {
        let titles = if self.strict {
            titles(library, &claims).await?
        } else {
            BTreeMap::new()
        };
        let mut looked = Vec::with_capacity(claims.len());
        for claim in claims {
            let standing = match broken_quote(library, &claim).await? {
                Some(reason) => Standing::Dropped(reason),
                None if self.strict => standing(&claim, &titles),
                None => match entails(&claim) {
                    Verdict::Contradicted(reason) => Standing::Dropped(reason),
                    _ => Standing::Kept,
                },
            };
            looked.push((claim, standing));
        }
        Ok(looked)
    }
}

/// Whether a written claim stands on its quotes.
fn standing(claim: &Claim, titles: &BTreeMap<PassageId, String>) -> Standing {
    let quotes: Vec<&str> = claim.quotes().iter().map(|q| q.text.as_str()).collect();
    let about: Vec<&str> = claim
        .quotes()
        .iter()
        .filter_map(|q| titles.get(&q.passage))
        .map(String::as_str)
        .collect();
    match bound_to(claim.text(), &quotes, &about) {
        Verdict::Supported => Standing::Kept,
        Verdict::Contradicted(reason) => Standing::Dropped(reason),
        Verdict::Unknown(reason) => Standing::Open(reason),
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
