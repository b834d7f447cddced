//! Makes the static encoder's table from a model file or folder:
//! `cargo run --release -p indago-models --example distill -- MODEL OUT`.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(model), Some(out)) = (args.next(), args.next()) else {
        return Err("usage: distill MODEL OUT".into());
    };
    let teacher = indago_models::MiniLm::open(&model)?;
    let bytes = indago_models::distill(&teacher, &out, &indago_core::Cancel::new())?;
    println!("{}: {bytes} bytes", out.display());
    Ok(())
}
