//! Values with a unit, in the forms nats-server takes: durations and sizes.

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use std::fmt;
use std::time::Duration;

/// A duration: `"1h30m"`, `"500ms"`, or a plain number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationValue(pub Duration);

/// A number of bytes: a plain number, or with a unit. `k m g t` are powers of 1000, `kb mb gb tb` and `kib mib gib tib`
/// powers of 1024. Source: nats-server, conf/lex.go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeValue(pub u64);

/// A number of bytes of storage: as `SizeValue`, but all units are powers of 1024.
/// None, written -1: what is there without the setting. Source: nats-server, server/opts.go, getStorageSize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageSizeValue(pub Option<u64>);

impl<'de> Deserialize<'de> for DurationValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = DurationValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"2s\" or a number of seconds")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<DurationValue, E> {
                parse_duration(text).map(DurationValue).ok_or_else(|| {
                    E::custom(format!("invalid duration \"{text}\"; write it as \"1h30m\" or \"500ms\""))
                })
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<DurationValue, E> {
                let seconds =
                    u64::try_from(seconds).map_err(|_| E::custom("a duration cannot be negative"))?;
                Ok(DurationValue(Duration::from_secs(seconds)))
            }
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<DurationValue, E> {
                Duration::try_from_secs_f64(seconds)
                    .map(DurationValue)
                    .map_err(|_| E::custom("a duration cannot be negative or endless"))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for SizeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(SizeForm { plain_unit: 1000 })? {
            Some(size) => Ok(SizeValue(size)),
            None => Err(de::Error::custom("a size cannot be negative")),
        }
    }
}

impl<'de> Deserialize<'de> for StorageSizeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeForm { plain_unit: 1024 }).map(StorageSizeValue)
    }
}

/// -1 is `None`.
struct SizeForm {
    /// What `k` stands for.
    plain_unit: u64,
}

impl Visitor<'_> for SizeForm {
    type Value = Option<u64>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes or a size such as \"1MB\"")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<u64>, E> {
        let bad = || E::custom(format!("invalid size \"{text}\"; write it as 1048576 or \"1MB\""));
        parse_size(text, self.plain_unit).ok_or_else(bad).map(Some)
    }
    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Option<u64>, E> {
        match bytes {
            -1 => Ok(None),
            _ => u64::try_from(bytes).map(Some).map_err(|_| E::custom("a size cannot be negative")),
        }
    }
}

/// A duration in the form of Go's `time.ParseDuration`, without a sign; None if it is not one.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total_nanos = 0u128;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_len);
        let unit_nanos: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total_nanos = total_nanos.checked_add(decimal_times(number, unit_nanos)?)?;
        rest = next;
    }
    if text.is_empty() { None } else { u64::try_from(total_nanos).ok().map(Duration::from_nanos) }
}

/// `number` (digits with at most one point) times `unit`, rounded down.
fn decimal_times(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || whole.len() > 12 || fraction.len() > 12 {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u128>().ok() };
    let parts = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    Some(digits(whole)? * unit + digits(fraction)? * unit / parts)
}

/// Bytes; None if it is not a size or does not fit.
fn parse_size(text: &str, plain_unit: u64) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.to_ascii_lowercase();
    let letters = ["k", "m", "g", "t", "p", "e"];
    let power = |suffix: &str| letters.iter().position(|letter| unit.strip_prefix(letter) == Some(suffix));
    let factor = match () {
        () if unit.is_empty() => 1,
        () if let Some(n) = power("") => plain_unit.checked_pow(n as u32 + 1)?,
        () if let Some(n) = power("b").or(power("i")).or(power("ib")) => 1u64 << (10 * (n + 1)),
        () => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let ms = Duration::from_millis;
        for (text, want) in [
            ("2s", Some(ms(2000))),
            ("500ms", Some(ms(500))),
            ("1h30m", Some(ms(5_400_000))),
            ("1.5s", Some(ms(1500))),
            ("0", Some(ms(0))),
            ("0s", Some(ms(0))),
            ("", None),
            ("5", None),
            ("s", None),
            ("-5s", None),
            ("5 s", None),
            ("99999999999h", None),
        ] {
            assert_eq!(parse_duration(text), want, "{text}");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_units() {
        for (text, want) in [
            ("10", Some(10)),
            ("1k", Some(1000)),
            ("1KB", Some(1024)),
            ("1MiB", Some(1 << 20)),
            ("2Gi", Some(2 << 30)),
            ("", None),
            ("MB", None),
            ("1XB", None),
            ("1 MB", None),
            ("99999999E", None),
        ] {
            assert_eq!(parse_size(text, 1000), want, "{text}");
        }
        assert_eq!(parse_size("10G", 1024), Some(10 << 30));
    }
}
