//! Durations as Go reads and writes them: `1h30m`, `1.5s`, `2m0s`.
//! Source: Go, package time (`ParseDuration`, `Duration.String`).

use std::time::Duration;

/// Reads a duration that is not negative. `None`: not a duration, negative, or beyond 2^63 - 1 ns.
pub fn parse(text: &[u8]) -> Option<Duration> {
    let mut rest = text.strip_prefix(b"+").unwrap_or(text);
    if rest == b"0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (whole, whole_digits, after) = digits(rest);
        let (mut fraction, mut scale, mut fraction_digits) = (0, 1u128, 0);
        rest = after;
        if let Some(after_point) = rest.strip_prefix(b".") {
            (fraction, fraction_digits, rest) = digits(after_point);
            scale = 10u128.checked_pow(u32::try_from(fraction_digits).ok()?)?;
        }
        if whole_digits + fraction_digits == 0 {
            return None;
        }
        let unit_len = rest.iter().position(|&b| b == b'.' || b.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, after) = rest.split_at(unit_len);
        let nanos: u128 = match unit {
            b"ns" => 1,
            b"us" | [0xc2, 0xb5, b's'] | [0xce, 0xbc, b's'] => 1_000,
            b"ms" => 1_000_000,
            b"s" => 1_000_000_000,
            b"m" => 60_000_000_000,
            b"h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(whole.checked_mul(nanos)?)?;
        total = total.checked_add(fraction.checked_mul(nanos)? / scale)?;
        rest = after;
    }
    i64::try_from(total).ok().map(|nanos| Duration::from_nanos(nanos.unsigned_abs()))
}

/// Writes a duration of any length.
pub fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < 1_000_000_000 {
        let (unit, scale) = match nanos {
            ..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return decimal(nanos, scale) + unit;
    }
    let (minutes, rest) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
    let seconds = decimal(rest, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Value of the digits in front (saturating), how many there are, and what follows.
fn digits(text: &[u8]) -> (u128, usize, &[u8]) {
    let len = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let value = text[..len]
        .iter()
        .fold(0u128, |value, digit| value.saturating_mul(10).saturating_add(u128::from(digit - b'0')));
    (value, len, &text[len..])
}

fn decimal(value: u128, scale: u128) -> String {
    let (whole, rest) = (value / scale, value % scale);
    if rest == 0 {
        return whole.to_string();
    }
    let width = scale.ilog10() as usize;
    format!("{whole}.{rest:0width$}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(parse(b"1h30m"), ms(5_400_000));
        assert_eq!(parse(b"1.5s"), ms(1_500));
        assert_eq!(parse(b".5s"), ms(500));
        assert_eq!(parse(b"1.s"), ms(1_000));
        assert_eq!(parse(b"0"), ms(0));
        for bad in [&b""[..], b"5", b"-1s", b"1x", b"s", b".s", b"1s1", b"9999999999h", b" 1s"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        let text = |nanos| format(Duration::from_nanos(nanos));
        assert_eq!(text(0), "0s");
        assert_eq!(text(1_500), "1.5µs");
        assert_eq!(text(100_000_000), "100ms");
        assert_eq!(text(120_000_000_000), "2m0s");
        assert_eq!(text(3_601_500_000_000), "1h0m1.5s");
    }
}
