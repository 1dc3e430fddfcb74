//! One operation of a client out of a slice of bytes that may be cut anywhere.
//!
//! A cut operation is parsed again from its start when more bytes are there. That costs a control line at most: payloads are
//! never scanned. Sources: nats-server, server/parser.go, server/client.go (`processPub`, `parseSub`, `processUnsub`).

use memchr::{memchr, memchr2};

/// One operation, as slices of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    Connect {
        json: &'a [u8],
    },
    Publish {
        subject: &'a [u8],
        reply: &'a [u8],
        headers: &'a [u8],
        payload: &'a [u8],
    },
    Subscribe {
        subject: &'a [u8],
        queue: &'a [u8],
        sid: &'a [u8],
    },
    /// `max` 0: at once. Also when a client sends a bad number.
    Unsubscribe {
        sid: &'a [u8],
        max: u64,
    },
    Ping,
    Pong,
    /// `+OK`: means nothing.
    Ok,
    Info {
        json: &'a [u8],
    },
    /// `-ERR`: the client complains.
    Error {
        text: &'a [u8],
    },
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// An operation and its length with everything that belongs to it. Bytes.
    Whole(Operation<'a>, usize),
    /// The operation is cut. At least this many bytes from its start are needed to get any further.
    Cut { at_least: usize },
}

/// What the parser is told about limits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest arguments of an operation. Bytes, without verb and line end.
    pub max_control_line: usize,
    /// Largest message, headers and payload. Bytes.
    pub max_payload: usize,
    /// HPUB is allowed.
    pub headers: bool,
}

/// The peer spoke badly. Every one of these ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    UnknownOperation,
    /// Number of arguments, sizes, HPUB without having negotiated headers.
    BadArguments,
    ControlLineTooLong,
    PayloadTooLarge,
}

impl ProtocolError {
    /// Text of the `-ERR` that goes with it, if one does.
    pub fn text(self) -> Option<&'static str> {
        match self {
            ProtocolError::UnknownOperation => Some("Unknown Protocol Operation"),
            ProtocolError::BadArguments => None,
            ProtocolError::ControlLineTooLong => Some("maximum control line exceeded"),
            ProtocolError::PayloadTooLarge => Some("Maximum Payload Violation"),
        }
    }
}

/// Parses the operation at the start of `input`.
#[inline]
pub fn parse<'a>(input: &'a [u8], limits: &Limits) -> Result<Parsed<'a>, ProtocolError> {
    let (verb, verb_len) = match verb(input)? {
        Some(found) => found,
        None => return Ok(Parsed::Cut { at_least: input.len() + 1 }),
    };
    if matches!(verb, Verb::Ping | Verb::Pong | Verb::Ok) {
        return parse_bare(verb, verb_len, input, limits);
    }
    let line = match line(input, verb, verb_len, limits)? {
        Some(line) => line,
        None => return Ok(Parsed::Cut { at_least: input.len() + 1 }),
    };
    let operation = match verb {
        Verb::Pub => return parse_pub(input, line, limits),
        Verb::Hpub => return parse_hpub(input, line, limits),
        Verb::Sub => parse_sub(line.arguments)?,
        Verb::Unsub => parse_unsub(line.arguments)?,
        Verb::Connect => Operation::Connect { json: line.arguments },
        Verb::Info => Operation::Info { json: line.arguments },
        Verb::Error | Verb::Ping | Verb::Pong | Verb::Ok => Operation::Error { text: line.arguments },
    };
    Ok(Parsed::Whole(operation, line.end))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Connect,
    Pub,
    Hpub,
    Sub,
    Unsub,
    Ping,
    Pong,
    Ok,
    Info,
    Error,
}

/// The verb and its length; `None` if the input ends within one.
#[inline]
fn verb(input: &[u8]) -> Result<Option<(Verb, usize)>, ProtocolError> {
    if let Some((four, _)) = input.split_first_chunk::<4>() {
        match &four.map(|byte| byte | 0x20) {
            b"pub " => return Ok(Some((Verb::Pub, 3))),
            b"hpub" => return Ok(Some((Verb::Hpub, 4))),
            _ => {}
        }
    }
    let Some(first) = input.first() else { return Ok(None) };
    let candidates: &[(&[u8], Verb)] = match first.to_ascii_lowercase() {
        b'p' => &[(b"pub", Verb::Pub), (b"ping", Verb::Ping), (b"pong", Verb::Pong)],
        b'h' => &[(b"hpub", Verb::Hpub)],
        b's' => &[(b"sub", Verb::Sub)],
        b'u' => &[(b"unsub", Verb::Unsub)],
        b'c' => &[(b"connect", Verb::Connect)],
        b'i' => &[(b"info", Verb::Info)],
        b'+' => &[(b"+ok", Verb::Ok)],
        b'-' => &[(b"-err", Verb::Error)],
        _ => return Err(ProtocolError::UnknownOperation),
    };
    for &(name, verb) in candidates {
        let known = name.len().min(input.len());
        if input[..known].eq_ignore_ascii_case(&name[..known]) {
            return Ok((known == name.len()).then_some((verb, known)));
        }
    }
    Err(ProtocolError::UnknownOperation)
}

/// PING, PONG and +OK: whatever stands before the line end is ignored, but bounded like arguments, since it may be kept.
fn parse_bare<'a>(
    verb: Verb,
    verb_len: usize,
    input: &'a [u8],
    limits: &Limits,
) -> Result<Parsed<'a>, ProtocolError> {
    let lf = memchr(b'\n', &input[verb_len..]);
    if lf.unwrap_or(input.len() - verb_len) > limits.max_control_line + 1 {
        return Err(ProtocolError::ControlLineTooLong);
    }
    let Some(lf) = lf else { return Ok(Parsed::Cut { at_least: input.len() + 1 }) };
    let operation = match verb {
        Verb::Ping => Operation::Ping,
        Verb::Pong => Operation::Pong,
        _ => Operation::Ok,
    };
    Ok(Parsed::Whole(operation, verb_len + lf + 1))
}

#[derive(Clone, Copy)]
struct Line<'a> {
    /// From the first byte that is no separator to the line end.
    arguments: &'a [u8],
    /// Where the next line begins.
    end: usize,
}

/// The arguments behind a verb; `None` if the line is cut.
#[inline]
fn line<'a>(
    input: &'a [u8],
    verb: Verb,
    verb_len: usize,
    limits: &Limits,
) -> Result<Option<Line<'a>>, ProtocolError> {
    let Some(&behind) = input.get(verb_len) else { return Ok(None) };
    let needs_separator = !matches!(verb, Verb::Connect | Verb::Info);
    if needs_separator && !is_separator(behind) {
        return Err(ProtocolError::UnknownOperation);
    }
    let mut start = verb_len;
    while start < input.len() && is_separator(input[start]) {
        start += 1;
    }
    if start - verb_len > limits.max_control_line {
        return Err(ProtocolError::ControlLineTooLong);
    }
    // The first byte of the arguments is taken whatever it is: `PUB \r\n` has one argument, `\r`.
    let from = start + 1;
    if from > input.len() {
        return Ok(None);
    }
    let until = input.len().min(from + limits.max_control_line + 2);
    let lf = memchr(b'\n', &input[from..until]).map(|lf| from + lf);
    let mut arguments = &input[start..lf.unwrap_or(until)];
    if let [rest @ .., b'\r'] = arguments {
        arguments = rest;
    }
    if arguments.len() > limits.max_control_line {
        return Err(ProtocolError::ControlLineTooLong);
    }
    Ok(lf.map(|lf| Line { arguments, end: lf + 1 }))
}

/// `<subject> [reply] <size>`
#[inline]
fn parse_pub<'a>(input: &'a [u8], line: Line<'a>, limits: &Limits) -> Result<Parsed<'a>, ProtocolError> {
    let mut arguments = [&b""[..]; 3];
    let (subject, reply, total) = match split(line.arguments, &mut arguments)? {
        2 => (arguments[0], &b""[..], arguments[1]),
        3 => (arguments[0], arguments[1], arguments[2]),
        _ => return Err(ProtocolError::BadArguments),
    };
    let total = size(total).ok_or(ProtocolError::BadArguments)?;
    message(input, line.end, total, limits, |body| Operation::Publish {
        subject,
        reply,
        headers: b"",
        payload: body,
    })
}

/// `<subject> [reply] <size of headers> <size of headers and payload>`
#[inline]
fn parse_hpub<'a>(input: &'a [u8], line: Line<'a>, limits: &Limits) -> Result<Parsed<'a>, ProtocolError> {
    if !limits.headers {
        return Err(ProtocolError::BadArguments);
    }
    let mut arguments = [&b""[..]; 4];
    let (subject, reply, headers, total) = match split(line.arguments, &mut arguments)? {
        3 => (arguments[0], &b""[..], arguments[1], arguments[2]),
        4 => (arguments[0], arguments[1], arguments[2], arguments[3]),
        _ => return Err(ProtocolError::BadArguments),
    };
    let headers_len = size(headers).ok_or(ProtocolError::BadArguments)?;
    let total = size(total).filter(|&total| headers_len <= total).ok_or(ProtocolError::BadArguments)?;
    message(input, line.end, total, limits, |body| {
        let (headers, payload) = body.split_at(headers_len);
        Operation::Publish { subject, reply, headers, payload }
    })
}

/// What follows a PUB or HPUB line: `total` bytes, then CR LF.
#[inline]
fn message<'a>(
    input: &'a [u8],
    start: usize,
    total: usize,
    limits: &Limits,
    operation: impl FnOnce(&'a [u8]) -> Operation<'a>,
) -> Result<Parsed<'a>, ProtocolError> {
    if total > limits.max_payload {
        return Err(ProtocolError::PayloadTooLarge);
    }
    let end = start + total;
    match input.get(end..) {
        Some([b'\r', b'\n', ..]) => Ok(Parsed::Whole(operation(&input[start..end]), end + 2)),
        Some([b'\r']) => Ok(Parsed::Cut { at_least: end + 2 }),
        Some([_, ..]) => Err(ProtocolError::UnknownOperation),
        Some([]) | None => Ok(Parsed::Cut { at_least: end + 1 }),
    }
}

/// `<subject> [queue] <sid>`
fn parse_sub(arguments: &[u8]) -> Result<Operation<'_>, ProtocolError> {
    let mut words = words(arguments);
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(subject), Some(sid), None, _) => Ok(Operation::Subscribe { subject, queue: b"", sid }),
        (Some(subject), Some(queue), Some(sid), None) => Ok(Operation::Subscribe { subject, queue, sid }),
        _ => Err(ProtocolError::BadArguments),
    }
}

/// `<sid> [max]`
fn parse_unsub(arguments: &[u8]) -> Result<Operation<'_>, ProtocolError> {
    let mut words = words(arguments);
    match (words.next(), words.next(), words.next()) {
        (Some(sid), max, None) => {
            Ok(Operation::Unsubscribe { sid, max: max.and_then(size).unwrap_or(0) as u64 })
        }
        _ => Err(ProtocolError::BadArguments),
    }
}

/// Splits at runs of separators; the number of words. More than there is room for is an error.
#[inline]
fn split<'a, const N: usize>(mut rest: &'a [u8], words: &mut [&'a [u8]; N]) -> Result<usize, ProtocolError> {
    let mut count = 0;
    loop {
        while let [b' ' | b'\t', behind @ ..] = rest {
            rest = behind;
        }
        if rest.is_empty() {
            return Ok(count);
        }
        let end = memchr2(b' ', b'\t', rest).unwrap_or(rest.len());
        *words.get_mut(count).ok_or(ProtocolError::BadArguments)? = &rest[..end];
        count += 1;
        rest = &rest[end..];
    }
}

/// SUB and UNSUB also take a CR within the line for a separator.
fn words(arguments: &[u8]) -> impl Iterator<Item = &[u8]> {
    arguments.split(|&byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).filter(|word| !word.is_empty())
}

/// One to nine digits.
#[inline]
pub(super) fn size(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let mut number = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + usize::from(digit);
    }
    Some(number)
}

#[inline]
fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
#[path = "parse_test.rs"]
mod tests;
