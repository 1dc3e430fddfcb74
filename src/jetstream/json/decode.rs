//! Objects into structs with the rules and errors of Go's `encoding/json`: keys in any case, the last duplicate wins,
//! `null` changes nothing, the first mismatch is told after the whole value was read, an unknown enumerator at once.

use super::go_quote;
use super::scan::SyntaxError;
use super::value::{Kind, Value};
use crate::jetstream::time_text;
use shards::time::WallTime;
use std::collections::BTreeMap;

/// A struct that is read from an object.
pub trait FromObject {
    /// Its name in nats-server, which errors show.
    const GO_NAME: &'static str;

    /// Reads one member; false if there is no such field. `key` is in lower case.
    ///
    /// # Errors
    /// A text that ends decoding at once. Mismatches are left with the decoder.
    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String>;

    /// Name of the embedded struct that holds this field in nats-server, which errors show too.
    fn embedded_in(_key: &str) -> Option<&'static str> {
        None
    }
}

/// Reads `text` into `into`, objects back to back into the same. Unknown fields are refused.
///
/// # Errors
/// The text of nats-server, to be put behind `invalid JSON: `.
pub fn strict(text: &[u8], into: &mut impl FromObject) -> Result<(), String> {
    let mut at = 0;
    loop {
        match Value::scan(text, at) {
            Ok(None) => return Ok(()),
            Ok(Some((value, end))) => {
                Decoder::new(Unknown::Refused).decode(value, into)?;
                at = end;
            }
            Err(error @ SyntaxError::InvalidCharacter { offset, .. }) => {
                return Err(format!("{error} at offset {offset}"));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Reads `text`, which must be one value, into `into`. Unknown fields are ignored.
///
/// # Errors
/// As `strict`.
pub fn lenient(text: &[u8], into: &mut impl FromObject) -> Result<(), String> {
    let scanned = Value::scan(text, 0).map_err(|error| match error {
        SyntaxError::UnexpectedEnd => END_OF_INPUT.to_owned(),
        error => error.to_string(),
    })?;
    let Some((value, end)) = scanned else { return Err(END_OF_INPUT.to_owned()) };
    if let Some(offset) = text[end..].iter().position(|byte| !b" \t\r\n".contains(byte)) {
        let context = "after top-level value";
        let byte = text[end + offset];
        return Err(SyntaxError::InvalidCharacter { byte, context, offset: end + offset + 1 }.to_string());
    }
    Decoder::new(Unknown::Ignored).decode(value, into)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Refused,
    Ignored,
}

/// Where decoding is, and the first mismatch.
pub struct Decoder {
    unknown: Unknown,
    /// Innermost struct.
    struct_name: &'static str,
    /// Keys from the outermost struct to here, separated by dots.
    path: String,
    mismatch: Option<String>,
}

impl Decoder {
    fn new(unknown: Unknown) -> Self {
        Decoder { unknown, struct_name: "", path: String::new(), mismatch: None }
    }

    fn decode<T: FromObject>(mut self, value: Value<'_>, into: &mut T) -> Result<(), String> {
        self.object(value, into)?;
        self.mismatch.map_or(Ok(()), Err)
    }

    /// A struct.
    pub fn object<T: FromObject>(&mut self, value: Value<'_>, into: &mut T) -> Result<(), String> {
        if !self.is(value, Kind::Object, || format!("server.{}", T::GO_NAME)) {
            return Ok(());
        }
        let outer = std::mem::replace(&mut self.struct_name, T::GO_NAME);
        let depth = self.path.len();
        for (key, value) in value.members() {
            let lower = key.to_lowercase();
            for step in T::embedded_in(&lower).into_iter().chain([lower.as_str()]) {
                if !self.path.is_empty() {
                    self.path.push('.');
                }
                self.path.push_str(step);
            }
            let known = into.member(self, &lower, value)?;
            self.path.truncate(depth);
            if !known && self.unknown == Unknown::Refused {
                self.mismatch
                    .get_or_insert_with(|| format!("json: unknown field {}", go_quote(key.as_bytes())));
            }
        }
        self.struct_name = outer;
        Ok(())
    }

    /// A pointer to a struct; `null` unsets it.
    pub fn optional<T: FromObject + Default>(
        &mut self,
        value: Value<'_>,
        into: &mut Option<T>,
    ) -> Result<(), String> {
        if value.kind() == Kind::Null {
            *into = None;
            return Ok(());
        }
        self.object(value, into.get_or_insert_default())
    }

    /// A list of structs; `null` in it stands for an empty one.
    pub fn objects<T: FromObject + Default>(
        &mut self,
        value: Value<'_>,
        into: &mut Vec<T>,
    ) -> Result<(), String> {
        into.clear();
        if self.is(value, Kind::Array, || format!("[]*server.{}", T::GO_NAME)) {
            for value in value.elements() {
                let mut element = T::default();
                self.object(value, &mut element)?;
                into.push(element);
            }
        }
        Ok(())
    }

    pub fn string(&mut self, value: Value<'_>, into: &mut String) {
        if self.is(value, Kind::String, || "string".to_owned()) {
            *into = value.string().into_owned();
        }
    }

    pub fn bool(&mut self, value: Value<'_>, into: &mut bool) {
        if self.is(value, Kind::Bool, || "bool".to_owned()) {
            *into = value.text() == b"true";
        }
    }

    /// A signed number; `go_type` is `int`, `int64` or `time.Duration`.
    pub fn int(&mut self, value: Value<'_>, go_type: &str, into: &mut i64) {
        self.number(value, go_type, into);
    }

    pub fn int32(&mut self, value: Value<'_>, into: &mut i64) {
        let mut narrow = 0i32;
        if self.number(value, "int32", &mut narrow) {
            *into = i64::from(narrow);
        }
    }

    pub fn uint64(&mut self, value: Value<'_>, into: &mut u64) {
        self.number(value, "uint64", into);
    }

    /// Nanoseconds.
    pub fn duration(&mut self, value: Value<'_>, into: &mut i64) {
        self.int(value, "time.Duration", into);
    }

    pub fn strings(&mut self, value: Value<'_>, into: &mut Vec<String>) {
        self.list(value, "[]string", into, |decoder, value, element| decoder.string(value, element));
    }

    /// Nanoseconds each.
    pub fn durations(&mut self, value: Value<'_>, into: &mut Vec<i64>) {
        self.list(value, "[]time.Duration", into, |decoder, value, element| decoder.duration(value, element));
    }

    /// A map of strings; a second one is merged into the first.
    pub fn map(&mut self, value: Value<'_>, into: &mut BTreeMap<String, String>) {
        if value.kind() == Kind::Null {
            into.clear();
        } else if self.is(value, Kind::Object, || "map[string]string".to_owned()) {
            for (key, value) in value.members() {
                let mut text = String::new();
                self.string(value, &mut text);
                into.insert(key.into_owned(), text);
            }
        }
    }

    /// A time; `null` unsets it.
    pub fn time(&mut self, value: Value<'_>, into: &mut Option<WallTime>) -> Result<(), String> {
        *into = match value.kind() {
            Kind::Null => None,
            Kind::String => Some(time_text::parse(&value.text()[1..value.text().len() - 1])?),
            _ => return Err("Time.UnmarshalJSON: input is not a JSON string".to_owned()),
        };
        Ok(())
    }

    /// Whether the value is of this kind; `null` is of none. Anything else is a mismatch with `go_type`.
    pub fn is(&mut self, value: Value<'_>, kind: Kind, go_type: impl FnOnce() -> String) -> bool {
        let found = value.kind();
        if found != kind && found != Kind::Null {
            self.mismatch(found.name(), &go_type());
        }
        found == kind
    }

    fn number<N: std::str::FromStr>(&mut self, value: Value<'_>, go_type: &str, into: &mut N) -> bool {
        if !self.is(value, Kind::Number, || go_type.to_owned()) {
            return false;
        }
        let text = String::from_utf8_lossy(value.text());
        match text.parse() {
            Ok(number) => *into = number,
            Err(_) => self.mismatch(&format!("number {text}"), go_type),
        }
        true
    }

    fn list<T: Default>(
        &mut self,
        value: Value<'_>,
        go_type: &str,
        into: &mut Vec<T>,
        read: impl Fn(&mut Self, Value<'_>, &mut T),
    ) {
        if value.kind() == Kind::Null {
            into.clear();
        } else if self.is(value, Kind::Array, || go_type.to_owned()) {
            into.clear();
            for value in value.elements() {
                let mut element = T::default();
                read(self, value, &mut element);
                into.push(element);
            }
        }
    }

    fn mismatch(&mut self, found: &str, go_type: &str) {
        if self.mismatch.is_some() {
            return;
        }
        let place = match self.path.as_str() {
            "" => "Go value".to_owned(),
            path => format!("Go struct field {}.{path}", self.struct_name),
        };
        self.mismatch = Some(format!("json: cannot unmarshal {found} into {place} of type {go_type}"));
    }
}

/// One of a few strings, compared as they are written.
///
/// # Errors
/// nats-server's text for an unknown one, `null` included.
pub fn choice<T: Copy>(value: Value<'_>, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| is_string(value, name));
    found.map(|(_, choice)| *choice).ok_or_else(|| format!("can not unmarshal {}", go_quote(value.text())))
}

/// Whether the value is written exactly as this string in quotes.
pub fn is_string(value: Value<'_>, text: &str) -> bool {
    value.text().strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) == Some(text.as_bytes())
}

const END_OF_INPUT: &str = "unexpected end of JSON input";

#[cfg(test)]
#[path = "decode_test.rs"]
mod tests;
