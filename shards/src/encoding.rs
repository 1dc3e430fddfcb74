//! Little-endian numbers and byte strings, read with bounds and written by appending.
//! May import: nothing.
//! Must not know: what is encoded.

/// The bytes end early, or a length or value in them cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads from the front of a slice. Every method fails with `Malformed` instead of going past the end.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_le_bytes)
    }

    /// 0 or 1; anything else is malformed.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// LEB128, at most ten bytes.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest {
            [byte, rest @ ..] if byte & 0x80 == 0 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high, rest @ ..] if high & 0x80 == 0 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (at, &byte) in self.rest.iter().take(VARINT_LEN_MAX).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if at == VARINT_LEN_MAX - 1 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << (7 * at);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// Goes on behind a varint, which is not looked at.
    #[inline]
    pub fn skip_varint(&mut self) -> Result<(), Malformed> {
        let last = self.rest.iter().position(|byte| byte & 0x80 == 0).ok_or(Malformed)?;
        self.rest = &self.rest[last + 1..];
        Ok(())
    }

    /// Goes on behind `count` varints, which are not looked at: each ends with a byte whose high bit is clear. Eight bytes at a
    /// time.
    pub fn skip_varints(&mut self, count: usize) -> Result<(), Malformed> {
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let mut left = count;
        while let Some((word, rest)) = self.rest.split_first_chunk::<8>() {
            let ends = (!u64::from_le_bytes(*word) & HIGH).count_ones() as usize;
            if ends >= left {
                break;
            }
            left -= ends;
            self.rest = rest;
        }
        while left > 0 {
            left -= usize::from(self.u8()? & 0x80 == 0);
        }
        Ok(())
    }

    /// A varint length, then that many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        self.take(len)
    }

    /// As `bytes`, and valid UTF-8.
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// Everything must have been read.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }
}

/// Longest varint. Bytes.
const VARINT_LEN_MAX: usize = 10;

/// Appends to a byte vector; the counterpart of `Reader`.
pub trait Write {
    fn put_u8(&mut self, value: u8);
    fn put_u16(&mut self, value: u16);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    fn put_i64(&mut self, value: i64);
    fn put_bool(&mut self, value: bool);
    fn put_varint(&mut self, value: u64);
    /// A varint length, then the bytes.
    fn put_bytes(&mut self, bytes: &[u8]);
}

impl Write for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_i64(&mut self, value: i64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_bool(&mut self, value: bool) {
        self.push(u8::from(value));
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_varint(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let mut out = Vec::new();
        out.put_u8(7);
        out.put_u16(300);
        out.put_u32(70_000);
        out.put_u64(u64::MAX);
        out.put_i64(-5);
        out.put_bool(true);
        out.put_varint(u64::MAX);
        out.put_varint(127);
        out.put_bytes(b"orders.eu");
        let mut r = Reader::new(&out);
        assert_eq!((r.u8(), r.u16(), r.u32()), (Ok(7), Ok(300), Ok(70_000)));
        assert_eq!((r.u64(), r.i64(), r.bool()), (Ok(u64::MAX), Ok(-5), Ok(true)));
        assert_eq!((r.varint(), r.varint()), (Ok(u64::MAX), Ok(127)));
        assert_eq!(r.string(), Ok("orders.eu"));
        assert_eq!(r.finish(), Ok(()));
    }

    #[test]
    fn varints_are_skipped_as_if_they_were_read() {
        let mut out = Vec::new();
        for n in 0..200u64 {
            out.put_varint(n.pow(1 + n as u32 % 8));
        }
        for count in 0..200 {
            let (mut read, mut skipped) = (Reader::new(&out), Reader::new(&out));
            (0..count).for_each(|_| assert!(read.varint().is_ok()));
            assert_eq!(skipped.skip_varints(count), Ok(()));
            assert_eq!(skipped.remaining(), read.remaining(), "{count}");
        }
        assert_eq!(Reader::new(&out).skip_varints(201), Err(Malformed));
        assert_eq!(Reader::new(&[0x80; 30]).skip_varints(1), Err(Malformed));
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        assert_eq!(Reader::new(&[1, 2, 3]).u32(), Err(Malformed));
        assert_eq!(Reader::new(&[200, 1, b'x']).bytes(), Err(Malformed));
        assert_eq!(Reader::new(&[0xff; 10]).varint(), Err(Malformed));
    }
}
