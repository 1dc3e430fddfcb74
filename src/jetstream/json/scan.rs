//! Finds where a JSON value ends, and says in Go's words what is wrong with a text that is none.

use super::go_quote;
use std::fmt;
use std::ops::Range;

/// Why a text is no JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// This byte cannot stand here. `offset` counts from 1.
    InvalidCharacter { byte: u8, context: &'static str, offset: usize },
    /// The text ends within a value.
    UnexpectedEnd,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyntaxError::InvalidCharacter { byte, context, .. } => {
                write!(f, "invalid character {} {context}", quote(*byte))
            }
            SyntaxError::UnexpectedEnd => f.write_str("unexpected EOF"),
        }
    }
}

/// The place of the first value at or after `from`; `None` if only space is left.
pub fn next_value(text: &[u8], from: usize) -> Result<Option<Range<usize>>, SyntaxError> {
    let mut scanner = Scanner { text, at: from, open: Vec::new() };
    scanner.skip_space();
    if scanner.at == text.len() {
        return Ok(None);
    }
    let start = scanner.at;
    scanner.value()?;
    Ok(Some(start..scanner.at))
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// The brackets that are open, `{` or `[`. At most `NESTING_MAX`.
    open: Vec<u8>,
}

impl Scanner<'_> {
    fn value(&mut self) -> Result<(), SyntaxError> {
        loop {
            let opened = self.begin_value()?;
            if !opened && self.end_value()? {
                return Ok(());
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container up to its first value; true in the last case.
    fn begin_value(&mut self) -> Result<bool, SyntaxError> {
        match self.peek()? {
            bracket @ (b'{' | b'[') => return self.open(bracket),
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.literal(b"true", &IN_TRUE)?,
            b'f' => self.literal(b"false", &IN_FALSE)?,
            b'n' => self.literal(b"null", &IN_NULL)?,
            _ => return Err(self.invalid("looking for beginning of value")),
        }
        Ok(false)
    }

    fn open(&mut self, bracket: u8) -> Result<bool, SyntaxError> {
        if self.open.len() == NESTING_MAX {
            return Err(self.invalid("exceeded max depth"));
        }
        self.at += 1;
        self.skip_space();
        let close = if bracket == b'{' { b'}' } else { b']' };
        if self.peek()? == close {
            self.at += 1;
            return Ok(false);
        }
        self.open.push(bracket);
        if bracket == b'{' {
            self.key()?;
        }
        Ok(true)
    }

    /// After a value: closes what closes, and goes on to the next value. True if the outermost value has ended.
    fn end_value(&mut self) -> Result<bool, SyntaxError> {
        while let Some(&bracket) = self.open.last() {
            self.skip_space();
            match (bracket, self.peek()?) {
                (b'{', b'}') | (b'[', b']') => {
                    self.at += 1;
                    self.open.pop();
                }
                (b'{', b',') => {
                    self.at += 1;
                    self.skip_space();
                    self.key()?;
                    return Ok(false);
                }
                (b'[', b',') => {
                    self.at += 1;
                    self.skip_space();
                    return Ok(false);
                }
                (b'{', _) => return Err(self.invalid("after object key:value pair")),
                _ => return Err(self.invalid("after array element")),
            }
        }
        Ok(true)
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<(), SyntaxError> {
        if self.peek()? != b'"' {
            return Err(self.invalid("looking for beginning of object key string"));
        }
        self.string()?;
        self.skip_space();
        if self.peek()? != b':' {
            return Err(self.invalid("after object key"));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                0..=0x1f => return Err(self.invalid("in string literal")),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        match self.peek()? {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => self.at += 1,
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek()?.is_ascii_hexdigit() {
                        return Err(self.invalid("in \\u hexadecimal character escape"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.invalid("in string escape code")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.text[self.at] == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.skip_digits(),
            _ => return Err(self.invalid("in numeric literal")),
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digit("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digit("in exponent of numeric literal")?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digit(&mut self, context: &'static str) -> Result<(), SyntaxError> {
        if !self.peek()?.is_ascii_digit() {
            return Err(self.invalid(context));
        }
        self.skip_digits();
        Ok(())
    }

    /// `contexts[n]` is the complaint about byte n + 1.
    fn literal(&mut self, literal: &[u8], contexts: &[&'static str]) -> Result<(), SyntaxError> {
        self.at += 1;
        for (expected, context) in literal[1..].iter().zip(contexts) {
            if self.peek()? != *expected {
                return Err(self.invalid(context));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn skip_digits(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Result<u8, SyntaxError> {
        self.text.get(self.at).copied().ok_or(SyntaxError::UnexpectedEnd)
    }

    fn invalid(&self, context: &'static str) -> SyntaxError {
        SyntaxError::InvalidCharacter { byte: self.text[self.at], context, offset: self.at + 1 }
    }
}

/// A byte in single quotes, as Go shows the Latin-1 character of this number.
fn quote(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let quoted = go_quote(char::from(byte).encode_utf8(&mut [0; 2]).as_bytes());
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

/// Deepest nesting. Above: a syntax error, as in Go.
const NESTING_MAX: usize = 10_000;

const IN_TRUE: [&str; 3] =
    ["in literal true (expecting 'r')", "in literal true (expecting 'u')", "in literal true (expecting 'e')"];
const IN_FALSE: [&str; 4] = [
    "in literal false (expecting 'a')",
    "in literal false (expecting 'l')",
    "in literal false (expecting 's')",
    "in literal false (expecting 'e')",
];
const IN_NULL: [&str; 3] =
    ["in literal null (expecting 'u')", "in literal null (expecting 'l')", "in literal null (expecting 'l')"];

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        match next_value(text.as_bytes(), 0).unwrap_err() {
            error @ SyntaxError::InvalidCharacter { offset, .. } => format!("{error} at {offset}"),
            error => error.to_string(),
        }
    }

    #[test]
    fn a_value_ends_where_the_next_begins() {
        for (text, len) in [
            ("{}x", 2),
            ("[1,{\"a\":[]}] ", 12),
            ("\"a\\\"b\"\"", 6),
            ("-0.5e+7,", 7),
            ("nullx", 4),
            ("01", 1),
        ] {
            assert_eq!(next_value(text.as_bytes(), 0), Ok(Some(0..len)), "{text}");
        }
        assert_eq!(next_value(b" \t5 \r\n", 0), Ok(Some(2..3)));
        assert_eq!(next_value(b" \t5 \r\n", 3), Ok(None));
    }

    /// Taken from a running nats-server.
    #[test]
    fn errors_are_told_in_the_words_of_go() {
        assert_eq!(
            error(r#"{"name":"S",}"#),
            "invalid character '}' looking for beginning of object key string at 13"
        );
        assert_eq!(
            error("{name:1}"),
            "invalid character 'n' looking for beginning of object key string at 2"
        );
        assert_eq!(error("{\"name\":\"a\nb\"}"), "invalid character '\\n' in string literal at 11");
        assert_eq!(error(r#"{"name":"\x"}"#), "invalid character 'x' in string escape code at 11");
        assert_eq!(
            error(r#"{"name":"\u00e"}"#),
            "invalid character '\"' in \\u hexadecimal character escape at 15"
        );
        assert_eq!(error(r#"{"name":tru}"#), "invalid character '}' in literal true (expecting 'e') at 12");
        assert_eq!(error(r#"{"name":nulL}"#), "invalid character 'L' in literal null (expecting 'l') at 12");
        assert_eq!(error(r#"{"name":01}"#), "invalid character '1' after object key:value pair at 10");
        assert_eq!(error(r#"{"name":-}"#), "invalid character '}' in numeric literal at 10");
        assert_eq!(
            error(r#"{"name":1.}"#),
            "invalid character '}' after decimal point in numeric literal at 11"
        );
        assert_eq!(error(r#"{"name":1e}"#), "invalid character '}' in exponent of numeric literal at 11");
        assert_eq!(error(r#"{"a" 1}"#), "invalid character '1' after object key at 6");
        assert_eq!(error("[1 2]"), "invalid character '2' after array element at 4");
        assert_eq!(error("garbage"), "invalid character 'g' looking for beginning of value at 1");
        assert_eq!(error(r#"{"name":"S""#), "unexpected EOF");
    }

    /// Another reader says the same of texts that are cut, doubled and overwritten at random places.
    #[test]
    fn what_is_json_is_agreed_on() {
        let seed = r#"{"a":[1,-0.5e+7,true,false,null,{}],"b\u00e4\"":"x\n","c":{"d":[[],""]}} "#;
        let mut state = 0x2545_f491_4f6c_dd1du64;
        let mut random = move |bound: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % bound.max(1) as u64) as usize
        };
        let (mut good, mut bad) = (0, 0);
        for _ in 0..20_000 {
            let mut text = seed.as_bytes().to_vec();
            for _ in 0..random(3) {
                let at = random(text.len());
                match random(4) {
                    0 => text.truncate(at),
                    1 => text.extend_from_within(at..),
                    2 => drop(text.drain(at..(at + random(12)).min(text.len()))),
                    _ => text.insert(at, b"{}[]\",:\\u0e-.t "[random(15)]),
                }
            }
            let Ok(text) = String::from_utf8(text) else { continue };
            let alone = match next_value(text.as_bytes(), 0) {
                Ok(Some(place)) => text[place.end..].trim_ascii().is_empty(),
                _ => false,
            };
            assert_eq!(alone, serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{text}");
            if alone { good += 1 } else { bad += 1 }
        }
        assert!(good > 1000 && bad > 1000, "{good} {bad}");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert_eq!(next_value(&nested(NESTING_MAX), 0), Ok(Some(0..2 * NESTING_MAX)));
        assert!(next_value(&nested(NESTING_MAX + 1), 0).is_err());
    }
}
