//! Dates as files state them: ISO 8601, RFC 2822, PDF, written months, Unix times.

use std::time::{SystemTime, UNIX_EPOCH};

use indago_core::Date;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The UTC calendar date of a moment.
pub(super) fn of_time(time: SystemTime) -> Option<Date> {
    let seconds = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).ok()?,
        Err(before) => -i64::try_from(before.duration().as_secs()).ok()? - 1,
    };
    of_unix_seconds(seconds)
}

/// The UTC calendar date of a Unix time. Years 0 to 9999 only.
fn of_unix_seconds(seconds: i64) -> Option<Date> {
    // Days to civil date in the proleptic Gregorian calendar, counted from 1 March of year 0, so
    // that the leap day is the last of its year.
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return None;
    }
    Date::new(
        year as i32,
        u8::try_from(month).ok(),
        u8::try_from(day).ok(),
    )
}

/// Reads a date field. `None` when it is none that is understood.
pub(super) fn parse(text: &str) -> Option<Date> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    if let Some(pdf) = text.strip_prefix("D:") {
        return compact(pdf);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return digits(text);
    }
    if let Ok(date) = text.parse::<Date>() {
        return Some(date);
    }
    if text.as_bytes().get(4) == Some(&b'/') || text.as_bytes().get(4) == Some(&b'.') {
        return text.replace(['/', '.'], "-").parse().ok();
    }
    written(text)
}

/// A Unix time, in seconds or milliseconds, or a year, when the number can be nothing else.
pub(super) fn of_number(n: i64) -> Option<Date> {
    match n {
        1000..=2999 => Date::new(n as i32, None, None),
        100_000_000..=99_999_999_999 => of_unix_seconds(n),
        100_000_000_000..=99_999_999_999_999 => of_unix_seconds(n / 1000),
        _ => None,
    }
}

/// `2023`, `20231030`, or a Unix time.
fn digits(text: &str) -> Option<Date> {
    if text.len() == 8
        && let Some(date) = compact(text)
        && (1000..=2999).contains(&date.year)
    {
        return Some(date);
    }
    of_number(text.parse().ok()?)
}

/// `YYYY[MM[DD...]]` without separators, as PDF writes it.
fn compact(text: &str) -> Option<Date> {
    let digits: &str = &text[..text.bytes().take_while(u8::is_ascii_digit).count()];
    let year = digits.get(..4)?.parse().ok()?;
    let month = digits.get(4..6).and_then(|m| m.parse().ok());
    let day = month
        .and_then(|_| digits.get(6..8))
        .and_then(|d| d.parse().ok());
    Date::new(year, month, day)
}

/// `30 October 2023`, `Oct 30, 2023`, `Mon, 30 Oct 2023 20:56:51 +0000`, `October 2023`.
fn written(text: &str) -> Option<Date> {
    let (mut month, mut year, mut day) = (None, None, None);
    for word in text.split(|c: char| !c.is_alphanumeric() && c != ':') {
        if word.contains(':') {
            break; // the time of day; nothing of the date follows it
        }
        if word.is_empty() {
            continue;
        }
        if let Ok(n) = word
            .trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .parse::<i32>()
        {
            match word.bytes().take_while(u8::is_ascii_digit).count() {
                1 | 2 if day.is_none() => day = u8::try_from(n).ok(),
                4 if year.is_none() => year = Some(n),
                _ => return None,
            }
        } else if month.is_none() {
            month = month_number(word);
        }
    }
    month?;
    Date::new(year?, month, day)
}

fn month_number(word: &str) -> Option<u8> {
    let start = word.get(..3)?.to_ascii_lowercase();
    let index = MONTHS.iter().position(|month| *month == start)?;
    u8::try_from(index + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_forms_files_use() {
        for (text, expected) in [
            ("2023-10-30", "2023-10-30"),
            ("2023-10-30T20:56:51+00:00", "2023-10-30"),
            ("2023/10/30", "2023-10-30"),
            ("D:20231030205651Z00'00'", "2023-10-30"),
            ("D:2023", "2023"),
            ("20231030", "2023-10-30"),
            ("30 October 2023", "2023-10-30"),
            ("October 30th, 2023", "2023-10-30"),
            ("Mon, 30 Oct 2023 20:56:51 +0000", "2023-10-30"),
            ("Oct 2023", "2023-10"),
            ("2023", "2023"),
            ("1698699411", "2023-10-30"),
            ("1698699411000", "2023-10-30"),
        ] {
            assert_eq!(
                parse(text).map(|d| d.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for text in [
            "",
            "soon",
            "12",
            "2023-13-01",
            "the 5th",
            "D:",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn unix_times_become_civil_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(of_unix_seconds(seconds).unwrap().to_string(), expected);
        }
    }
}
