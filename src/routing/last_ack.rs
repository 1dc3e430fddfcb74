//! Where the last ack went: those of one consumer come one after another, each with a subject of its own.

use super::service::Home;

/// What all acks of one consumer begin with, and where they go. Lives on: its core.
#[derive(Debug, Default)]
pub struct LastAck {
    /// `$JS.ACK.<stream>.<consumer>.`
    prefix: Vec<u8>,
    /// `None`: nothing is known.
    home: Option<Home>,
}

impl LastAck {
    /// Where an ack goes that is of the same consumer as the one noted last. `None`: it may be of another, or no ack.
    #[inline]
    pub fn home(&self, subject: &[u8]) -> Option<Home> {
        let home = self.home?;
        let numbers = subject.strip_prefix(&self.prefix[..])?;
        (numbers.len() <= NUMBERS_LEN_MAX && dots(numbers) == NUMBERS - 1).then_some(home)
    }

    /// This ack goes there. One of the long form, with a domain and an account, is not remembered.
    pub fn note(&mut self, subject: &[u8], home: Home) {
        let mut dots = subject.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at);
        if let Some(last_of_names) = dots.nth(NAMES - 1)
            && dots.count() == NUMBERS - 1
        {
            self.prefix.clear();
            self.prefix.extend_from_slice(&subject[..=last_of_names]);
            self.home = Some(home);
        }
    }

    /// The streams changed.
    pub fn forget(&mut self) {
        self.home = None;
    }
}

/// How many dots there are in at most `NUMBERS_LEN_MAX` bytes.
#[inline]
fn dots(text: &[u8]) -> usize {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const DOTS: u64 = u64::from_ne_bytes([b'.'; 8]);
    let (eights, rest) = text.as_chunks::<8>();
    // One count in each byte, summed up in the highest by the product.
    let mut counts = 0u64;
    for eight in eights {
        let other = u64::from_ne_bytes(*eight) ^ DOTS;
        counts += !((other & LOW).wrapping_add(LOW) | other | LOW) >> 7;
    }
    let sum = counts.wrapping_mul(0x0101_0101_0101_0101) >> 56;
    sum as usize + rest.iter().filter(|&&byte| byte == b'.').count()
}

/// `$JS`, `ACK`, stream, consumer.
const NAMES: usize = 4;

/// Deliveries, stream sequence, consumer sequence, time, pending.
const NUMBERS: usize = 5;

/// Five numbers of at most 20 digits fit. A count of dots stays below 256.
const NUMBERS_LEN_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use shards::ids::{GroupId, ShardId};

    const HOME: Home = Home { group: GroupId(7), shard: ShardId(1) };

    #[test]
    fn acks_of_the_same_consumer_go_where_the_last_one_went() {
        let mut acks = LastAck::default();
        assert_eq!(acks.home(b"$JS.ACK.S.C.1.2.3.4.5"), None);
        acks.note(b"$JS.ACK.S.C.1.2.3.4.5", HOME);
        for same in [&b"$JS.ACK.S.C.1.2.3.4.5"[..], b"$JS.ACK.S.C.2.1234567890.3333.1700000000000000000.0"] {
            assert_eq!(acks.home(same), Some(HOME));
        }
        for other in
            ["$JS.ACK.S.D.1.2.3.4.5", "$JS.ACK.S.C.1.2.3.4", "$JS.ACK.S.C.1.2.3.4.5.6", "$JS.ACK.S.C"]
        {
            assert_eq!(acks.home(other.as_bytes()), None, "{other}");
        }
        // 256 dots too many.
        let long = format!("$JS.ACK.S.C.1.2.3.4.5{}", ".".repeat(256));
        assert_eq!(acks.home(long.as_bytes()), None);
        acks.forget();
        assert_eq!(acks.home(b"$JS.ACK.S.C.1.2.3.4.5"), None);
    }

    #[test]
    fn the_long_form_is_not_remembered() {
        let mut acks = LastAck::default();
        acks.note(b"$JS.ACK._.szMpdrwD.S.C.1.2.3.4.5", HOME);
        assert_eq!(acks.home(b"$JS.ACK._.szMpdrwD.S.C.1.2.3.4.5"), None);
    }

    #[test]
    fn dots_are_counted_wherever_they_are() {
        for len in 0..=NUMBERS_LEN_MAX {
            let text: Vec<u8> = (0..len).map(|n| if n * n % 5 < 2 { b'.' } else { b'.' ^ 0x80 }).collect();
            assert_eq!(dots(&text), text.iter().filter(|&&byte| byte == b'.').count());
            assert_eq!(dots(&vec![b'.'; len]), len);
        }
    }
}
