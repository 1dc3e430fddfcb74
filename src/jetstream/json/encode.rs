//! JSON written as Go's `encoding/json` writes it: compact, fields in the order of the calls.

use crate::jetstream::time_text;
use shards::time::WallTime;
use std::fmt::Display;
use std::io::Write;

/// One object being written. Every method appends one member; `end` closes it.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Appends `{`.
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Object { out, empty: true }
    }

    /// Appends `}`.
    pub fn end(self) {
        self.out.push(b'}');
    }

    /// Appends the key; the caller appends the value.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        write_string(self.out, key.as_bytes());
        self.out.push(b':');
        self.out
    }

    /// Appends members that are written already, with the comma before them.
    pub fn raw(&mut self, members: &str) {
        self.out.extend_from_slice(members.as_bytes());
    }

    pub fn string(&mut self, key: &str, value: &str) {
        write_string(self.key(key), value.as_bytes());
    }

    /// As `string`; invalid UTF-8 becomes U+FFFD.
    pub fn text(&mut self, key: &str, value: &[u8]) {
        write_string(self.key(key), value);
    }

    /// Any integer.
    pub fn number(&mut self, key: &str, value: impl Display) {
        write_display(self.key(key), value);
    }

    pub fn bool(&mut self, key: &str, value: bool) {
        self.key(key).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// RFC 3339 with up to nine digits of a second, UTC.
    pub fn time(&mut self, key: &str, value: WallTime) {
        write_time(self.key(key), value);
    }

    /// Standard base64.
    pub fn base64(&mut self, key: &str, value: &[u8]) {
        write_base64(self.key(key), value);
    }

    /// An array of strings, `[]` if there are none.
    pub fn strings<S: AsRef<str>>(&mut self, key: &str, values: &[S]) {
        write_array(self.key(key), values, |out, value| write_string(out, value.as_ref().as_bytes()));
    }

    /// An array of integers.
    pub fn numbers<N: Display>(&mut self, key: &str, values: &[N]) {
        write_array(self.key(key), values, |out, value| write_display(out, value));
    }

    /// As `string`, left out if empty.
    pub fn string_if(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.string(key, value);
        }
    }

    /// As `number`, left out if it is zero.
    pub fn number_if<N: Display + Default + PartialEq>(&mut self, key: &str, value: N) {
        if value != N::default() {
            self.number(key, value);
        }
    }

    /// As `bool`, left out if false.
    pub fn bool_if(&mut self, key: &str, value: bool) {
        if value {
            self.bool(key, value);
        }
    }

    /// As `strings`, left out if there are none.
    pub fn strings_if<S: AsRef<str>>(&mut self, key: &str, values: &[S]) {
        if !values.is_empty() {
            self.strings(key, values);
        }
    }

    /// As `numbers`, left out if there are none.
    pub fn numbers_if<N: Display>(&mut self, key: &str, values: &[N]) {
        if !values.is_empty() {
            self.numbers(key, values);
        }
    }
}

/// Appends `[…]`, each element written by `write`.
pub fn write_array<T>(out: &mut Vec<u8>, values: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, value);
    }
    out.push(b']');
}

/// Appends a quoted string. `<`, `>`, `&`, U+2028 and U+2029 are escaped, as Go does for HTML's sake; a byte that is not
/// UTF-8 becomes `\ufffd`.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    // Names are plain, and the one of a stream is in each of its pub acks.
    let (plain, text) = text.split_at(text.iter().take_while(|byte| is_plain(**byte)).count());
    out.extend_from_slice(plain);
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            write_char(out, character);
        }
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

/// Whether a byte stands for itself in a string, whatever follows it.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&')
}

fn write_char(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '<' | '>' | '&' | '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
            out.extend_from_slice(b"\\u");
            for shift in [12, 8, 4, 0] {
                out.push(HEX[(character as usize >> shift) & 15]);
            }
        }
        _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn write_time(out: &mut Vec<u8>, time: WallTime) {
    out.push(b'"');
    time_text::write(out, time);
    out.push(b'"');
}

fn write_display(out: &mut Vec<u8>, value: impl Display) {
    write!(out, "{value}").expect("a vector takes every byte");
}

fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4 + 2);
    out.push(b'"');
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = BASE64[(bits >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= group.len() { digit } else { b'=' });
        }
    }
    out.push(b'"');
}

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &[u8]) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        assert_eq!(string(b"s1.>"), r#""s1.\u003e""#);
        assert_eq!(string(b"a<b>&\"\\/"), r#""a\u003cb\u003e\u0026\"\\/""#);
        assert_eq!(string(b"\n\r\t\x08\x0c\x00\x1f\x7f"), "\"\\n\\r\\t\\b\\f\\u0000\\u001f\x7f\"");
        assert_eq!(string("ä\u{2028}😀".as_bytes()), "\"ä\\u2028😀\"");
        assert_eq!(string(b"a\xffb"), r#""a\ufffdb""#);
        for byte in 0..=0xff {
            let (alone, behind) = (string(&[byte]), string(&[b'\t', byte]));
            assert_eq!(format!("\"\\t{}", &alone[1..]), behind, "plain or not, a byte is written the same");
        }
    }

    #[test]
    fn base64_is_padded() {
        let encode = |bytes: &[u8]| {
            let mut out = Vec::new();
            write_base64(&mut out, bytes);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(encode(b""), r#""""#);
        assert_eq!(encode(b"v"), r#""dg==""#);
        assert_eq!(encode(b"v5"), r#""djU=""#);
        assert_eq!(encode(b"<b>"), r#""PGI+""#);
        assert_eq!(encode(b"NATS/1.0\r\nH: 5\r\n\r\n"), r#""TkFUUy8xLjANCkg6IDUNCg0K""#);
    }

    #[test]
    fn empty_members_may_be_left_out() {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        object.string_if("a", "");
        object.number_if("b", 0u64);
        object.bool_if("c", false);
        object.strings_if::<&str>("d", &[]);
        object.strings::<&str>("e", &[]);
        object.numbers("f", &[1, 2]);
        object.end();
        assert_eq!(out, br#"{"e":[],"f":[1,2]}"#);
    }
}
