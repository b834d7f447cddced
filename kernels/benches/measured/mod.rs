//! What making something costs.

use std::time::Instant;

/// A figure of this process in KiB, 0 where the system does not say.
fn kilobytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.map_or(0, |figure| figure.parse().unwrap_or(0))
}

/// What `make` gives, the seconds it takes, and the KiB of memory on top of what was in use.
pub(crate) fn measured<T>(make: impl FnOnce() -> T) -> (T, f64, u64) {
    // From here on the peak of memory is counted anew.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = kilobytes("VmRSS");
    let begin = Instant::now();
    let made = make();
    let seconds = begin.elapsed().as_secs_f64();
    (made, seconds, kilobytes("VmHWM").saturating_sub(before))
}
