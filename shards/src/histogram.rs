//! How often values of each size occurred, in fixed memory: what stages take, how large batches are.
//! May import: nothing.
//! Must not know: what is counted, and in which unit.

/// Values and their counts. A value is known to one part in 16; from `VALUE_MAX` on all values are one.
/// Lives on: the core that records; recording allocates nothing, a copy takes what `Histogram::default()` took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    count: u64,
    sum: u64,
    max: u64,
}

/// Buckets of each power of two.
const PARTS: usize = 1 << PARTS_LOG;
const PARTS_LOG: u32 = 4;

/// From here on values share the last bucket: 18 minutes in nanoseconds.
pub const VALUE_MAX: u64 = 1 << VALUE_MAX_LOG;
const VALUE_MAX_LOG: u32 = 40;

/// Below `PARTS` each value has a bucket of its own, above it each power of two has `PARTS` of them.
const BUCKETS: usize = (VALUE_MAX_LOG - PARTS_LOG) as usize * PARTS + PARTS + 1;

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: Box::new([0; BUCKETS]), count: 0, sum: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts a value that occurred `times` times at once.
    pub fn record(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        let counted = &mut self.counts[bucket_of(value)];
        *counted = counted.wrapping_add(times);
        self.count = self.count.wrapping_add(times);
        self.sum = self.sum.wrapping_add(value.wrapping_mul(times));
        self.max = self.max.max(value);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The largest value, exactly; 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Rounded down; 0 if there is none.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count).unwrap_or(0)
    }

    /// The value that `share` (0.0 to 1.0) of all values do not exceed: never too small, at most one part in 16 too large.
    /// 0 if there is none.
    pub fn at_quantile(&self, share: f64) -> u64 {
        let wanted = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut below = 0u64;
        for (bucket, count) in self.counts.iter().enumerate() {
            below = below.saturating_add(*count);
            if below >= wanted {
                return last_of(bucket).min(self.max);
            }
        }
        self.max
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Histogram) {
        for (counted, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *counted = counted.wrapping_add(*more);
        }
        self.count = self.count.wrapping_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
        self.max = self.max.max(other.max);
    }
}

/// Bits behind the highest that is set name the part of its power of two.
fn bucket_of(value: u64) -> usize {
    if value < PARTS as u64 {
        return value as usize;
    }
    let log = value.ilog2();
    if log >= VALUE_MAX_LOG {
        return BUCKETS - 1;
    }
    let shift = log - PARTS_LOG;
    // The highest bit itself is the 1 that is added to the power's number.
    (shift as usize) * PARTS + (value >> shift) as usize
}

/// The largest value of a bucket.
fn last_of(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    if bucket == BUCKETS - 1 {
        return u64::MAX;
    }
    let shift = bucket / PARTS - 1;
    let part = (bucket % PARTS + PARTS) as u64;
    ((part + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_bucket_whose_last_value_is_the_first_that_is_not_smaller() {
        let mut values: Vec<u64> = (0..1000).collect();
        values.extend((10..64).flat_map(|log| [(1u64 << log) - 1, 1 << log, (1 << log) + 1]));
        for value in values {
            let bucket = bucket_of(value);
            assert!(last_of(bucket) >= value, "{value} in {bucket}");
            assert!(bucket == 0 || last_of(bucket - 1) < value, "{value} in {bucket}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(bucket_of(VALUE_MAX), BUCKETS - 1);
        assert_eq!(bucket_of(VALUE_MAX - 1), BUCKETS - 2);
    }

    #[test]
    fn a_quantile_is_at_most_a_sixteenth_too_large_and_never_too_small() {
        let mut histogram = Histogram::default();
        (1..=10_000).for_each(|value| histogram.record(value, 1));
        for (share, exact) in [(0.0, 1), (0.5, 5000), (0.99, 9900), (0.999, 9990), (1.0, 10_000)] {
            let found = histogram.at_quantile(share);
            assert!(found >= exact && found <= exact + exact / 16, "{share}: {found}");
        }
        assert_eq!((histogram.count(), histogram.mean(), histogram.max()), (10_000, 5000, 10_000));
    }

    #[test]
    fn a_value_counts_as_often_as_it_occurred_and_sums_add_up() {
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        one.record(7, 256);
        other.record(1 << 50, 2);
        other.record(9, 0);
        one.add(&other);
        assert_eq!((one.count(), one.sum()), (258, 7 * 256 + (2 << 50)));
        assert_eq!((one.at_quantile(0.99), one.at_quantile(1.0)), (7, 1 << 50));
    }

    #[test]
    fn nothing_counted_is_nothing() {
        let empty = Histogram::default();
        assert_eq!((empty.at_quantile(0.5), empty.mean(), empty.max(), empty.count()), (0, 0, 0, 0));
    }
}
