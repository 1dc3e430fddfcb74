//! The payload of a pull request, read leniently: on the hot path, without allocation.

use crate::decimal;
use std::fmt::Write;

/// What a pull request asks for (NATS ADR-13; nats-server, server/consumer.go: `nextReqFromMsg`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchRequest {
    /// Messages wanted. 0 and less: one message.
    pub batch: i64,
    /// Nanoseconds from arrival. 0: never. Negative: has passed.
    pub expires: i64,
    /// Budget of bytes; 0: none.
    pub max_bytes: i64,
    pub no_wait: bool,
    /// Nanoseconds; 0: none.
    pub heartbeat: i64,
    pub min_pending: i64,
    pub min_ack_pending: i64,
    pub has_id: bool,
    pub priority: i64,
}

impl FetchRequest {
    /// Nothing, a whole number or a JSON object; anything else counts as nothing. Errors: what Go's decoder says about a
    /// broken object.
    pub fn parse(payload: &[u8]) -> Result<FetchRequest, String> {
        let payload = payload.trim_ascii();
        let one = FetchRequest { batch: 1, ..FetchRequest::default() };
        match payload.first() {
            Some(b'{') => FetchRequest::parse_object(payload),
            Some(_) => match decimal::parse(payload).and_then(|batch| i64::try_from(batch).ok()) {
                Some(batch) => Ok(FetchRequest { batch, ..one }),
                None => Ok(one),
            },
            None => Ok(one),
        }
    }

    fn parse_object(text: &[u8]) -> Result<FetchRequest, String> {
        let mut request = FetchRequest::default();
        // Broken syntax anywhere is reported before the wrong type of a field.
        let mut wrong_type = None;
        Scanner { text, at: 0 }.object(|key, value| {
            if wrong_type.is_none() {
                wrong_type = request.set(key, value).err();
            }
        })?;
        wrong_type.map_or(Ok(request), Err)
    }

    fn set(&mut self, key: &[u8], value: Value<'_>) -> Result<(), String> {
        let numbers: [(&str, &mut i64, &str); 7] = [
            ("batch", &mut self.batch, "int"),
            ("expires", &mut self.expires, "time.Duration"),
            ("max_bytes", &mut self.max_bytes, "int"),
            ("idle_heartbeat", &mut self.heartbeat, "time.Duration"),
            ("min_pending", &mut self.min_pending, "int64"),
            ("min_ack_pending", &mut self.min_ack_pending, "int64"),
            ("priority", &mut self.priority, "int"),
        ];
        if value == Value::Null {
            return Ok(());
        }
        for (name, field, kind) in numbers {
            if key.eq_ignore_ascii_case(name.as_bytes()) {
                *field = value.integer().ok_or_else(|| mismatch(value, name, kind))?;
                return Ok(());
            }
        }
        let no_wait = key.eq_ignore_ascii_case(b"no_wait");
        match value {
            Value::Bool(wanted) if no_wait => self.no_wait = wanted,
            _ if no_wait => return Err(mismatch(value, "no_wait", "bool")),
            Value::String(id) if key.eq_ignore_ascii_case(b"id") => self.has_id = !id.is_empty(),
            _ => {
                for text in ["id", "group"] {
                    if key.eq_ignore_ascii_case(text.as_bytes()) && !matches!(value, Value::String(_)) {
                        return Err(mismatch(value, text, "string"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The number in `{"delay":<nanoseconds>}`, the payload of a nak; 0 if the object has none, `None` if it is broken.
pub fn delay(text: &[u8]) -> Option<i64> {
    let (mut delay, mut broken) = (0, false);
    let read = Scanner { text, at: 0 }.object(|key, value| {
        if key.eq_ignore_ascii_case(b"delay") && value != Value::Null {
            value.integer().map_or_else(|| broken = true, |number| delay = number);
        }
    });
    (read.is_ok() && !broken).then_some(delay)
}

/// A value, as far as a request cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a [u8]),
    /// Between the quotes, escapes untouched.
    String(&'a [u8]),
    Array,
    Object,
}

impl Value<'_> {
    fn integer(self) -> Option<i64> {
        let Value::Number(text) = self else { return None };
        match text.strip_prefix(b"-") {
            Some(rest) => 0i64.checked_sub_unsigned(decimal::parse(rest)?),
            None => i64::try_from(decimal::parse(text)?).ok(),
        }
    }
}

/// Reads JSON from a slice. Errors are worded like those of Go's encoding/json.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The whole text is one object; `each` sees its members.
    fn object(mut self, each: impl FnMut(&'a [u8], Value<'a>)) -> Result<(), String> {
        self.members(0, each)?;
        self.skip_space();
        if self.at < self.text.len() {
            return Err(self.unexpected("after top-level value"));
        }
        Ok(())
    }

    fn members(&mut self, depth: usize, mut each: impl FnMut(&'a [u8], Value<'a>)) -> Result<(), String> {
        self.at += 1;
        if self.next_is(b'}') {
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.text.get(self.at) != Some(&b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            if !self.next_is(b':') {
                return Err(self.unexpected("after object key"));
            }
            let value = self.value(depth + 1)?;
            each(key, value);
            if self.next_is(b'}') {
                return Ok(());
            }
            if !self.next_is(b',') {
                return Err(self.unexpected("after object key:value pair"));
            }
        }
    }

    fn elements(&mut self, depth: usize) -> Result<(), String> {
        self.at += 1;
        if self.next_is(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if self.next_is(b']') {
                return Ok(());
            }
            if !self.next_is(b',') {
                return Err(self.unexpected("after array element"));
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, String> {
        self.skip_space();
        if depth > DEPTH_MAX {
            return Err("exceeded max depth".to_owned());
        }
        match self.text.get(self.at) {
            Some(b'{') => self.members(depth, |_, _| {}).map(|()| Value::Object),
            Some(b'[') => self.elements(depth).map(|()| Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.literal("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.literal("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.literal("null").map(|()| Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn string(&mut self) -> Result<&'a [u8], String> {
        self.at += 1;
        let start = self.at;
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at - 1]);
                }
                b'\\' => self.escape()?,
                0..0x20 => return Err(self.unexpected("in string literal")),
                _ => self.at += 1,
            }
        }
        Err(self.unexpected(""))
    }

    fn escape(&mut self) -> Result<(), String> {
        self.at += 1;
        match self.text.get(self.at) {
            Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.text.get(self.at).is_some_and(u8::is_ascii_hexdigit) {
                        return Err(self.unexpected("in \\u hexadecimal character escape"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.unexpected("in string escape code")),
        }
        Ok(())
    }

    fn literal(&mut self, literal: &'static str) -> Result<(), String> {
        for expected in literal.bytes() {
            if self.text.get(self.at) != Some(&expected) {
                return Err(
                    self.unexpected(&format!("in literal {literal} (expecting '{}')", char::from(expected)))
                );
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<&'a [u8], String> {
        let start = self.at;
        self.at += usize::from(self.text[self.at] == b'-');
        match self.text.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.skip_digits(),
            _ => return Err(self.unexpected("in numeric literal")),
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            self.some_digits("in exponent of numeric literal")?;
        }
        Ok(&self.text[start..self.at])
    }

    fn some_digits(&mut self, place: &str) -> Result<(), String> {
        if !self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            return Err(self.unexpected(place));
        }
        self.skip_digits();
        Ok(())
    }

    fn skip_digits(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Skips space, and `byte` if it follows.
    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(is);
        is
    }

    /// What is wrong at the present place.
    fn unexpected(&self, place: &str) -> String {
        let Some(&byte) = self.text.get(self.at) else { return "unexpected end of JSON input".to_owned() };
        let mut text = String::from("invalid character ");
        // Writing to a string does not fail.
        let _ = match byte {
            b'\'' => write!(text, r"'\''"),
            b'"' => write!(text, "'\"'"),
            0x20..0x7f => write!(text, "'{}'", char::from(byte).escape_default()),
            _ => write!(text, "'\\x{byte:02x}'"),
        };
        text.push(' ');
        text.push_str(place);
        text
    }
}

fn mismatch(value: Value<'_>, field: &str, kind: &str) -> String {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(text) => format!("number {}", String::from_utf8_lossy(text)),
        Value::String(_) => "string".to_owned(),
        Value::Array => "array".to_owned(),
        Value::Object => "object".to_owned(),
    };
    format!(
        "json: cannot unmarshal {found} into Go struct field JSApiConsumerGetNextRequest.{field} of type {kind}"
    )
}

/// Deepest nesting in a field that is not looked at.
const DEPTH_MAX: usize = 32;

#[cfg(test)]
#[path = "fetch_request_test.rs"]
mod tests;
