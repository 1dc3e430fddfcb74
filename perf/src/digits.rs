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
    let mut place = [0; 20];
    let place = &mut place[..count];
    write(place, number);
    out.extend_from_slice(place);
}

/// Appends as many digits as the number has.
pub fn push_short(out: &mut Vec<u8>, number: u64) {
    push(out, number, number.checked_ilog10().map_or(1, |log| log as usize + 1));
}

/// The digits in front: their number and what follows. None: no digit, or too many for a `u64`.
pub fn read(text: &[u8]) -> Option<(u64, &[u8])> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 || len > 19 {
        return None;
    }
    let value = text[..len].iter().fold(0u64, |value, byte| value * 10 + u64::from(byte - b'0'));
    Some((value, &text[len..]))
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
