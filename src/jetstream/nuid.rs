//! Unique ids for advisories and names for consumers, from a seed that the owner hands in.

/// Draws base-62 texts. One per core; two cores need different seeds.
#[derive(Clone, Debug)]
pub struct Nuid {
    state: u64,
}

impl Nuid {
    /// Any seed will do.
    pub fn new(seed: u64) -> Self {
        Nuid { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// 22 characters, the length that clients expect of the `id` of an advisory.
    pub fn id(&mut self) -> [u8; 22] {
        self.draw()
    }

    /// 8 characters: the name of a consumer whose creator gave none.
    pub fn consumer_name(&mut self) -> [u8; 8] {
        self.draw()
    }

    fn draw<const LEN: usize>(&mut self) -> [u8; LEN] {
        std::array::from_fn(|_| DIGITS[(self.next() % DIGITS.len() as u64) as usize])
    }

    /// xorshift64*: the high bits of the product are well mixed.
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_do_not_repeat_and_follow_from_the_seed() {
        let draw = |seed| {
            let mut nuid = Nuid::new(seed);
            (0..1000).map(|_| nuid.id()).collect::<Vec<_>>()
        };
        let ids = draw(7);
        assert_eq!(ids, draw(7));
        assert_eq!(ids.iter().chain(&draw(8)).collect::<BTreeSet<_>>().len(), 2000);
        assert!(ids.iter().flatten().all(u8::is_ascii_alphanumeric));
    }
}
