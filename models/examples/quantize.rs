//! Makes the int8 model file from a folder with the published weights:
//! `cargo run --release -p indago-models --example quantize -- FOLDER OUT`.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(out)) = (args.next(), args.next()) else {
        return Err("usage: quantize FOLDER OUT".into());
    };
    let bytes = indago_models::quantize(&folder, &out)?;
    println!("{}: {bytes} bytes", out.display());
    Ok(())
}
