//! `indago config show`.

use super::Exit;
use super::printer::Printer;
use super::settings::Settings;
use super::table::Table;

/// Prints each setting, its value and where it came from.
pub(super) fn show(settings: &Settings, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let shown = settings.show();
    if json {
        printer.json(&shown)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["setting", "value", "from"]);
    for row in &shown {
        table.row([
            row.key.to_owned(),
            row.value.clone(),
            row.origin.to_string(),
        ]);
    }
    printer.data(&table.to_string())?;
    Ok(Exit::Done)
}
