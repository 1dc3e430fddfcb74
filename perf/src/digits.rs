//! Numbers as decimal digits, written in place and read back.
//! May import: nothing.
//! Must not know: what they count.

/// Fills the place with the last digits of a number, zeros in front.
pub fn write(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Appends exactly `count` digits, at most 20.
pub fn push(out: &mut Vec<u8>, number: u64, count: usize) {
    let start = out.len();
    out.extend_from_slice(&[b'0'; 20][..count]);
    write(&mut out[start..], number);
}

/// Appends as many digits as the number has.
pub fn push_short(out: &mut Vec<u8>, number: u64) {
    push(out, number, number.checked_ilog10().map_or(1, |log| log as usize + 1));
}

/// The digits in front: their number and what follows. None: no digit, or too many for a `u64`.
pub fn read(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut value, mut len) = (0u64, 0);
    while let Some(digit) = text.get(len).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        // Nineteen digits always fit.
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        len += 1;
    }
    (1..=19).contains(&len).then(|| (value, &text[len..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for number in [0, 7, 10, 999, 1000, 18_446_744_073] {
            let mut out = Vec::new();
            push_short(&mut out, number);
            assert_eq!(String::from_utf8_lossy(&out), number.to_string());
            out.push(b' ');
            assert_eq!(read(&out), Some((number, &b" "[..])));
        }
        assert_eq!(read(b"x"), None);
        assert_eq!(read(&[b'9'; 20]), None);
    }
}
