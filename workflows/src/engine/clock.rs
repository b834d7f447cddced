//! The wall clock, and run ids made from it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use indago_core::{ContentHash, RunId};

/// Milliseconds since the Unix epoch; 0 on a clock before it.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// A fresh id such as `20261121-071655-3f9a2c`: the time of day in UTC, so that ids sort by time,
/// and six digits that no two processes are likely to share within one second.
pub fn new_run_id() -> RunId {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let time: String = utc(since.as_millis() as u64)
        .chars()
        .filter_map(|sign| match sign {
            ' ' => Some('-'),
            digit if digit.is_ascii_digit() => Some(digit),
            _ => None,
        })
        .collect();
    let salt = format!(
        "{} {} {}",
        std::process::id(),
        since.as_nanos(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    );
    let digits = &ContentHash::of(salt.as_bytes()).to_string()[..6];
    RunId::new(format!("{time}-{digits}"))
}

/// Milliseconds since the Unix epoch as `2026-11-21 07:16:30`, UTC.
pub fn utc(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a day counted from 1 January 1970, by Howard Hinnant's `civil_from_days`.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_calendars_have_them() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_795_245_390, "2026-11-21 07:16:30"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(seconds * 1_000), text);
        }
    }

    #[test]
    fn ids_are_fresh() {
        assert_ne!(new_run_id(), new_run_id());
    }
}
