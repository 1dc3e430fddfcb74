//! How large payloads are: fixed, a range, or a list to draw from.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Sizes in bytes. As text: `128`, `64..1024` (uniform, both ends included) or `64,128,4096` (equally often).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Spelled", into = "String")]
pub enum Payload {
    Fixed(usize),
    Uniform { min: usize, max: usize },
    List(Vec<usize>),
}

/// Largest payload. Bytes; nats-server's own upper bound for `max_payload`.
const PAYLOAD_MAX: usize = 64 << 20;

impl Payload {
    /// The size that a random number stands for.
    pub fn size(&self, random: u64) -> usize {
        match self {
            Payload::Fixed(size) => *size,
            Payload::Uniform { min, max } => min + (random % (max - min + 1) as u64) as usize,
            Payload::List(sizes) => sizes[(random % sizes.len() as u64) as usize],
        }
    }

    pub fn min(&self) -> usize {
        match self {
            Payload::Fixed(size) => *size,
            Payload::Uniform { min, .. } => *min,
            Payload::List(sizes) => sizes.iter().copied().min().unwrap_or(0),
        }
    }

    pub fn max(&self) -> usize {
        match self {
            Payload::Fixed(size) => *size,
            Payload::Uniform { max, .. } => *max,
            Payload::List(sizes) => sizes.iter().copied().max().unwrap_or(0),
        }
    }
}

impl FromStr for Payload {
    type Err = String;

    fn from_str(text: &str) -> Result<Payload, String> {
        let size = |text: &str| match text.trim().parse::<usize>() {
            Ok(size) if size <= PAYLOAD_MAX => Ok(size),
            Ok(_) => Err(format!("payload {text}: more than {PAYLOAD_MAX} bytes")),
            Err(_) => Err(format!("payload {text}: a size, MIN..MAX, or sizes with commas between them")),
        };
        if let Some((min, max)) = text.split_once("..") {
            let (min, max) = (size(min)?, size(max)?);
            return if min <= max {
                Ok(Payload::Uniform { min, max })
            } else {
                Err(format!("payload {text}: the range is empty"))
            };
        }
        match text.contains(',') {
            true => text.split(',').map(size).collect::<Result<_, _>>().map(Payload::List),
            false => size(text).map(Payload::Fixed),
        }
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Fixed(size) => write!(f, "{size}"),
            Payload::Uniform { min, max } => write!(f, "{min}..{max}"),
            Payload::List(sizes) => {
                let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
                write!(f, "{}", sizes.join(","))
            }
        }
    }
}

/// As it may stand in TOML.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a size, \"MIN..MAX\" or a list of sizes")]
enum Spelled {
    Size(usize),
    Text(String),
    List(Vec<usize>),
}

impl TryFrom<Spelled> for Payload {
    type Error = String;

    fn try_from(spelled: Spelled) -> Result<Payload, String> {
        match spelled {
            Spelled::Size(size) => size.to_string().parse(),
            Spelled::Text(text) => text.parse(),
            Spelled::List(sizes) if sizes.is_empty() => Err("payload: the list is empty".into()),
            Spelled::List(sizes) => sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(",").parse(),
        }
    }
}

impl From<Payload> for String {
    fn from(payload: Payload) -> String {
        payload.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_from_text_and_go_back_to_it() {
        for text in ["128", "64..1024", "64,128,4096"] {
            assert_eq!(text.parse::<Payload>().unwrap().to_string(), text);
        }
        for wrong in ["", "x", "5..4", "1,,2", "99999999999"] {
            assert!(wrong.parse::<Payload>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_includes_both_ends_and_nothing_else() {
        let payload: Payload = "3..5".parse().unwrap();
        let sizes: Vec<usize> = (0..6).map(|random| payload.size(random)).collect();
        assert_eq!(sizes, [3, 4, 5, 3, 4, 5]);
    }
}
