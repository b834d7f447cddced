//! Cross-encoders of the BERT family: query and text in one sequence, one score out (Nogueira and
//! Cho 2019, "Passage re-ranking with BERT").

use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, PairScorer};
use indago_kernels::{add_layer_norm, mean_rows};

use super::bert::{Bert, HeadLayer, Sequence};
use super::gate::activate;
use crate::ModelError;
use crate::weights::{Activation, Folder, Head, NormTensors, Pooling};

/// A reranker with one label (`BertForSequenceClassification` and its likes), in f32, from a folder.
///
/// A score is the label's logit, without the sigmoid that some wrap around it: the order is the
/// same. Scores of different queries do not compare.
#[derive(Debug)]
pub struct CrossEncoder {
    body: Bert,
    /// What the pooler sees: the first token, or the mean of all.
    of: Pooling,
    pooler: HeadLayer,
    activation: Activation,
    norm: Option<NormTensors>,
    classifier: HeadLayer,
    /// End tokens between query and text.
    between: usize,
}

impl CrossEncoder {
    /// The model in `folder`: `config.json`, `tokenizer.json` or `vocab.txt`, `model.safetensors`.
    ///
    /// # Errors
    /// When a file is missing or of a kind that is not known.
    pub fn open(folder: &Path) -> Result<Self, EncodeError> {
        Self::read(folder).map_err(|error| error.of_model(&folder.display().to_string()))
    }

    fn read(folder: &Path) -> Result<Self, ModelError> {
        Self::of(folder, Folder::read(folder)?)
    }

    /// The model that was read from `folder`.
    pub(super) fn of(folder: &Path, read: Folder) -> Result<Self, ModelError> {
        let Folder {
            model,
            tokenizer,
            between,
            head,
            precision,
            ..
        } = read;
        let Head::Classifier {
            of,
            pooler,
            activation,
            norm,
            classifier,
        } = head
        else {
            let reason = "it is no cross-encoder (`BertForSequenceClassification` and the like)";
            return Err(ModelError::format(folder.display().to_string(), reason));
        };
        let body = Bert::new(folder, model, tokenizer, precision)?;
        if body.dims.positions < 3 + between {
            let reason = format!(
                "its {} positions hold no pair of texts",
                body.dims.positions
            );
            return Err(ModelError::format(folder.display().to_string(), reason));
        }
        Ok(Self {
            body,
            of,
            pooler: HeadLayer::new(pooler)?,
            activation,
            norm,
            classifier: HeadLayer::new(classifier)?,
            between,
        })
    }

    /// Token ids of the query with each of `texts`.
    pub(super) fn pairs(&self, query: &str, texts: &[&str]) -> Vec<Sequence> {
        // Whole, since the longer of two texts is cut more.
        let query = self.body.tokenizer.tokens(query, usize::MAX);
        texts.iter().map(|text| self.pair(&query, text)).collect()
    }

    /// Tokens of both texts that fit between the special ones.
    fn room(&self) -> usize {
        self.body.dims.positions - 2 - self.between
    }

    /// `[CLS] query [SEP] text [SEP]`, the longer of the two cut first; RoBERTa's family has two end
    /// tokens in the middle.
    fn pair(&self, query: &[u32], text: &str) -> Sequence {
        let tokenizer = &self.body.tokenizer;
        let room = self.room();
        // As far as it takes to see which one is longer.
        let text = tokenizer.tokens(text, room.max(query.len() + 1));
        let (query_room, text_room) = shares(query.len(), text.len(), room);
        let mut ids = vec![tokenizer.begin()];
        ids.extend(query.iter().take(query_room));
        ids.extend(std::iter::repeat_n(tokenizer.end(), self.between));
        let second = ids.len();
        ids.extend(text.iter().take(text_room));
        ids.push(tokenizer.end());
        Sequence {
            second,
            ..Sequence::of_one(ids)
        }
    }
}

/// Tokens that are kept of two texts in `room`: the longer loses until it is as long as the other,
/// as the `longest_first` of the reference tokenizers.
fn shares(a: usize, b: usize, room: usize) -> (usize, usize) {
    if a + b <= room {
        return (a, b);
    }
    let (short, long) = (a.min(b), a.max(b));
    let kept_long = long.min(room.saturating_sub(short).max(short));
    let (short, long) = if short + kept_long > room {
        (room / 2, room - room / 2)
    } else {
        (short, kept_long)
    };
    if a > b { (long, short) } else { (short, long) }
}

impl PairScorer for CrossEncoder {
    fn name(&self) -> &str {
        &self.body.name
    }

    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        let pairs = self.pairs(query, texts);
        let width = self.body.dims.hidden;
        let head = |tokens: &[f32], out: &mut [f32]| {
            let mut pooled = match self.of {
                Pooling::Mean => {
                    let mut mean = vec![0.0; width];
                    mean_rows(tokens, &mut mean);
                    self.pooler.apply(&mean)
                }
                Pooling::Cls | Pooling::Max => self.pooler.apply(&tokens[..width]),
            };
            activate(self.activation, &mut pooled);
            if let Some(NormTensors { gain, bias }) = &self.norm {
                let nothing = vec![0.0; width];
                add_layer_norm(&mut pooled, &nothing, gain, bias, self.body.dims.eps);
            }
            out.copy_from_slice(&self.classifier.apply(&pooled));
        };
        self.body.map(&pairs, 1, head, cancel)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longer_text_is_cut_first() {
        assert_eq!(shares(3, 4, 10), (3, 4));
        assert_eq!(shares(3, 20, 10), (3, 7));
        assert_eq!(shares(20, 3, 10), (7, 3));
        assert_eq!(shares(20, 30, 11), (5, 6));
        assert_eq!(shares(30, 20, 11), (6, 5));
    }

    proptest! {
        #[test]
        fn shares_fill_the_room(a in 0usize..600, b in 0usize..600, room in 1usize..512) {
            let (x, y) = shares(a, b, room);
            prop_assert!(x <= a && y <= b);
            prop_assert_eq!(x + y, room.min(a + b));
        }
    }
}
