//! Randomness from a seed, for the draw of a queue group's member.

/// xorshift64*. Lives on: its core; cores have different seeds.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Any seed will do.
    pub fn new(seed: u64) -> Self {
        Random { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The next number, below 2^32.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }
}
