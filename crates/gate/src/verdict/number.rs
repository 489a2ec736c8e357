//! Numbers as people read them: three significant digits, no exponent where none is needed.

/// A number with three significant digits.
///
/// # Examples
/// ```
/// use cellgate_gate::verdict::format_number;
/// assert_eq!(format_number(0.123_456), "0.123");
/// assert_eq!(format_number(1234.6), "1235");
/// assert_eq!(format_number(1e-9), "1.00e-9");
/// ```
#[must_use]
pub fn format_number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:.2e}");
    let exponent: i32 = scientific.split_once('e').map_or(0, |(_, e)| e.parse().unwrap_or(0));
    match exponent {
        -4..=8 => format!("{value:.*}", usize::try_from(2 - exponent).unwrap_or(0)),
        _ => scientific,
    }
}

/// A number with three significant digits and its sign.
#[must_use]
pub fn format_signed(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", format_number(value))
}

/// A fraction in percent, with its sign.
#[must_use]
pub fn format_signed_percent(fraction: f64) -> String {
    let percent = 100.0 * fraction;
    let sign = if percent > 0.0 { "+" } else { "" };
    match percent.abs() {
        0.0 => "0 %".to_owned(),
        size if size < 0.05 => format!("{sign}{percent:.2} %"),
        size if size < 100.0 => format!("{sign}{percent:.1} %"),
        _ => format!("{sign}{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown() {
        let table = [
            (0.0, "0"),
            (1.0, "1.00"),
            (-12.345, "-12.3"),
            (99.95, "100"),
            (123456.7, "123457"),
            (0.00012345, "0.000123"),
            (2e12, "2.00e12"),
            (f64::INFINITY, "inf"),
        ];
        for (value, expected) in table {
            assert_eq!(format_number(value), expected);
        }
        assert_eq!((format_signed(2.0).as_str(), format_signed(-2.0).as_str()), ("+2.00", "-2.00"));
    }

    #[test]
    fn percent_keeps_small_shifts_visible() {
        let table = [(0.0, "0 %"), (0.042, "+4.2 %"), (-0.0001, "-0.01 %"), (3.5, "+350 %")];
        for (fraction, expected) in table {
            assert_eq!(format_signed_percent(fraction), expected);
        }
    }
}
