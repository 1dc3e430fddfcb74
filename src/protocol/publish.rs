//! PUB and HPUB as clients write them, whole, in one pass.
//!
//! Nearly everything that a busy client sends has this one form: capital verb, single spaces, CR LF, nothing cut. It is read
//! eight bytes at a time and without remembering what else a line might be; `parse` reads every other form.

use super::parse::{Limits, size};

/// A message that a client publishes, as slices of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication<'a> {
    pub subject: &'a [u8],
    /// Empty: none.
    pub reply: &'a [u8],
    /// Empty: none. Lies directly before the payload.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}

/// The publish at the start of `input` and its length with everything that belongs to it. `None` if there is anything else than
/// the plain form: `parse` then says what it is. What this finds, `parse` finds too.
#[inline(always)]
pub fn parse_publish<'a>(input: &'a [u8], limits: &Limits) -> Option<(Publication<'a>, usize)> {
    match input {
        [b'P', b'U', b'B', b' ', line @ ..] => {
            let mut words = Words::of(line);
            let (subject, b' ') = words.next()? else { return None };
            let (reply, total) = match words.next()? {
                (reply, b' ') => (reply, words.last()?),
                (total, b'\r') => (&b""[..], total),
                _ => return None,
            };
            let (body, end) = body(line, words.end, total, limits)?;
            Some((Publication { subject, reply, headers: b"", payload: body }, b"PUB ".len() + end))
        }
        [b'H', b'P', b'U', b'B', b' ', line @ ..] if limits.headers => {
            let mut words = Words::of(line);
            let (subject, b' ') = words.next()? else { return None };
            let (second, b' ') = words.next()? else { return None };
            let (reply, headers, total) = match words.next()? {
                (headers, b' ') => (second, headers, words.last()?),
                (total, b'\r') => (&b""[..], second, total),
                _ => return None,
            };
            let (body, end) = body(line, words.end, total, limits)?;
            let (headers, payload) = body.split_at_checked(size(headers)?)?;
            Some((Publication { subject, reply, headers, payload }, b"HPUB ".len() + end))
        }
        _ => None,
    }
}

/// What follows a line that ends with the CR at `line_len`: as many bytes as `total` says, and where everything ends.
#[inline]
fn body<'a>(line: &'a [u8], line_len: usize, total: &[u8], limits: &Limits) -> Option<(&'a [u8], usize)> {
    let total = size(total)?;
    if line_len > limits.max_control_line || total > limits.max_payload {
        return None;
    }
    let [b'\r', b'\n', body @ ..] = line.get(line_len..)? else { return None };
    let (body, [b'\r', b'\n', ..]) = body.split_at_checked(total)? else { return None };
    Some((body, line_len + total + 4))
}

/// The words of a line, eight bytes at a time: not beyond `LINE_MAX`, and not to the very end of the input.
struct Words<'a> {
    line: &'a [u8],
    /// Where the last word ended. Before the first word: 0.
    end: usize,
    /// Where the next word begins.
    start: usize,
    eights: std::slice::Iter<'a, [u8; 8]>,
    /// Bytes taken out of `eights`.
    read: usize,
    /// The last eight of them, and the blanks among those behind `end`, as `blanks` marks them.
    bytes: u64,
    blanks: u64,
}

impl<'a> Words<'a> {
    #[inline]
    fn of(line: &'a [u8]) -> Self {
        let (eights, _) = line[..line.len().min(LINE_MAX)].as_chunks::<8>();
        Words { line, end: 0, start: 0, eights: eights.iter(), read: 0, bytes: 0, blanks: 0 }
    }

    /// The next word, which is not empty, and the space or control character behind it.
    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], u8)> {
        while self.blanks == 0 {
            self.bytes = u64::from_le_bytes(*self.eights.next()?);
            self.blanks = blanks(self.bytes);
            self.read += 8;
        }
        let shift = self.blanks.trailing_zeros() & !7;
        self.blanks &= self.blanks - 1;
        self.end = self.read - 8 + (shift / 8) as usize;
        let word = self.line.get(self.start..self.end).filter(|word| !word.is_empty())?;
        self.start = self.end + 1;
        Some((word, (self.bytes >> shift) as u8))
    }

    /// The next word, if a CR is behind it.
    #[inline]
    fn last(&mut self) -> Option<&'a [u8]> {
        match self.next()? {
            (word, b'\r') => Some(word),
            _ => None,
        }
    }
}

/// The highest bit of every byte that is a space or a control character; no other bit.
#[inline]
fn blanks(bytes: u64) -> u64 {
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    // Adding this to seven bits carries into the eighth from the first visible character on, and never further.
    const TO_VISIBLE: u64 = (0x80 - b'!' as u64) * 0x0101_0101_0101_0101;
    let visible = ((bytes & !HIGHEST) + TO_VISIBLE) | bytes;
    !visible & HIGHEST
}

/// Longer lines are left to `parse`, so that nothing is looked through twice for long. Bytes.
const LINE_MAX: usize = 256;

#[cfg(test)]
#[path = "publish_test.rs"]
mod tests;
