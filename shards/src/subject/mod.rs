//! Subjects: what is valid, how a pattern matches, and a trie from patterns to values.
//! May import: hashing.
//! Must not know: who subscribes, what a stream is.
//!
//! A subject is one or more tokens separated by `.`; no token is empty, and none contains a space, tab, line feed, form
//! feed or carriage return. In a pattern a token that is exactly `*` matches one token, and a last token that is exactly
//! `>` matches one or more. Source: nats-server, server/sublist.go.

pub mod trie;

/// Whether this is a well-formed subject or pattern.
pub fn is_valid(subject: &[u8]) -> bool {
    validity(subject).is_some()
}

/// Whether this is well-formed and holds no wildcard token, so that it can be published to.
pub fn is_literal(subject: &[u8]) -> bool {
    validity(subject) == Some(Shape::Literal)
}

/// Whether a token is a wildcard. Says nothing about validity.
pub fn has_wildcard(subject: &[u8]) -> bool {
    tokens(subject).any(|token| token == b"*" || token == b">")
}

/// The tokens, in order. An empty subject has one empty token.
#[inline]
pub fn tokens(subject: &[u8]) -> Tokens<'_> {
    Tokens { rest: Some(subject) }
}

/// Where the first `N` dots of a subject are, and how many it has in all: for subjects of known form that are too many to go
/// through token by token. Eight bytes at a time.
#[inline]
pub fn dots<const N: usize>(subject: &[u8]) -> ([usize; N], usize) {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const DOTS: u64 = u64::from_ne_bytes([b'.'; 8]);
    let (mut places, mut count) = ([0; N], 0);
    let mut note = |at: usize| {
        if let Some(place) = places.get_mut(count) {
            *place = at;
        }
        count += 1;
    };
    let (words, rest) = subject.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let other = u64::from_le_bytes(*word) ^ DOTS;
        // The high bit of each byte that is a dot.
        let mut found = !((other & LOW).wrapping_add(LOW) | other | LOW);
        while found != 0 {
            note(8 * number + found.trailing_zeros() as usize / 8);
            found &= found - 1;
        }
    }
    for (at, &byte) in rest.iter().enumerate() {
        if byte == b'.' {
            note(8 * words.len() + at);
        }
    }
    (places, count)
}

/// Whether `pattern` matches the published `subject`. Wildcards in `subject` are plain bytes here, as in a publish that
/// is not checked; a subject with an empty token matches nothing. `pattern` must be valid.
pub fn matches(pattern: &[u8], subject: &[u8]) -> bool {
    if pattern == subject {
        return !has_empty_token(subject);
    }
    let mut subject_tokens = tokens(subject);
    for token in tokens(pattern) {
        if token == b">" {
            return subject_tokens.rest.is_some() && !has_empty_token(subject);
        }
        match subject_tokens.next() {
            Some(other) if !other.is_empty() && (token == b"*" || token == other) => {}
            _ => return false,
        }
    }
    subject_tokens.rest.is_none()
}

/// Whether some literal subject is matched by both patterns. Both must be valid.
pub fn collide(a: &[u8], b: &[u8]) -> bool {
    let (mut a, mut b) = (tokens(a), tokens(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (None, _) | (_, None) => return false,
            (Some(b">"), _) | (_, Some(b">")) => return true,
            (Some(b"*"), _) | (_, Some(b"*")) => {}
            (Some(x), Some(y)) if x == y => {}
            _ => return false,
        }
    }
}

/// Whether every literal subject that `subset` matches is matched by `of` too. Both must be valid.
pub fn is_subset(subset: &[u8], of: &[u8]) -> bool {
    let (mut subset, mut of) = (tokens(subset), tokens(of));
    loop {
        match (subset.next(), of.next()) {
            (None, None) => return true,
            (None, _) | (_, None) => return false,
            (_, Some(b">")) => return true,
            (Some(b">"), _) => return false,
            (_, Some(b"*")) => {}
            (Some(x), Some(y)) if x == y => {}
            _ => return false,
        }
    }
}

/// Whether some token is empty (also: whether the subject is).
pub(crate) fn has_empty_token(subject: &[u8]) -> bool {
    let mut previous = b'.';
    for &byte in subject {
        if byte == b'.' && previous == b'.' {
            return true;
        }
        previous = byte;
    }
    previous == b'.'
}

/// See `tokens`.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Tokens<'a> {
    /// What has not been returned yet, without the separator before it; `None` when all tokens were.
    pub fn rest(&self) -> Option<&'a [u8]> {
        self.rest
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match rest.iter().position(|&byte| byte == b'.') {
            Some(dot) => {
                self.rest = Some(&rest[dot + 1..]);
                Some(&rest[..dot])
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Literal,
    Pattern,
}

fn validity(subject: &[u8]) -> Option<Shape> {
    let mut shape = Shape::Literal;
    let mut tokens = tokens(subject);
    while let Some(token) = tokens.next() {
        match token {
            b"" => return None,
            b">" if tokens.rest.is_some() => return None,
            b">" | b"*" => shape = Shape::Pattern,
            _ if token.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | 0x0c | b'\r')) => return None,
            _ => {}
        }
    }
    Some(shape)
}

#[cfg(test)]
#[path = "subject_test.rs"]
mod tests;
