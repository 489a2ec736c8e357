//! Scalars: the value of an unquoted word of YAML, by the core schema of YAML 1.2.
//!
//! Takes the word, gives a JSON value. `yes`, `no` and dates are text, as the core schema has it.
//!
//! # Sources
//! YAML 1.2.2, section 10.3.2, <https://yaml.org/spec/1.2.2/#1032-tag-resolution>.

use serde_json::{Number, Value};

/// The value of a plain scalar; `None` for a number that is not finite.
pub(super) fn resolve(word: &str) -> Option<Value> {
    Some(match word {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_not_finite(word) => return None,
        _ => match parse_integer(word) {
            Some(number) => Value::Number(number),
            None if is_decimal(word) => {
                Value::Number(word.parse().ok().and_then(Number::from_f64)?)
            }
            None => Value::String(word.to_owned()),
        },
    })
}

fn is_not_finite(word: &str) -> bool {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(word, ".nan" | ".NaN" | ".NAN")
}

/// Whole numbers in decimal, `0o` octal and `0x` hexadecimal that fit 64 bits.
fn parse_integer(word: &str) -> Option<Number> {
    let in_radix = |digits: &str, radix| {
        let is_unsigned = !digits.starts_with(['+', '-']);
        is_unsigned.then(|| u64::from_str_radix(digits, radix).ok()).flatten().map(Number::from)
    };
    if let Some(digits) = word.strip_prefix("0o") {
        return in_radix(digits, 8);
    }
    if let Some(digits) = word.strip_prefix("0x") {
        return in_radix(digits, 16);
    }
    let signed = word.parse::<i64>().ok().map(Number::from);
    signed.or_else(|| word.parse::<u64>().ok().map(Number::from))
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_decimal(word: &str) -> bool {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_exponent_valid = exponent.is_none_or(|digits| {
        let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        !digits.is_empty() && all_digits(digits)
    });
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    has_digits && all_digits(whole) && all_digits(fraction) && is_exponent_valid
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(word: &str, expected: Value) {
        assert_eq!(resolve(word), Some(expected), "{word}");
    }

    #[test]
    fn words_mean_what_the_core_schema_says() {
        check("~", json!(null));
        check("True", json!(true));
        check("yes", json!("yes"));
        check("12", json!(12));
        check("-12", json!(-12));
        check("+12", json!(12));
        check("007", json!(7));
        check("0o17", json!(15));
        check("0xff", json!(255));
        check("0x-1", json!("0x-1"));
        check("18446744073709551615", json!(18_446_744_073_709_551_615_u64));
        check("18446744073709551616", json!(18_446_744_073_709_551_616.0));
        check(".5", json!(0.5));
        check("5.", json!(5.0));
        check("1e-3", json!(0.001));
        check("-1.5E+2", json!(-150.0));
        check("1e", json!("1e"));
        check(".", json!("."));
        check("1.2.3", json!("1.2.3"));
        check("2026-01-01", json!("2026-01-01"));
        check("inf", json!("inf"));
        check("NaN", json!("NaN"));
    }

    #[test]
    fn numbers_that_are_not_finite_have_no_value() {
        for word in [".nan", ".inf", "-.INF", "+.Inf", "1e999"] {
            assert_eq!(resolve(word), None, "{word}");
        }
    }
}
