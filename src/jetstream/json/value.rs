//! A JSON value as the piece of text that it is: nothing is copied or built before somebody asks.

use super::scan::{self, SyntaxError};
use std::borrow::Cow;

/// One value, without space around it. Its text has been scanned, so it is well-formed.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    text: &'a [u8],
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// The word of Go's errors.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "bool",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }
}

impl<'a> Value<'a> {
    /// The first value at or after `at`, and where it ends; `None` if only space is left.
    pub fn scan(text: &'a [u8], at: usize) -> Result<Option<(Value<'a>, usize)>, SyntaxError> {
        let place = scan::next_value(text, at)?;
        Ok(place.map(|place| (Value { text: &text[place.clone()] }, place.end)))
    }

    pub fn kind(self) -> Kind {
        match self.text[0] {
            b'n' => Kind::Null,
            b't' | b'f' => Kind::Bool,
            b'"' => Kind::String,
            b'[' => Kind::Array,
            b'{' => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// The value as it was written.
    pub fn text(self) -> &'a [u8] {
        self.text
    }

    /// A string without quotes and escapes; empty for every other kind.
    pub fn string(self) -> Cow<'a, str> {
        match self.kind() {
            Kind::String => unescape(&self.text[1..self.text.len() - 1]),
            _ => Cow::Borrowed(""),
        }
    }

    /// Elements of an array; nothing for every other kind.
    pub fn elements(self) -> impl Iterator<Item = Value<'a>> {
        let mut rest = self.inner(Kind::Array);
        std::iter::from_fn(move || next(&mut rest))
    }

    /// Members of an object in order; nothing for every other kind.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> {
        let mut rest = self.inner(Kind::Object);
        std::iter::from_fn(move || Some((next(&mut rest)?.string(), next(&mut rest)?)))
    }

    /// Whether this says nothing: null, zero, false, or empty, also within.
    pub fn is_zero(self) -> bool {
        match self.kind() {
            Kind::Null => true,
            Kind::Bool => self.text == b"false",
            Kind::Number => !self.text.iter().any(|byte| (b'1'..=b'9').contains(byte)),
            Kind::String => self.text == b"\"\"",
            Kind::Array => self.elements().next().is_none(),
            Kind::Object => self.members().all(|(_, value)| value.is_zero()),
        }
    }

    fn inner(self, kind: Kind) -> &'a [u8] {
        if self.kind() == kind { &self.text[1..self.text.len() - 1] } else { b"" }
    }
}

/// Takes the next value from the front of a container's inside.
fn next<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    let start = rest.iter().position(|byte| !b" \t\r\n,:".contains(byte))?;
    let text = &rest[start..];
    let len = len(text);
    *rest = &text[len..];
    Some(Value { text: &text[..len] })
}

/// Length of the well-formed value at the front.
fn len(text: &[u8]) -> usize {
    match text[0] {
        b'"' => string_len(text),
        b'{' | b'[' => container_len(text),
        _ => text.iter().position(|byte| b" \t\r\n,]}".contains(byte)).unwrap_or(text.len()),
    }
}

fn container_len(text: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        match text[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                at += string_len(&text[at..]);
                continue;
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_len(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    text.len().min(at + 1)
}

/// The inside of a string. As in Go, what is not UTF-8 and half a surrogate pair become U+FFFD.
fn unescape(text: &[u8]) -> Cow<'_, str> {
    if !text.contains(&b'\\') {
        return String::from_utf8_lossy(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'\\' {
            out.push(text[at]);
            at += 1;
            continue;
        }
        let (character, len) = unescape_one(&text[at + 1..]);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        at += 1 + len;
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// The character of an escape behind its backslash, and the length of the escape.
fn unescape_one(text: &[u8]) -> (char, usize) {
    match text.first() {
        Some(b'b') => ('\u{8}', 1),
        Some(b'f') => ('\u{c}', 1),
        Some(b'n') => ('\n', 1),
        Some(b'r') => ('\r', 1),
        Some(b't') => ('\t', 1),
        Some(b'u') => {
            let unit = code_unit(text);
            if let Some(character) = char::from_u32(unit) {
                return (character, 5);
            }
            let low = if text[5..].starts_with(b"\\u") { code_unit(&text[6..]) } else { 0 };
            match char::decode_utf16([unit as u16, low as u16]).next() {
                Some(Ok(character)) if (0xdc00..0xe000).contains(&low) => (character, 11),
                _ => (char::REPLACEMENT_CHARACTER, 5),
            }
        }
        Some(&byte) => (char::from(byte), 1),
        None => (char::REPLACEMENT_CHARACTER, 0),
    }
}

/// The number of `uXXXX`.
fn code_unit(text: &[u8]) -> u32 {
    text[1..5].iter().fold(0, |unit, &digit| unit << 4 | char::from(digit).to_digit(16).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value<'_> {
        Value::scan(text.as_bytes(), 0).unwrap().unwrap().0
    }

    #[test]
    fn members_and_elements_come_in_order() {
        let members: Vec<_> = value(r#" { "a" : [1, "]", {"x":"}"}] , "b":null,"\u0063":"}" }"#)
            .members()
            .map(|(key, value)| (key.into_owned(), String::from_utf8_lossy(value.text()).into_owned()))
            .collect();
        let expected = [("a", r#"[1, "]", {"x":"}"}]"#), ("b", "null"), ("c", r#""}""#)];
        assert_eq!(members, expected.map(|(key, text)| (key.to_owned(), text.to_owned())));
        let kinds: Vec<_> = value(r#"[null,true,-1.5e3,"",[],{}]"#).elements().map(Value::kind).collect();
        assert_eq!(kinds, [Kind::Null, Kind::Bool, Kind::Number, Kind::String, Kind::Array, Kind::Object]);
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(value(r#""a\"\\\/\b\f\n\r\tz""#).string(), "a\"\\/\u{8}\u{c}\n\r\tz");
        assert_eq!(value(r#""\u00e4\ud83d\ude00ä""#).string(), "ä😀ä");
        assert_eq!(value(r#""\ud83dx\ude00\ud83d\u0041""#).string(), "\u{fffd}x\u{fffd}\u{fffd}A");
        assert_eq!(Value::scan(b"\"a\xff\"", 0).unwrap().unwrap().0.string(), "a\u{fffd}");
    }

    #[test]
    fn nothing_is_told_from_something() {
        for nothing in ["null", "0", "-0.0", "false", "\"\"", "[]", "{}", r#"{"a":{"b":""},"c":[]}"#] {
            assert!(value(nothing).is_zero(), "{nothing}");
        }
        for something in ["1", "0.5", "true", "\"a\"", "[null]", r#"{"a":{"b":1}}"#] {
            assert!(!value(something).is_zero(), "{something}");
        }
    }
}
