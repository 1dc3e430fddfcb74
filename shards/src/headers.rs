//! The `NATS/1.0` header block: fields read in place, blocks written by appending.
//! May import: nothing.
//! Must not know: what a field means.
//!
//! Look-ups are exact in case, begin at the start of a line and skip the spaces after the colon; a block is never
//! normalised. Sources: NATS ADR-4; nats-server, server/client.go (`sliceHeader`).

use memchr::{memchr, memmem};

/// How every block begins.
pub const VERSION: &[u8] = b"NATS/1.0";

/// Value of the first field of this key; `None` if there is none. Keys hold neither `:` nor line ends.
pub fn get<'a>(block: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut line = second_line(block)?;
    loop {
        let rest = &block[line..];
        if rest.len() > key.len() && rest[key.len()] == b':' && rest.starts_with(key) {
            return Some(value(&rest[key.len() + 1..]));
        }
        line = next_line(block, line)?;
    }
}

/// All fields in order, as (key, value). Lines without a colon are skipped.
pub fn fields(block: &[u8]) -> Fields<'_> {
    Fields { block, line: second_line(block) }
}

/// The fields whose keys begin with `prefix`, in order, as (rest of the key, value). Looks at other lines only to find their
/// ends. The prefix holds neither `:` nor line ends.
pub fn fields_with<'a>(block: &'a [u8], prefix: &'static [u8]) -> FieldsWith<'a> {
    FieldsWith { block, prefix, line: second_line(block) }
}

/// Value of the only field of a block that begins with `start`: the first line, the field's key and its colon. `None`: there is
/// another, or the block is none of that kind, or not whole.
#[inline]
pub fn only_behind<'a>(block: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let line = block.strip_prefix(start)?.strip_suffix(b"\r\n\r\n")?;
    find(b'\n', line).is_none().then(|| without_spaces(line))
}

/// An inline status: `NATS/1.0 503 No Responders`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Three digits.
    pub code: u16,
    /// Empty: none.
    pub description: &'a [u8],
}

/// The status in the first line, if it has one.
pub fn status(block: &[u8]) -> Option<Status<'_>> {
    let line = &block[..memmem::find(block, b"\r\n")?];
    let rest = line.strip_prefix(VERSION)?.strip_prefix(b" ")?.trim_ascii_start();
    let (digits, description) = rest.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !(description.is_empty() || description[0] == b' ') {
        return None;
    }
    let code = digits.iter().fold(0u16, |code, digit| code * 10 + u16::from(digit - b'0'));
    Some(Status { code, description: description.trim_ascii() })
}

/// The block behind its first line: fields and the empty line at the end. Empty if there is no line end.
pub fn after_first_line(block: &[u8]) -> &[u8] {
    second_line(block).map_or(b"", |line| &block[line..])
}

/// Starts a block: the version line, without status.
pub fn start(out: &mut Vec<u8>) {
    out.extend_from_slice(b"NATS/1.0\r\n");
}

/// Starts a block with a status. `code` has three digits; an empty `description` is left out.
pub fn start_status(out: &mut Vec<u8>, code: u16, description: &[u8]) {
    out.extend_from_slice(VERSION);
    let digit = |n: u16| b'0' + (n % 10) as u8;
    out.extend_from_slice(&[b' ', digit(code / 100), digit(code / 10), digit(code)]);
    if !description.is_empty() {
        out.push(b' ');
        out.extend_from_slice(description);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes one field of a started block.
pub fn field(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    out.extend_from_slice(key);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Ends a started block with its empty line.
pub fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Adds a field to a whole block; makes a new block if `block` is empty.
pub fn append(block: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if block.is_empty() {
        start(block);
    } else if block.ends_with(b"\r\n") {
        block.truncate(block.len() - 2);
    }
    field(block, key, value);
    end(block);
}

/// Removes every field of this key. A block that has no field left and no status becomes empty.
pub fn remove(block: &mut Vec<u8>, key: &[u8]) {
    let Some(mut line) = next_line(block, 0) else { return };
    while line < block.len() {
        let end = next_line(block, line).unwrap_or(block.len());
        if block.len() > line + key.len() && block[line + key.len()] == b':' && block[line..].starts_with(key)
        {
            block.drain(line..end);
        } else {
            line = end;
        }
    }
    if block == b"NATS/1.0\r\n\r\n" {
        block.clear();
    }
}

/// See `fields`.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    block: &'a [u8],
    /// Start of the next line.
    line: Option<usize>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.line?;
            self.line = next_line(self.block, start);
            let line = &self.block[start..self.line.unwrap_or(self.block.len())];
            if let Some(colon) = find(b':', line) {
                return Some((&line[..colon], value(&line[colon + 1..])));
            }
        }
    }
}

/// See `fields_with`.
#[derive(Clone, Debug)]
pub struct FieldsWith<'a> {
    block: &'a [u8],
    prefix: &'static [u8],
    /// Start of the next line.
    line: Option<usize>,
}

impl<'a> Iterator for FieldsWith<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.line?;
            let rest = &self.block[start..];
            // The empty line at the end.
            if rest == b"\r\n" {
                self.line = None;
                return None;
            }
            self.line = next_line(self.block, start);
            let Some(rest) = rest.strip_prefix(self.prefix) else { continue };
            let len = self.line.map_or(rest.len(), |next| next - 2 - start - self.prefix.len());
            if let Some(colon) = find(b':', &rest[..len]) {
                return Some((&rest[..colon], without_spaces(&rest[colon + 1..len])));
            }
        }
    }
}

/// Start of the line after the first one, which nearly always says no more than what kind of block it is.
#[inline]
fn second_line(block: &[u8]) -> Option<usize> {
    const FIRST: &[u8] = b"NATS/1.0\r\n";
    if block.starts_with(FIRST) { Some(FIRST.len()) } else { next_line(block, 0) }
}

/// Where a byte is, which is expected to be near: without the cost of a search that is made for long texts.
#[inline]
fn find(byte: u8, text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const NEAR: usize = 6;
    let (words, _) = text.as_chunks::<8>();
    for (at, word) in words.iter().take(NEAR).enumerate() {
        let differing = u64::from_le_bytes(*word) ^ (ONES * u64::from(byte));
        let same = differing.wrapping_sub(ONES) & !differing & (ONES << 7);
        if same != 0 {
            return Some(at * 8 + same.trailing_zeros() as usize / 8);
        }
    }
    let from = words.len().min(NEAR) * 8;
    memchr(byte, &text[from..]).map(|at| from + at)
}

/// Start of the line after the one that begins at `from`; `None` if no line end follows. A line ends at CR LF.
#[inline]
fn next_line(block: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let lf = at + find(b'\n', &block[at..])?;
        if lf > from && block[lf - 1] == b'\r' {
            return Some(lf + 1);
        }
        at = lf + 1;
    }
}

/// From behind the colon to the line end, without the spaces in front.
fn value(rest: &[u8]) -> &[u8] {
    let end = next_line(rest, 0).map_or(rest.len(), |next| next - 2);
    without_spaces(&rest[..end])
}

#[inline]
fn without_spaces(value: &[u8]) -> &[u8] {
    let spaces = value.iter().take_while(|&&byte| byte == b' ').count();
    &value[spaces..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] =
        b"NATS/1.0\r\nNats-Msg-Id: 42\r\nX:y\r\nnats-msg-id:   low \r\nNats-Msg-Id: 43\r\n\r\n";

    #[test]
    fn the_first_field_of_a_key_is_found_in_exact_case() {
        assert_eq!(get(BLOCK, b"Nats-Msg-Id"), Some(&b"42"[..]));
        assert_eq!(get(BLOCK, b"X"), Some(&b"y"[..]));
        assert_eq!(get(BLOCK, b"x"), None);
        assert_eq!(get(BLOCK, b"Nats-Msg"), None);
        assert_eq!(get(BLOCK, b"Msg-Id"), None);
    }

    #[test]
    fn spaces_before_a_value_are_skipped_and_those_behind_it_kept() {
        assert_eq!(get(BLOCK, b"nats-msg-id"), Some(&b"low "[..]));
    }

    #[test]
    fn junk_is_no_field_and_no_panic() {
        for junk in
            [&b""[..], b"\r\n", b"NATS/1.0", b"NATS/1.0\r\nX", b"X: 1\r\n", b"\n\n\nX:", b"NATS/1.0\r\n:"]
        {
            assert_eq!(get(junk, b"X"), None, "{junk:?}");
            let _ = (fields(junk).count(), status(junk), after_first_line(junk));
        }
        assert_eq!(get(b"NATS/1.0\r\nX: no end", b"X"), Some(&b"no end"[..]));
    }

    #[test]
    fn a_lone_line_feed_ends_no_line() {
        assert_eq!(get(b"NATS/1.0\r\nA: b\nX: 1\r\n\r\n", b"X"), None);
        assert_eq!(get(b"NATS/1.0\r\nA: b\nX: 1\r\n\r\n", b"A"), Some(&b"b\nX: 1"[..]));
    }

    #[test]
    fn fields_come_in_order_with_repeats() {
        let keys: Vec<_> = fields(BLOCK).map(|(key, _)| key).collect();
        assert_eq!(keys, [&b"Nats-Msg-Id"[..], b"X", b"nats-msg-id", b"Nats-Msg-Id"]);
    }

    #[test]
    fn fields_with_a_prefix_are_those_of_all_fields_that_have_it() {
        let lines = [
            &b"Nats-Msg-Id: 42"[..],
            b"Nats-",
            b"Nats-:",
            b"Nats-A:  b: c ",
            b"X:y",
            b"",
            b"\n",
            b"\r",
            b"\rNats-B:1",
            b"\nNats-C:2",
            b"Nats-D:\n3",
            b"no colon but a lot of text, longer than any near search",
            b"Nats-Long: no colon but a lot of text, longer than any near search",
        ];
        let mut state = 7u64;
        let mut alone = 0;
        for _ in 0..20_000 {
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as usize
            };
            let mut block = if random() % 4 > 0 { b"NATS/1.0\r\n".to_vec() } else { Vec::new() };
            for _ in 0..random() % 5 {
                block.extend_from_slice(lines[random() % lines.len()]);
                block.extend_from_slice(if random() % 5 > 0 { b"\r\n" } else { b"\n" });
            }
            if random() % 3 > 0 {
                block.extend_from_slice(b"\r\n");
            }
            let all = fields(&block).filter_map(|(key, value)| Some((key.strip_prefix(b"Nats-")?, value)));
            let found: Vec<_> = fields_with(&block, b"Nats-").collect();
            assert_eq!(found, all.collect::<Vec<_>>(), "{:?}", String::from_utf8_lossy(&block));
            let first = found.iter().find(|(key, _)| *key == b"Msg-Id").map(|(_, value)| *value);
            assert_eq!(get(&block, b"Nats-Msg-Id"), first);
            if let Some(only) = only_behind(&block, b"NATS/1.0\r\nNats-Msg-Id:") {
                assert_eq!(fields(&block).collect::<Vec<_>>(), [(&b"Nats-Msg-Id"[..], only)]);
                alone += 1;
            }
        }
        assert!(alone > 10, "{alone}");
    }

    #[test]
    fn a_status_has_three_digits_and_perhaps_a_description() {
        assert_eq!(status(b"NATS/1.0 503\r\n\r\n"), Some(Status { code: 503, description: b"" }));
        let heartbeat = status(b"NATS/1.0 100 Idle Heartbeat\r\nA: b\r\n\r\n");
        assert_eq!(heartbeat, Some(Status { code: 100, description: b"Idle Heartbeat" }));
        for none in [
            &b"NATS/1.0\r\n\r\n"[..],
            b"NATS/1.0 50\r\n\r\n",
            b"NATS/1.0 5033\r\n\r\n",
            b"HTTP/1.1 200\r\n\r\n",
        ] {
            assert_eq!(status(none), None, "{none:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut block = Vec::new();
        start_status(&mut block, 408, b"Request Timeout");
        field(&mut block, b"Nats-Pending-Messages", b"7");
        end(&mut block);
        append(&mut block, b"Nats-Pending-Bytes", b"0");
        assert_eq!(
            block,
            b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 7\r\nNats-Pending-Bytes: 0\r\n\r\n"
        );
        assert_eq!(after_first_line(&block), b"Nats-Pending-Messages: 7\r\nNats-Pending-Bytes: 0\r\n\r\n");
        let mut fresh = Vec::new();
        append(&mut fresh, b"A", b"b");
        assert_eq!(fresh, b"NATS/1.0\r\nA: b\r\n\r\n");
    }

    #[test]
    fn removing_the_last_field_removes_the_block() {
        let mut block = BLOCK.to_vec();
        remove(&mut block, b"Nats-Msg-Id");
        assert_eq!(block, b"NATS/1.0\r\nX:y\r\nnats-msg-id:   low \r\n\r\n");
        remove(&mut block, b"X");
        remove(&mut block, b"nats-msg-id");
        assert_eq!(block, b"");
    }
}
