//! `indago models distill`: a table of word-piece vectors from a sentence encoder, without training
//! data (Model2Vec's recipe).
//!
//! Each word piece is encoded alone; the vectors are centred and turned to their principal
//! components; each is weighted by how rare its piece is. The order of the vocabulary stands in for
//! frequency: BERT's is sorted by it (Zipf's law gives the frequencies).

use std::fs;
use std::path::Path;

use indago_core::Cancel;
use indago_kernels::RowsF32;
use indago_kernels::quantize::Quantized;
use xxhash_rust::xxh3::xxh3_64;

use super::pca::Components;
use crate::tokenizer::{Vocabulary, WordPiece};
use crate::weights::container::ContainerWriter;
use crate::{MiniLm, ModelError};

/// Components kept. 256 of 384, so that the table stays below 8 MB.
const WIDTH: usize = 256;

/// The `a` of the weight `a / (a + p)` for a piece of probability `p` (Arora et al. 2017). The usual
/// 1e-4 is for words; at 3e-5 the table by itself ranks better on scifact, cranfield, cacm and
/// hotpotqa (nDCG@10 39.6, 26.7, 27.9, 59.3 against 38.9, 26.1, 27.2, 54.8).
const SMOOTHING: f64 = 3e-5;

/// Makes the table of `teacher` and writes it to `out`; returns its length in bytes.
///
/// The same teacher gives the same bytes on the same CPU. Takes about half a minute on two cores.
/// Sections:
///
/// | section      | content                                                             |
/// |--------------|---------------------------------------------------------------------|
/// | `about`      | provenance, a line of text                                          |
/// | `dims`       | u32: first word piece in the table, width                           |
/// | `vocabulary` | u32: low and high half of the xxh3-64 of the teacher's vocabulary   |
/// | `codes`      | i8 `[word pieces - first, width]`                                   |
/// | `scales`     | f32 a row                                                           |
///
/// # Errors
/// When the teacher cannot encode or the file cannot be written.
pub fn distill(teacher: &MiniLm, out: &Path, cancel: &Cancel) -> Result<u64, ModelError> {
    let bytes = to_bytes(teacher, cancel)?;
    fs::write(out, &bytes).map_err(ModelError::io(out))?;
    Ok(bytes.len() as u64)
}

fn to_bytes(teacher: &MiniLm, cancel: &Cancel) -> Result<Vec<u8>, ModelError> {
    let tokenizer = teacher.tokenizer();
    let vocabulary = tokenizer.vocabulary();
    let first = first_word(vocabulary);
    let sequences: Vec<Vec<u32>> = (first..vocabulary.len() as u32)
        .map(|id| vec![tokenizer.begin(), id, tokenizer.end()])
        .collect();
    let alone = teacher.encode_ids(&sequences, cancel)?;
    let width = WIDTH.min(alone.dim);
    let components = Components::of(&alone.data, alone.dim, width);
    let weights = zipf_weights(alone.rows, SMOOTHING);
    let mut table = Vec::with_capacity(alone.rows * width);
    for (row, weight) in alone.data.chunks_exact(alone.dim).zip(weights) {
        table.extend(
            components
                .project(row)
                .into_iter()
                .map(|x| x * weight as f32),
        );
    }
    let rows = RowsF32::new(&table, width)
        .map_err(|error| ModelError::format("table", error.to_string()))?;
    let quantized = Quantized::of(rows);
    let hash = vocabulary_hash(tokenizer);

    let mut file = ContainerWriter::default();
    file.add("about", about(teacher))?;
    file.add_numbers("dims", &[first, width as u32])?;
    file.add_numbers("vocabulary", &[hash as u32, (hash >> 32) as u32])?;
    file.add_codes("codes", &quantized.codes)?;
    file.add_floats("scales", &quantized.scales)?;
    Ok(file.finish())
}

fn about(teacher: &MiniLm) -> String {
    use indago_core::ports::Encoder;
    format!(
        "word-piece vectors distilled by `indago models distill` from {}",
        teacher.fingerprint()
    )
}

/// Identifies the word pieces that a table belongs to.
pub(crate) fn vocabulary_hash(tokenizer: &WordPiece) -> u64 {
    xxh3_64(tokenizer.vocabulary().text().as_bytes())
}

/// The first piece behind the special and unused ones (`[PAD]`, `[unused0]`, `[MASK]` ...), which
/// stand at the beginning of BERT's vocabulary.
fn first_word(vocabulary: &Vocabulary) -> u32 {
    let special = |id: &u32| {
        let piece = vocabulary.piece(*id);
        piece.len() > 2 && piece.starts_with('[') && piece.ends_with(']')
    };
    (0..vocabulary.len() as u32).take_while(special).count() as u32
}

/// Weight of each of `n` pieces in order of frequency: `a / (a + p)` with `p` proportional to
/// `1 / (rank + 2)`.
fn zipf_weights(n: usize, a: f64) -> Vec<f64> {
    let share = |rank: usize| 1.0 / (rank + 2) as f64;
    let total: f64 = (0..n).map(share).sum();
    (0..n).map(|rank| a / (a + share(rank) / total)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_grow_with_rank_as_in_the_method_card() {
        let weights = zipf_weights(30_522, 1e-4);
        for (rank, weight) in [
            (0, 0.0020),
            (1, 0.0030),
            (10, 0.0117),
            (100, 0.0917),
            (1000, 0.4981),
            (10_000, 0.9083),
        ] {
            assert!(
                (weights[rank] - weight).abs() < 1e-4,
                "{rank}: {}",
                weights[rank]
            );
        }
        assert!(weights.is_sorted());
    }

    #[test]
    fn special_pieces_at_the_beginning_are_left_out() {
        let vocabulary = Vocabulary::new("[PAD]\n[unused0]\n[\n]\nword\n[MASK]").unwrap();
        assert_eq!(first_word(&vocabulary), 2);
    }
}
