//! `indago models quantize`: the published f32 weights as one int8 file.
//!
//! A reader is written without what it shares with the embedded encoder: words and their vectors.
//!
//! Matrices get 8-bit codes and a scale per output; word vectors 8-bit codes and a scale per word;
//! the rest (biases, norms, positions: 3% of the values) stays f32. No calibration data: the
//! activations keep 13 bits and more at run time, so only weights are rounded here.

use std::fs;
use std::path::Path;

use indago_kernels::RowsF32;
use indago_kernels::quantize::Quantized;

use crate::ModelError;
use crate::weights::container::ContainerWriter;
use crate::weights::{Checkpoint, DenseTensors, NormTensors};

/// Reads the checkpoint in `folder` and writes the int8 model file `out`; returns its length in
/// bytes.
///
/// The same folder gives the same bytes. Sections (`L` = layer number from 0):
///
/// | section                                     | content                                        |
/// |---------------------------------------------|------------------------------------------------|
/// | `about`                                     | provenance, a line of text                     |
/// | `dims`                                      | u32: hidden, heads, inner, layers, positions, word pieces |
/// | `eps`                                       | f32: added to variances                        |
/// | `vocabulary`                                | word pieces, one a line                        |
/// | `words.codes`, `words.scales`               | i8 `[word pieces, hidden]`, f32 a row          |
/// | `positions`                                 | f32 `[positions, hidden]`, token type 0 added  |
/// | `norm.gain`, `norm.bias`                    | f32 `[hidden]`, of the embeddings              |
/// | `L.{qkv,out,up,down}.{codes,scales,bias}`   | i8 `[outputs, inputs]`, f32 an output, f32 an output |
/// | `L.{out,down}_norm.{gain,bias}`             | f32 `[hidden]`                                 |
///
/// A folder with a reader ([`crate::Reader`]), which has `qa_outputs`, gives a file without
/// `vocabulary`, `words` and `positions`, and with `spans`: f32 `[2, hidden]`, starts and ends.
///
/// # Errors
/// When the folder is not that of a BERT-type encoder, or a file cannot be read or written.
pub fn quantize(folder: &Path, out: &Path) -> Result<u64, ModelError> {
    let bytes = if Checkpoint::is_reader(folder)? {
        let (model, head) = Checkpoint::read_reader(folder)?;
        reader_to_bytes(&model, &head)?
    } else {
        to_bytes(&Checkpoint::read(folder)?)?
    };
    fs::write(out, &bytes).map_err(ModelError::io(out))?;
    Ok(bytes.len() as u64)
}

pub(crate) fn to_bytes(model: &Checkpoint) -> Result<Vec<u8>, ModelError> {
    let mut file = ContainerWriter::default();
    add_sizes(&mut file, "sentence encoder", model)?;
    file.add("vocabulary", model.vocabulary.as_bytes())?;
    add_rows(&mut file, "words", &model.words, model.dims.hidden)?;
    file.add_floats("positions", &model.positions)?;
    add_layers(&mut file, model)?;
    Ok(file.finish())
}

/// The file of a reader, see [`quantize`].
pub(crate) fn reader_to_bytes(
    model: &Checkpoint,
    head: &DenseTensors,
) -> Result<Vec<u8>, ModelError> {
    let mut file = ContainerWriter::default();
    add_sizes(&mut file, "reader", model)?;
    add_layers(&mut file, model)?;
    file.add_floats("spans", &head.weights)?;
    Ok(file.finish())
}

fn add_sizes(file: &mut ContainerWriter, what: &str, model: &Checkpoint) -> Result<(), ModelError> {
    let dims = model.dims;
    file.add("about", about(what, model))?;
    let numbers = [
        dims.hidden,
        dims.heads,
        dims.inner,
        dims.layers,
        dims.positions,
        dims.vocabulary,
    ];
    file.add_numbers("dims", &numbers.map(|number| number as u32))?;
    file.add_floats("eps", &[dims.eps])
}

fn add_layers(file: &mut ContainerWriter, model: &Checkpoint) -> Result<(), ModelError> {
    let dims = model.dims;
    add_norm(file, "norm", &model.embedding_norm)?;
    for i in 0..dims.layers {
        let layer = model.layer(i)?;
        add_dense(file, &format!("{i}.qkv"), &layer.qkv, dims.hidden)?;
        add_dense(file, &format!("{i}.out"), &layer.out, dims.hidden)?;
        add_norm(file, &format!("{i}.out_norm"), &layer.out_norm)?;
        add_dense(file, &format!("{i}.up"), &layer.up, dims.hidden)?;
        add_dense(file, &format!("{i}.down"), &layer.down, dims.inner)?;
        add_norm(file, &format!("{i}.down_norm"), &layer.down_norm)?;
    }
    Ok(())
}

fn about(what: &str, model: &Checkpoint) -> String {
    format!(
        "{what} of the BERT family, weights rounded to int8 by `indago models quantize` from a \
         model.safetensors with xxh3-64 {:016x}",
        model.checksum
    )
}

fn add_rows(
    file: &mut ContainerWriter,
    name: &str,
    rows: &[f32],
    dim: usize,
) -> Result<(), ModelError> {
    let rows =
        RowsF32::new(rows, dim).map_err(|error| ModelError::format(name, error.to_string()))?;
    let quantized = Quantized::of(rows);
    file.add_codes(format!("{name}.codes"), &quantized.codes)?;
    file.add_floats(format!("{name}.scales"), &quantized.scales)
}

fn add_dense(
    file: &mut ContainerWriter,
    name: &str,
    dense: &DenseTensors,
    inputs: usize,
) -> Result<(), ModelError> {
    add_rows(file, name, &dense.weights, inputs)?;
    file.add_floats(format!("{name}.bias"), &dense.bias)
}

fn add_norm(file: &mut ContainerWriter, name: &str, norm: &NormTensors) -> Result<(), ModelError> {
    file.add_floats(format!("{name}.gain"), &norm.gain)?;
    file.add_floats(format!("{name}.bias"), &norm.bias)
}
