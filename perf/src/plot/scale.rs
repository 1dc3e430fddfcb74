//! From a value to a place on an axis, and where an axis has its ticks.

#[derive(Clone, Debug)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
    pub unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From zero, or from the smallest value if that is negative.
    Linear,
    /// Values of at least the smallest positive one.
    Log,
    /// Shares below 1: as much room from 90 % to 99 % as from 99 % to 99.9 %.
    Percentile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Plain,
    Nanoseconds,
    /// A share of 1, shown in percent.
    Percent,
    /// How many times as much.
    Times,
}

/// An axis with its ends.
pub struct Range {
    scale: Scale,
    unit: Unit,
    low: f64,
    high: f64,
}

/// The largest share that has a place of its own.
const SHARE_MAX: f64 = 0.999_999_9;

impl Range {
    /// Holds all of the values that can be shown on the axis, with round ends.
    pub fn of(axis: &Axis, values: impl Iterator<Item = f64>) -> Range {
        let shown = values.filter(|value| value.is_finite() && (axis.scale != Scale::Log || *value > 0.0));
        let (least, most) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        let (least, most) = if least <= most { (least, most) } else { (1.0, 10.0) };
        let (low, high) = match axis.scale {
            Scale::Linear => {
                let (low, high) = (least.min(0.0), most.max(least.min(0.0) + 1e-9));
                let step = step(high - low);
                ((low / step).floor() * step, (high / step).ceil() * step)
            }
            Scale::Log => {
                let low = round_down(least);
                // An axis has two ends, also for a single value.
                (low, round_up(most.max(low * 1.01)))
            }
            Scale::Percentile => (0.0, most.clamp(0.99, SHARE_MAX)),
        };
        Range { scale: axis.scale, unit: axis.unit, low, high }
    }

    /// 0 at the low end, 1 at the high end; what lies beyond is cut there.
    pub fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
            Scale::Percentile => nines(value) / nines(self.high),
        };
        place.clamp(0.0, 1.0)
    }

    /// Values with their labels, increasing.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let values: Vec<f64> = match self.scale {
            Scale::Linear => {
                let step = step(self.high - self.low);
                let count = ((self.high - self.low) / step).round() as usize;
                (0..=count).map(|n| self.low + n as f64 * step).collect()
            }
            Scale::Log => {
                let decades = (self.high / self.low).log10();
                let factors: &[f64] = if decades > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let first = self.low.log10().floor() as i32;
                let last = self.high.log10().ceil() as i32;
                let all = (first..=last).flat_map(|e| factors.iter().map(move |f| f * 10f64.powi(e)));
                all.filter(|value| (self.low * 0.999..=self.high * 1.001).contains(value)).collect()
            }
            Scale::Percentile => [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999]
                .into_iter()
                .filter(|share| *share <= self.high)
                .collect(),
        };
        values.into_iter().map(|value| (value, self.label(value))).collect()
    }

    pub fn label(&self, value: f64) -> String {
        match self.unit {
            Unit::Plain if value >= 1e6 => format!("{} M", trimmed(value / 1e6)),
            Unit::Plain if value >= 1e4 => format!("{} k", trimmed(value / 1e3)),
            Unit::Plain => trimmed(value),
            Unit::Nanoseconds if value >= 999.5e6 => format!("{} s", trimmed(value / 1e9)),
            Unit::Nanoseconds if value >= 999.5e3 => format!("{} ms", trimmed(value / 1e6)),
            Unit::Nanoseconds if value >= 999.5 => format!("{} µs", trimmed(value / 1e3)),
            Unit::Nanoseconds => format!("{} ns", trimmed(value)),
            Unit::Percent => format!("{} %", trimmed(value * 100.0)),
            Unit::Times => format!("{} ×", trimmed(value)),
        }
    }
}

/// Steps of 1, 2 or 5 times a power of ten, of which 4 to 10 make `span`.
fn step(span: f64) -> f64 {
    let raw = span / 6.0;
    let power = 10f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= raw).unwrap_or(10.0);
    factor * power
}

/// The largest of 1, 2 or 5 times a power of ten that is not above `value`.
fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let factor = [5.0, 2.0].into_iter().find(|factor| factor * power <= value).unwrap_or(1.0);
    factor * power
}

/// The smallest of 1, 2 or 5 times a power of ten that is not below `value`.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    // What the logarithm leaves of a round value is no reason for another step.
    let factors = [1.0, 2.0, 5.0].into_iter();
    factors.map(|factor| factor * power).find(|round| *round >= value * 0.999_999).unwrap_or(10.0 * power)
}

/// Decimal places of a share: 0.9 is 1, 0.99 is 2.
fn nines(share: f64) -> f64 {
    -(1.0 - share.clamp(0.0, SHARE_MAX)).log10()
}

/// Up to five places, without zeros at the end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.5}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(scale: Scale, unit: Unit, values: &[f64]) -> Range {
        Range::of(&Axis { label: String::new(), scale, unit }, values.iter().copied())
    }

    fn labels(range: &Range) -> Vec<String> {
        range.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn a_linear_axis_starts_at_zero_and_ends_round() {
        let range = range(Scale::Linear, Unit::Plain, &[120_000.0, 480_000.0]);
        assert_eq!(labels(&range), ["0", "100 k", "200 k", "300 k", "400 k", "500 k"]);
        assert_eq!((range.place(250_000.0), range.place(9e9)), (0.5, 1.0));
    }

    #[test]
    fn a_log_axis_gives_each_decade_the_same_room() {
        let range = range(Scale::Log, Unit::Nanoseconds, &[1e5, 1e9, 0.0]);
        assert_eq!(labels(&range), ["100 µs", "1 ms", "10 ms", "100 ms", "1 s"]);
        assert!((range.place(1e7) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_log_axis_has_a_tick_at_both_ends() {
        assert_eq!(labels(&range(Scale::Log, Unit::Plain, &[2000.0, 4000.0])), ["2000", "5000"]);
        assert_eq!(
            labels(&range(Scale::Log, Unit::Times, &[0.36, 7.3])),
            ["0.2 ×", "0.5 ×", "1 ×", "2 ×", "5 ×", "10 ×"]
        );
        assert_eq!(labels(&range(Scale::Log, Unit::Plain, &[1000.0])), ["1000", "2000"]);
    }

    #[test]
    fn a_percentile_axis_gives_each_nine_the_same_room() {
        let range = range(Scale::Percentile, Unit::Percent, &[0.5, 0.9999]);
        assert_eq!(labels(&range), ["50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert!((range.place(0.99) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn an_axis_without_values_still_has_ends() {
        for scale in [Scale::Linear, Scale::Log, Scale::Percentile] {
            let range = range(scale, Unit::Plain, &[]);
            assert!(range.ticks().len() >= 2, "{scale:?}");
            assert!(range.place(1.0).is_finite());
        }
    }
}
