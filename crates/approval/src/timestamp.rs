//! Timestamp: a moment in UTC, to the second, as RFC 3339 writes it.
//!
//! Takes text, or seconds that the caller has read from a clock; reads none itself.

use std::fmt;
use std::str::FromStr;

const SECONDS_A_DAY: u64 = 86_400;

/// A moment in UTC, to the second: `2026-03-01T09:30:00Z`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(String);

/// The text is not a moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a moment in UTC like `2026-03-01T09:30:00Z`")]
pub struct TimestampSyntax;

impl Timestamp {
    /// The moment so many seconds after 1970-01-01T00:00:00Z.
    ///
    /// # Sources
    /// Hinnant, chrono-Compatible Low-Level Date Algorithms, `civil_from_days`.
    #[must_use]
    pub fn from_unix(seconds: u64) -> Self {
        // Years begin in March here, so that the day of the leap year is the last one.
        let (days, second) = (seconds / SECONDS_A_DAY + 719_468, seconds % SECONDS_A_DAY);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        Self(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampSyntax;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &[u8] = b"0000-00-00T00:00:00Z";
        let fits = |(byte, form): (&u8, &u8)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == form,
        };
        if text.len() != FORM.len() || !text.as_bytes().iter().zip(FORM).all(fits) {
            return Err(TimestampSyntax);
        }
        let number = |from: usize| text[from..from + 2].parse().unwrap_or(u8::MAX);
        let is_date = (1..=12).contains(&number(5)) && (1..=31).contains(&number(8));
        let is_time = number(11) < 24 && number(14) < 60 && number(17) <= 60;
        if is_date && is_time { Ok(Self(text.to_owned())) } else { Err(TimestampSyntax) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, expected) in table {
            assert_eq!(Timestamp::from_unix(seconds).as_str(), expected);
            assert_eq!(expected.parse(), Ok(Timestamp::from_unix(seconds)));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2026-03-01",
            "2026-03-01 09:30:00Z",
            "2026-03-01T09:30:00+01:00",
            "2026-13-01T09:30:00Z",
            "2026-03-01T24:30:00Z",
            "2026-03-01T09:30:00z",
            "２026-03-01T09:30:0Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampSyntax), "{text}");
        }
    }
}
