//! Latencies in HdrHistogram's percentile text, which its plotters read. Milliseconds.
//! Source: HdrHistogram, AbstractHistogram.java, outputPercentileDistribution.

use hdrhistogram::Histogram;
use std::fmt::Write;

const NANOSECONDS: f64 = 1e6;
const TICKS_PER_HALF_DISTANCE: u32 = 5;

pub fn text(histogram: &Histogram<u64>) -> String {
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        let value = step.value_iterated_to() as f64 / NANOSECONDS;
        let share = step.quantile_iterated_to();
        let count = histogram.count_between(0, step.value_iterated_to());
        let _ = write!(text, "{value:12.3} {share:2.12} {count:10}");
        let _ = match share < 1.0 {
            true => writeln!(text, " {:14.2}", 1.0 / (1.0 - share)),
            false => writeln!(text),
        };
    }
    let (mean, deviation) = (histogram.mean() / NANOSECONDS, histogram.stdev() / NANOSECONDS);
    let (max, count) = (histogram.max() as f64 / NANOSECONDS, histogram.len());
    // Sub-buckets: the power of two from twice the resolution on, as the format's own writer counts them.
    let sub_buckets = (2 * 10u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {count:12}]");
    let _ = writeln!(text, "#[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]", histogram.buckets());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_count_up_to_all_values_and_the_last_line_has_no_inverse() {
        let mut histogram = crate::measured::histogram();
        histogram.record_n(1_000_000, 90).unwrap();
        histogram.record_n(5_000_000, 10).unwrap();
        let text = text(&histogram);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(
            lines[2].split_whitespace().collect::<Vec<_>>(),
            ["1.000", "0.000000000000", "90", "1.00"]
        );
        let last = lines.iter().rfind(|line| !line.starts_with('#')).unwrap();
        assert_eq!(last.split_whitespace().collect::<Vec<_>>(), ["5.001", "1.000000000000", "100"]);
        assert!(text.contains("#[Mean    =        1.400, StdDeviation   =        1.200]"), "{text}");
        assert!(
            text.contains("Total count    =          100]")
                && text.contains("SubBuckets     =         2048]")
        );
    }
}
