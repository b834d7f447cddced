//! What an encoder's cosines mean: where it puts texts that have nothing to do with each other, and a
//! question and its answer.
//!
//! The fusion and what is fitted behind it know the cosines of one encoder, which is near 0 for
//! strangers. Others are not: training with low temperatures leaves all texts within a narrow
//! cone (Ethayarajh, EMNLP 2019; E5's cosines are published as lying between 0.7 and 1), on whose
//! cosines the whole scale from -1 looks flat. So each encoder is asked about the same few pairs, and
//! its scale is that of the known one, moved until both agree on strangers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Role};

use crate::encoded;
use crate::fuse::ScoreScale;

/// Questions with passages that answer them, each about something else.
const PAIRS: [(&str, &str); 12] = [
    (
        "When was the lighthouse on the cape first lit?",
        "Ships had been wrecked on the cape for centuries before its lighthouse was lit in 1871.",
    ),
    (
        "How does yeast make bread rise?",
        "Yeast feeds on the sugar in dough and gives off gas, whose bubbles lift the loaf.",
    ),
    (
        "who wrote the opera about a barber",
        "Rossini finished his opera about the barber of Seville in less than three weeks.",
    ),
    (
        "effects of aspirin on blood clotting",
        "Aspirin blocks an enzyme in platelets, so that blood clots more slowly for some days.",
    ),
    (
        "Why do programs need garbage collection?",
        "A garbage collector frees memory that the program no longer reaches, so that programmers \
         need not do it by hand.",
    ),
    (
        "What do barn owls eat?",
        "Voles and mice are most of what barn owls feed on; pellets also hold shrews.",
    ),
    (
        "minimum wage increase small firms employment",
        "After the minimum wage went up, small firms employed about as many people as before.",
    ),
    (
        "Which glacier feeds the river Rhone?",
        "The Rhone springs from a glacier in the Swiss Alps that has been melting back for a \
         century.",
    ),
    (
        "How long is a football match?",
        "A football match has two halves of forty-five minutes each, and time that the referee \
         adds.",
    ),
    (
        "lease termination notice period for tenants",
        "Tenants may end the lease at the end of a month, with notice of at least three months.",
    ),
    (
        "Who painted the ceiling of the chapel?",
        "The ceiling of the chapel was painted by Michelangelo, lying on a scaffold for four years.",
    ),
    (
        "temperature at which steel melts",
        "Depending on its carbon, steel melts at somewhere between 1,370 and 1,540 degrees.",
    ),
];

/// Mean cosine of strangers (a question of [`PAIRS`] and a passage that answers another) by the encoder
/// that [`ScoreScale::COSINE`] was stated for.
const STATED: f32 = 0.0276;

/// How much higher the mean cosine of answers is at least, with an encoder that tells them from
/// strangers.
const APART: f32 = 0.02;

/// The scale of an encoder's cosines: [`ScoreScale::COSINE`], with strangers where this encoder has them
/// and 1 where it is. So a fusion is the same whether an encoder's vectors lie in a cone or
/// all around.
///
/// Unchanged for an encoder that does not tell answers from strangers: nothing better is known of it.
/// Encodes two dozen sentences, once a process and encoder.
///
/// # Errors
/// When the encoder fails, or gives other vectors than it says.
pub fn scale_of(encoder: &dyn Encoder) -> Result<ScoreScale, EncodeError> {
    static KNOWN: Mutex<BTreeMap<String, ScoreScale>> = Mutex::new(BTreeMap::new());
    if let Some(strangers) = encoder.strangers() {
        return Ok(around(strangers));
    }
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(scale) = known().get(encoder.fingerprint()) {
        return Ok(*scale);
    }
    let strangers = strangers(encoder)?;
    tracing::debug!(
        encoder = encoder.name(),
        ?strangers,
        "the scale of its cosines"
    );
    let scale = strangers.map_or(ScoreScale::COSINE, around);
    known().insert(encoder.fingerprint().to_owned(), scale);
    Ok(scale)
}

/// Mean cosine of questions and passages that answer others; `None` if that of their own is hardly
/// higher.
fn strangers(encoder: &dyn Encoder) -> Result<Option<f32>, EncodeError> {
    let (questions, passages): (Vec<&str>, Vec<&str>) = PAIRS.into_iter().unzip();
    let questions = encoded::encode(encoder, &questions, Role::Query, &Cancel::new())?;
    let passages = encoded::encode(encoder, &passages, Role::Passage, &Cancel::new())?;
    let (mut strangers, mut answers) = (0.0, 0.0);
    for q in 0..PAIRS.len() {
        for p in 0..PAIRS.len() {
            let values = questions.row(q).iter().zip(passages.row(p));
            let cosine: f32 = values.map(|(x, y)| x * y).sum();
            *(if q == p { &mut answers } else { &mut strangers }) += cosine;
        }
    }
    let n = PAIRS.len() as f32;
    let (strangers, answers) = (strangers / (n * (n - 1.0)), answers / n);
    Ok((answers - strangers >= APART).then_some(strangers))
}

/// [`ScoreScale::COSINE`] with its strangers moved to `strangers` and 1 left where it is.
fn around(strangers: f32) -> ScoreScale {
    // Exactly, so that nothing depends on rounding where nothing is moved.
    if strangers.to_bits() == STATED.to_bits() {
        return ScoreScale::COSINE;
    }
    let stretch = (1.0 - strangers) / (1.0 - STATED);
    let here = |there: f32| 1.0 - (1.0 - there) * stretch;
    let ScoreScale {
        floor,
        unrelated,
        silent,
        sure,
    } = ScoreScale::COSINE;
    ScoreScale {
        floor: here(floor),
        unrelated: here(unrelated),
        silent: here(silent),
        sure: here(sure),
    }
}

#[cfg(test)]
mod tests {
    use indago_core::ports::Matrix;
    use proptest::prelude::*;

    use super::*;

    /// Counts words; all vectors have a share of one direction in common.
    struct Cone {
        common: f32,
        fingerprint: String,
    }

    impl Cone {
        fn of(common: f32) -> Self {
            let fingerprint = format!("cone {common}");
            Self {
                common,
                fingerprint,
            }
        }

        fn row(&self, text: &str) -> Vec<f32> {
            let mut row = vec![0.0; 64];
            for range in indago_text::words(text) {
                let word = text[range].to_lowercase();
                row[xxhash_rust::xxh3::xxh3_64(word.as_bytes()) as usize % 64] += 1.0;
            }
            let scale = |row: &mut [f32], to: f32| {
                let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
                for x in row {
                    *x *= to / length.max(f32::MIN_POSITIVE);
                }
            };
            scale(&mut row, (1.0 - self.common * self.common).sqrt());
            row.push(self.common);
            row
        }
    }

    impl Encoder for Cone {
        fn name(&self) -> &'static str {
            "cone"
        }

        fn fingerprint(&self) -> &str {
            &self.fingerprint
        }

        fn dim(&self) -> usize {
            65
        }

        fn encode(&self, texts: &[&str], _: Role, _: &Cancel) -> Result<Matrix, EncodeError> {
            let data = texts.iter().flat_map(|text| self.row(text)).collect();
            Ok(Matrix {
                rows: texts.len(),
                dim: 65,
                data,
            })
        }
    }

    #[test]
    fn what_all_vectors_have_in_common_changes_nothing() {
        let place = |scale: ScoreScale, cosine: f32| {
            let best = 1.0 - 0.3 * (1.0 - scale.floor) / 2.0;
            (cosine - scale.floor) / (best - scale.floor)
        };
        let plain = scale_of(&Cone::of(0.0)).unwrap();
        for common in [0.3_f32, 0.6, 0.85] {
            let scale = scale_of(&Cone::of(common)).unwrap();
            for cosine in [-0.2, 0.1, 0.5, 0.7] {
                let in_cone = common * common + (1.0 - common * common) * cosine;
                let (here, there) = (place(scale, in_cone), place(plain, cosine));
                assert!(
                    (here - there).abs() < 1e-3,
                    "{common} {cosine}: {here} {there}"
                );
            }
            let (a, b) = (place(scale, scale.silent), place(plain, plain.silent));
            assert!((a - b).abs() < 1e-3, "{a} {b}");
            assert!(scale.silent > plain.silent && scale.silent < scale.sure);
        }
    }

    #[test]
    fn an_encoder_whose_vectors_are_no_numbers_is_refused() {
        let error = scale_of(&Cone::of(f32::NAN)).unwrap_err().to_string();
        assert!(error.contains("not a finite number"), "{error}");
    }

    #[test]
    fn an_encoder_that_tells_nothing_apart_keeps_the_usual_scale() {
        assert_eq!(scale_of(&Cone::of(1.0)).unwrap(), ScoreScale::COSINE);
    }

    proptest! {
        #[test]
        fn scales_keep_their_order_and_end_at_one(strangers in -0.5_f32..0.99) {
            let scale = around(strangers);
            prop_assert!(scale.floor < scale.unrelated && scale.unrelated < scale.silent);
            prop_assert!(scale.silent < scale.sure && scale.sure < 1.0);
        }
    }
}
