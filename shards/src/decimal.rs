//! Numbers as decimal text, without the formatting machinery: subjects, pub acks and MSG lines are full of them.
//! May import: nothing.
//! Must not know: what a number means.

/// Most digits that a number has.
const DIGITS_MAX: usize = 20;

/// Every number below a hundred, two digits each.
const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut n = 0;
    while n < 100 {
        pairs[2 * n] = b'0' + (n / 10) as u8;
        pairs[2 * n + 1] = b'0' + (n % 10) as u8;
        n += 1;
    }
    pairs
};

/// Appends a number in decimal. Sizes of messages, nearly all of which are short, need no loop.
#[inline]
pub fn put(out: &mut Vec<u8>, value: u64) {
    let [tens, ones] = pair(value % 100);
    match value {
        0..10 => out.push(ones),
        10..100 => out.extend_from_slice(&[tens, ones]),
        100..1_000 => out.extend_from_slice(&[b'0' + (value / 100) as u8, tens, ones]),
        1_000..10_000 => {
            let [thousands, hundreds] = pair(value / 100);
            out.extend_from_slice(&[thousands, hundreds, tens, ones]);
        }
        _ => put_long(out, value),
    }
}

fn put_long(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; DIGITS_MAX];
    let mut at = DIGITS_MAX;
    while value >= 100 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&pair(value % 100));
        value /= 100;
    }
    if value >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&pair(value));
    } else {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Both digits of a number below a hundred.
#[inline]
fn pair(value: u64) -> [u8; 2] {
    let at = 2 * value as usize;
    [PAIRS[at], PAIRS[at + 1]]
}

/// Makes digits those of the number that follows. False: there are not enough of them; they are all 0 then.
#[inline]
pub fn increment(digits: &mut [u8]) -> bool {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return true;
        }
        *digit = b'0';
    }
    false
}

/// Appends a number that may be negative.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    put(out, value.unsigned_abs());
}

/// How many digits a number has.
#[inline]
pub fn len(value: u64) -> usize {
    value.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Reads a whole decimal number; `None` if there is anything else, or it does not fit.
#[inline]
pub fn parse(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    // So many digits always fit.
    let (short, rest) = text.split_at(text.len().min(DIGITS_MAX - 1));
    let mut value = 0u64;
    for &byte in short {
        value = value.wrapping_mul(10).wrapping_add(digit(byte)?);
    }
    rest.iter().try_fold(value, |value, &byte| value.checked_mul(10)?.checked_add(digit(byte)?))
}

#[inline]
fn digit(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted_up() {
        let mut digits = *b"0098";
        for next in [b"0099", b"0100", b"0101"] {
            assert!(increment(&mut digits));
            assert_eq!(&digits, next);
        }
        digits = *b"9999";
        assert!(!increment(&mut digits));
        assert!(!increment(&mut []));
    }

    #[test]
    fn numbers_are_written_and_read() {
        let powers = (0..20).map(|power| 10u64.pow(power)).flat_map(|power| [power - 1, power, power + 1]);
        for value in powers.chain([7, 1234567890, u64::MAX]) {
            let mut out = Vec::new();
            put(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
            assert_eq!(parse(&out), Some(value));
            assert_eq!(len(value), out.len());
        }
        let mut out = Vec::new();
        put_signed(&mut out, i64::MIN);
        assert_eq!(out, i64::MIN.to_string().as_bytes());
        for bad in [&b""[..], b"-1", b"1a", b"18446744073709551616"] {
            assert_eq!(parse(bad), None);
        }
    }
}
