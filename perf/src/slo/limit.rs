//! A latency's limit as text: a duration, or so many syncs of the device and a duration.

use crate::units;
use std::time::Duration;

/// How long a sync of the device takes at its 99th percentile; None: it could not be timed. Asked only if it is needed.
pub type SyncTime<'a> = dyn Fn() -> Option<Duration> + 'a;

/// `2ms`, `2 syncs`, `2 syncs + 300us`. An ack that promises a sync cannot be faster than the device, so that a limit in syncs
/// says the same on every machine. Errors: a sentence.
pub fn limit(text: &str, sync: &SyncTime<'_>) -> Result<Duration, String> {
    let term = |term: &str| {
        let term = term.trim();
        match term.strip_suffix("syncs").or(term.strip_suffix("sync")) {
            None => units::duration(term),
            Some(count) => {
                let count = count.trim().parse::<f64>().ok().filter(|count| (0.0..=1e6).contains(count));
                let count =
                    count.ok_or_else(|| format!("\"{term}\": a number of syncs, as in \"2 syncs\""))?;
                let sync = sync().ok_or("the device cannot be timed: --data-dir names a folder on it")?;
                Ok(sync.mul_f64(count))
            }
        }
    };
    text.split('+').map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_may_be_so_many_syncs_and_some_time() {
        let sync = || Some(Duration::from_micros(200));
        let us = |us| Ok(Duration::from_micros(us));
        assert_eq!(limit("2 syncs + 300us", &sync), us(700));
        assert_eq!(
            (limit("1 sync", &sync), limit("1.5 syncs", &sync), limit("3ms", &sync)),
            (us(200), us(300), us(3000))
        );
        for wrong in ["syncs", "-1 syncs", "2 syncs +", "2 sinks", ""] {
            assert!(limit(wrong, &sync).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_device_is_timed_only_where_its_time_counts() {
        assert_eq!(limit("3ms", &|| panic!("nobody asks")), Ok(Duration::from_millis(3)));
        assert!(limit("1 sync", &|| None).unwrap_err().contains("cannot be timed"));
    }
}
