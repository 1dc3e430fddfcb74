//! Durations, rates and shares as people write and read them.
//! May import: nothing.
//! Must not know: what they belong to.

use std::time::Duration;

/// Longest duration that may be written. A week.
const DURATION_MAX: Duration = Duration::from_secs(604_800);

/// `500us`, `2ms`, `1.5s`, `10m`, `1h`. Errors: a sentence.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is no duration: a number and ns, us, ms, s, m or h, as in \"500us\"");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit.trim() {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    match Duration::try_from_secs_f64(number * unit) {
        Ok(duration) if duration <= DURATION_MAX => Ok(duration),
        _ => Err(format!("\"{text}\" is more than a week")),
    }
}

/// `5%` or `0.05` as a share. Errors: a sentence.
pub fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.trim(), 0.01),
        None => (text.trim(), 1.0),
    };
    match number.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&(number * unit)) => Ok(number * unit),
        _ => Err(format!("\"{text}\" is no share: 0% to 100%")),
    }
}

/// Nanoseconds with three digits and a unit: `812 ns`, `48.2 µs`, `1.25 ms`, `2.00 s`.
pub fn nanoseconds(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        n if n < 999.5 => return format!("{n:.0} ns"),
        n if n < 999.5e3 => (n / 1e3, "µs"),
        n if n < 999.5e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

/// Up to 999 with three digits, above with commas: `0.52`, `48.2`, `12,345`.
pub fn number(value: f64) -> String {
    match value {
        v if !v.is_finite() => "–".into(),
        0.0 => "0".into(),
        v if v.abs() < 999.5 && v.fract() != 0.0 => three_digits(v),
        v => grouped(v),
    }
}

/// So many of something: `1 stream`, `2 streams`.
pub fn count(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// A ratio with three digits and its sign: `12.3 ×`.
pub fn ratio(value: f64) -> String {
    format!("{} ×", factor(value))
}

/// A ratio with three digits: `2.00`, `12.3`, `1,234`.
pub fn factor(value: f64) -> String {
    if value.abs() < 999.5 { three_digits(value) } else { grouped(value) }
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v < 0.0995 => format!("{value:.4}"),
        v if v < 9.995 => format!("{value:.2}"),
        v if v < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("500us"), Ok(Duration::from_micros(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("10 ms"), Ok(Duration::from_millis(10)));
        for wrong in ["", "5", "ms", "-1s", "1.2.3s", "5 lightyears", "9999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_stay_within_one() {
        assert_eq!(share("5%"), Ok(0.05));
        assert_eq!(share("0.25"), Ok(0.25));
        assert!(share("101%").is_err() && share("-1").is_err() && share("many").is_err());
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!((count(1u32, "stream"), count(0u32, "stream")), ("1 stream".into(), "0 streams".into()));
    }

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(nanoseconds(812.0), "812 ns");
        assert_eq!(nanoseconds(48_230.0), "48.2 µs");
        assert_eq!(nanoseconds(999_600.0), "1.00 ms");
        assert_eq!(nanoseconds(2e9), "2.00 s");
        assert_eq!(number(2_345_678.4), "2,345,678");
        assert_eq!(
            (number(0.517), number(12.34), number(100.0)),
            ("0.52".into(), "12.3".into(), "100".into())
        );
    }
}
