//! `--device`: what was picked, and saying so.

use indago_core::Cancel;

use super::printer::Printer;
use super::settings::{Origin, Settings};
use crate::{Compute, Error, Work};

/// Opens the device of the settings and says what was picked when somebody asked for one, when it is
/// a GPU, and when there is one that could not be used.
pub(super) fn choose(
    settings: &Settings,
    work: Work,
    printer: Printer,
    cancel: &Cancel,
) -> Result<Compute, Error> {
    let device = &settings.device;
    let compute = Compute::choose(device.value, work, cancel)?;
    if compute.is_gpu() || compute.fell_back() || device.origin != Origin::Default {
        printer.note(&format!("device: {}", compute.describe()));
    }
    Ok(compute)
}
