//! Many durations in little room: distinct values with their counts, and quantiles of them.
//! May import: nothing.
//! Must not know: what was measured.

use hdrhistogram::Histogram;

/// Nanoseconds, rounded as the histogram they came from rounds, and how often each was seen. A second of load takes some
/// kilobytes where a whole histogram takes a quarter of a megabyte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Increasing values; no count is 0.
    counts: Vec<(u64, u64)>,
}

impl Values {
    pub fn of(histogram: &Histogram<u64>) -> Values {
        let counts = histogram.iter_recorded();
        Values { counts: counts.map(|step| (step.value_iterated_to(), step.count_at_value())).collect() }
    }

    /// Adds what another part of the load saw.
    pub fn add(&mut self, other: &Values) {
        let mut merged = Vec::with_capacity(self.counts.len() + other.counts.len());
        let (mut mine, mut theirs) = (self.counts.iter().peekable(), other.counts.iter().peekable());
        loop {
            let next = match (mine.peek(), theirs.peek()) {
                (Some(a), Some(b)) if a.0 <= b.0 => mine.next(),
                (_, Some(_)) => theirs.next(),
                (_, None) => mine.next(),
            };
            let Some(&(value, count)) = next else { break };
            match merged.last_mut() {
                Some((last, total)) if *last == value => *total += count,
                _ => merged.push((value, count)),
            }
        }
        self.counts = merged;
    }

    /// How many were seen.
    pub fn len(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The smallest value that at least this share (0 to 1) does not exceed; None if there is none at all.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let rank = ((share * self.len() as f64).ceil() as u64).max(1);
        let mut seen = 0;
        self.counts
            .iter()
            .find(|(_, count)| {
                seen += count;
                seen >= rank
            })
            .or(self.counts.last())
            .map(|(value, _)| *value)
    }

    pub fn max(&self) -> Option<u64> {
        self.counts.last().map(|(value, _)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(u64, u64)]) -> Values {
        let mut histogram = crate::measured::histogram();
        for (value, count) in pairs {
            histogram.record_n(*value, *count).unwrap();
        }
        Values::of(&histogram)
    }

    #[test]
    fn quantiles_are_those_of_the_histogram() {
        let values = values(&[(100, 50), (200, 49), (1000, 1)]);
        assert_eq!(values.len(), 100);
        assert_eq!((values.quantile(0.5), values.quantile(0.51)), (Some(100), Some(200)));
        assert_eq!((values.quantile(0.99), values.quantile(0.999)), (Some(200), Some(1000)));
        assert_eq!(Values::default().quantile(0.5), None);
    }

    #[test]
    fn two_seconds_together_hold_what_each_held() {
        let mut both = values(&[(100, 1), (300, 2)]);
        both.add(&values(&[(100, 4), (200, 1), (900, 1)]));
        assert_eq!(both.counts, [(100, 5), (200, 1), (300, 2), (900, 1)]);
        assert_eq!((both.len(), both.max()), (9, Some(900)));
    }
}
