//! Checks claims against the stored documents before anything is written.

use indago_core::Claim;
use indago_core::ports::{Library, TaskError};

use crate::entail::{Verdict, entails};

/// Claims that survived, and those that did not with the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// Every quote of these stands in its document, byte for byte.
    pub kept: Vec<Claim>,
    /// The text of each dropped claim and why it was dropped.
    pub dropped: Vec<(String, String)>,
}

/// Reads each quote again, byte for byte, and drops the claims whose quotes no longer stand where
/// they say or that say otherwise than their quotes.
pub async fn verify(library: &dyn Library, claims: Vec<Claim>) -> Result<Verified, TaskError> {
    let mut verified = Verified::default();
    for claim in claims {
        let mut broken = None;
        for quote in claim.quotes() {
            match library.reread(quote.clone()).await? {
                Some(text) if text == quote.text => {}
                Some(_) => {
                    broken = Some(format!(
                        "`{}` no longer has this text at bytes {}..{}",
                        quote.document, quote.start, quote.end
                    ));
                }
                None => {
                    broken = Some(format!(
                        "`{}` has no readable text at bytes {}..{}",
                        quote.document, quote.start, quote.end
                    ));
                }
            }
        }
        if broken.is_none()
            && let Verdict::Contradicted(reason) = entails(&claim)
        {
            broken = Some(reason);
        }
        match broken {
            None => verified.kept.push(claim),
            Some(reason) => verified.dropped.push((claim.text().to_owned(), reason)),
        }
    }
    Ok(verified)
}
