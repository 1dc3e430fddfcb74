//! What several rounds say together: medians, spreads, and how far a ratio can be trusted.
//! May import: nothing.
//! Must not know: what was measured.

use serde::Serialize;

/// The middle of some values and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// None without values.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let sorted = sorted(values);
        Some(Spread { median: middle(&sorted)?, min: *sorted.first()?, max: *sorted.last()? })
    }
}

/// How many times as much, and between which bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Of the ratios of the rounds.
    pub median: f64,
    pub low: f64,
    pub high: f64,
    pub method: Method,
}

/// How an interval was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Percentiles 2.5 and 97.5 of the medians of resampled rounds.
    Bootstrap,
    /// Smallest and largest ratio of a round: too few rounds to resample.
    Range,
}

/// Rounds from which on resampling says more than the range.
const BOOTSTRAP_MIN: usize = 5;
const RESAMPLES: usize = 10_000;

impl Ratio {
    /// Of the values of two sides in the same rounds, `a` over `b`. Rounds where a side has no value (not finite, or `b` is
    /// zero) do not count. None without a round. The same values give the same interval: the resampling has a fixed seed.
    pub fn of(a: &[f64], b: &[f64]) -> Option<Ratio> {
        let ratios = a.iter().zip(b).map(|(a, b)| a / b).filter(|ratio| ratio.is_finite());
        let ratios = sorted(&ratios.collect::<Vec<_>>());
        let median = middle(&ratios)?;
        if ratios.len() < BOOTSTRAP_MIN {
            let (low, high) = (ratios[0], ratios[ratios.len() - 1]);
            return Some(Ratio { median, low, high, method: Method::Range });
        }
        let mut random = SplitMix(0x9e37_79b9_7f4a_7c15);
        let mut resample = vec![0.0; ratios.len()];
        let medians: Vec<f64> = (0..RESAMPLES)
            .filter_map(|_| {
                resample.fill_with(|| ratios[(random.next() % ratios.len() as u64) as usize]);
                middle(&sorted(&resample))
            })
            .collect();
        let medians = sorted(&medians);
        let (low, high) = (medians[RESAMPLES / 40], medians[RESAMPLES - 1 - RESAMPLES / 40]);
        Some(Ratio { median, low, high, method: Method::Bootstrap })
    }
}

impl Method {
    /// As it stands under a table.
    pub fn sentence(self) -> &'static str {
        match self {
            Method::Bootstrap => {
                "Intervals: 95 % bootstrap of the median of the rounds' ratios (10,000 resamples, fixed seed)."
            }
            Method::Range => "Intervals: smallest and largest ratio of a round (fewer than 5 rounds).",
        }
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Of sorted values.
fn middle(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n.is_multiple_of(2) => Some((sorted[half - 1] + sorted[half]) / 2.0),
        _ => Some(sorted[half]),
    }
}

/// SplitMix64: enough to draw rounds with.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
        assert_eq!(Spread::of(&[5.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn an_interval_holds_the_ratio_and_narrows_with_steadier_rounds() {
        let b = [100.0; 9];
        let wild = [150.0, 190.0, 200.0, 205.0, 260.0, 170.0, 230.0, 200.0, 199.0];
        let calm = [198.0, 199.0, 200.0, 200.5, 201.0, 202.0, 199.5, 200.0, 199.8];
        let (wild, calm) = (Ratio::of(&wild, &b).unwrap(), Ratio::of(&calm, &b).unwrap());
        assert_eq!((wild.median, wild.method), (2.0, Method::Bootstrap));
        assert!(wild.low < 2.0 && 2.0 < wild.high, "{wild:?}");
        assert!(calm.high - calm.low < (wild.high - wild.low) / 5.0, "{calm:?} {wild:?}");
        assert!(wild.low >= 1.5 && wild.high <= 2.6);
    }

    #[test]
    fn the_same_rounds_give_the_same_interval() {
        let (a, b) = ([3.0, 4.0, 5.0, 6.0, 7.0], [1.0, 1.1, 0.9, 1.0, 1.2]);
        assert_eq!(Ratio::of(&a, &b), Ratio::of(&a, &b));
    }

    #[test]
    fn few_rounds_give_their_range() {
        let ratio = Ratio::of(&[2.0, 3.0, 8.0], &[1.0, 1.0, 2.0]).unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high, ratio.method), (2.0, 3.0, 4.0, Method::Range));
    }

    #[test]
    fn a_round_without_a_value_does_not_count() {
        let ratio = Ratio::of(&[2.0, 5.0, f64::NAN], &[1.0, 0.0, 1.0]).unwrap();
        assert_eq!((ratio.low, ratio.high), (2.0, 2.0));
        assert_eq!(Ratio::of(&[1.0], &[0.0]), None);
    }
}
