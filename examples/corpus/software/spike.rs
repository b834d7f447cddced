//! Spike detection for Tidemark 3, after section 2 of HCS-12.
//!
//! A value is a spike if it lies further than [`THRESHOLD_MADS`] median
//! absolute deviations from the median of its window. HCS-4 used the mean and
//! three standard deviations; during storm Agda that test passed every spike,
//! because the storm itself widened the deviation. Medians do not move.
//!
//! Author: Yusuf Benali, February 2021.

/// How many median absolute deviations a good value may be away.
pub const THRESHOLD_MADS: f64 = 6.0;

/// Length of the window in hours, centred on the value under test.
pub const WINDOW_HOURS: f64 = 24.0;

/// The deviation assumed when a window is perfectly flat, in the unit of the
/// series. Without it the first ripple after a calm would be flagged.
pub const FLOOR: f64 = 0.002;

/// The median of the values; `None` if there are none. Sorts in place.
pub fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        Some(values[middle])
    } else {
        Some((values[middle - 1] + values[middle]) / 2.0)
    }
}

/// The median absolute deviation around `centre`, never below [`FLOOR`].
pub fn median_absolute_deviation(values: &[f64], centre: f64) -> f64 {
    let mut distances: Vec<f64> = values.iter().map(|v| (v - centre).abs()).collect();
    median(&mut distances).unwrap_or(FLOOR).max(FLOOR)
}

/// Marks the spikes of a series of (hour, value) pairs in order of time.
pub fn spikes(series: &[(f64, f64)]) -> Vec<bool> {
    series
        .iter()
        .map(|&(hour, value)| {
            let mut window: Vec<f64> = series
                .iter()
                .filter(|(other, _)| (other - hour).abs() <= WINDOW_HOURS / 2.0)
                .map(|&(_, v)| v)
                .collect();
            let Some(centre) = median(&mut window) else {
                return false;
            };
            let allowed = THRESHOLD_MADS * median_absolute_deviation(&window, centre);
            (value - centre).abs() > allowed
        })
        .collect()
}
