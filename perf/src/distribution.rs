//! Which of some subjects a random number stands for.
//! May import: workload.
//! Must not know: subjects, messages.

use crate::workload::Distribution;

/// A choice among `0..count`.
pub enum Choice {
    InTurn(u64),
    Uniform(u64),
    Zipf(Alias),
}

/// Walker's alias method: each column is a place and an alias, and a probability to take the place.
pub struct Alias {
    columns: Vec<(u32, u32)>,
}

impl Choice {
    pub fn new(distribution: Distribution, count: u32) -> Choice {
        match distribution {
            _ if count <= 1 => Choice::InTurn(1),
            Distribution::InTurn => Choice::InTurn(u64::from(count)),
            Distribution::Uniform => Choice::Uniform(u64::from(count)),
            Distribution::Zipf => Choice::Zipf(Alias::zipf(count)),
        }
    }

    /// `turn` counts up, `random` looks random; which one matters is the distribution's.
    pub fn pick(&self, turn: u64, random: impl FnOnce() -> u64) -> u64 {
        match self {
            Choice::InTurn(1) => 0,
            Choice::InTurn(count) => turn % count,
            Choice::Uniform(count) => scaled(random() >> 32, *count),
            Choice::Zipf(alias) => alias.pick(random()),
        }
    }
}

impl Alias {
    /// Weight 1/n for the n-th.
    fn zipf(count: u32) -> Alias {
        let total: f64 = (1..=count).map(|n| 1.0 / f64::from(n)).sum();
        let weights: Vec<f64> = (1..=count).map(|n| f64::from(count) / (f64::from(n) * total)).collect();
        Alias::from_weights(weights)
    }

    /// Weights whose mean is 1.
    fn from_weights(mut weights: Vec<f64>) -> Alias {
        let mut columns: Vec<(u32, u32)> = (0..weights.len() as u32).map(|n| (u32::MAX, n)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&n| weights[n] < 1.0);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            columns[poor] = ((weights[poor] * f64::from(u32::MAX)) as u32, rich as u32);
            weights[rich] -= 1.0 - weights[poor];
            if weights[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Alias { columns }
    }

    fn pick(&self, random: u64) -> u64 {
        let column = scaled(random >> 32, self.columns.len() as u64);
        let (probability, alias) = self.columns[column as usize];
        if random as u32 <= probability { column } else { u64::from(alias) }
    }
}

/// A number of 32 bits onto `0..count`.
fn scaled(number: u64, count: u64) -> u64 {
    (number * count) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn counts(distribution: Distribution, draws: u64) -> Vec<u64> {
        let (choice, mut random) = (Choice::new(distribution, 100), Random::new(1));
        let mut counts = vec![0; 100];
        for turn in 0..draws {
            counts[choice.pick(turn, || random.next()) as usize] += 1;
        }
        counts
    }

    #[test]
    fn in_turn_gives_each_the_same() {
        assert!(counts(Distribution::InTurn, 1000).iter().all(|count| *count == 10));
    }

    #[test]
    fn uniform_gives_each_about_the_same() {
        let counts = counts(Distribution::Uniform, 1_000_000);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn zipf_gives_the_nth_one_nth_of_the_first() {
        let counts = counts(Distribution::Zipf, 1_000_000);
        for n in [2u64, 5, 20, 100] {
            let expected = counts[0] as f64 / n as f64;
            let share = counts[n as usize - 1] as f64 / expected;
            assert!((0.9..1.1).contains(&share), "{n}: {share}");
        }
    }

    #[test]
    fn one_subject_is_always_the_first() {
        assert_eq!(Choice::new(Distribution::Zipf, 1).pick(17, || u64::MAX), 0);
    }
}
