//! Durations as text, as Go's `time.Duration` prints and reads them: `1h30m`, `1.5s`, `2m0s`.
//! May import: nothing.
//! Must not know: what a duration is for.

/// A duration as Go prints it: `1.5s`, `2m0s`, `100ms`. Nanoseconds.
pub fn text(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let body = match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{total}ns"),
        1_000..1_000_000 => decimal(total, 1_000) + "µs",
        1_000_000..SECOND => decimal(total, 1_000_000) + "ms",
        _ => {
            let (minutes, rest) = (total / (60 * SECOND), total % (60 * SECOND));
            let seconds = decimal(rest, SECOND) + "s";
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{body}")
}

/// Reads what Go's `time.ParseDuration` reads: `1h15m`, `-1.5s`, `+300ms`, `0`. Nanoseconds; `None` if it is none or
/// does not fit.
pub fn parse(text: &[u8]) -> Option<i64> {
    let (negative, mut rest) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0i128;
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let (unit, after) = split_while(after, |byte| !byte.is_ascii_digit() && byte != b'.');
        total += quantity(number, unit_len(unit)?)?;
        if total > i128::from(i64::MAX) {
            return None;
        }
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// `value / unit` without trailing zeros.
fn decimal(value: u64, unit: u64) -> String {
    let width = unit.ilog10() as usize;
    let whole = format!("{}.{:0width$}", value / unit, value % unit);
    whole.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `number` is digits with at most one point.
fn quantity(number: &[u8], unit: i128) -> Option<i128> {
    let (mut whole, mut fraction, mut scale, mut seen_point) = (0i128, 0i128, 1i128, false);
    if !number.iter().any(u8::is_ascii_digit) || number.len() > NUMBER_LEN_MAX {
        return None;
    }
    for &byte in number {
        let digit = i128::from(byte.wrapping_sub(b'0'));
        match (byte, seen_point) {
            (b'.', false) => seen_point = true,
            (b'.', true) => return None,
            (_, false) => whole = whole * 10 + digit,
            (_, true) => (fraction, scale) = (fraction * 10 + digit, scale * 10),
        }
    }
    whole.checked_mul(unit)?.checked_add(fraction.checked_mul(unit)? / scale)
}

fn unit_len(unit: &[u8]) -> Option<i128> {
    Some(match unit {
        b"ns" => 1,
        b"us" => 1_000,
        _ if unit == "µs".as_bytes() || unit == "μs".as_bytes() => 1_000,
        b"ms" => 1_000_000,
        b"s" => i128::from(SECOND),
        b"m" => 60 * i128::from(SECOND),
        b"h" => 3600 * i128::from(SECOND),
        _ => return None,
    })
}

fn split_while(bytes: &[u8], keep: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| !keep(byte)).unwrap_or(bytes.len());
    bytes.split_at(end)
}

const SECOND: u64 = 1_000_000_000;

/// Longest number that is read, so that nothing overflows. Digits.
const NUMBER_LEN_MAX: usize = 25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (100_000_000, "100ms"),
            (2_000_000_000, "2s"),
            (1_050_000_000, "1.05s"),
            (60_000_000_000, "1m0s"),
            (3_661_000_000_000, "1h1m1s"),
            (-1_000_000_000, "-1s"),
        ] {
            assert_eq!(text(nanoseconds), expected);
        }
    }

    #[test]
    fn durations_read_as_in_go() {
        for (input, expected) in [
            ("5s", Some(5_000_000_000)),
            ("1h15m", Some(4_500_000_000_000)),
            ("-1.5s", Some(-1_500_000_000)),
            (".5ms", Some(500_000)),
            ("1µs", Some(1_000)),
            ("0", Some(0)),
            ("", None),
            ("5", None),
            ("s", None),
            ("1..5s", None),
            (".s", None),
            ("5 s", None),
            ("9999999999h", None),
            ("99999999999999999999999999999999999999999s", None),
        ] {
            assert_eq!(parse(input.as_bytes()), expected, "{input}");
        }
    }
}
