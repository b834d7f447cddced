//! `indago completions` and `indago man`: pages made from the typed arguments.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use super::Exit;
use super::args::Cli;
use super::printer::Printer;

/// Prints completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell, printer: Printer) -> anyhow::Result<Exit> {
    let mut page = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "indago", &mut page);
    printer.data(&String::from_utf8(page)?)?;
    Ok(Exit::Done)
}

/// Prints the manual page of the program, or writes one page per command into `out`.
pub(super) fn man(out: Option<&Path>, printer: Printer) -> anyhow::Result<Exit> {
    let Some(folder) = out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        printer.data(&String::from_utf8(page)?)?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create `{}`", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write into `{}`", folder.display()))?;
    Ok(Exit::Done)
}
