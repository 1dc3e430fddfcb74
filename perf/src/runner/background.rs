//! What publishes beside a measured load: its streams, its messages, and what became of them.

use super::made::Made;
use crate::address::Address;
use crate::content::Content;
use crate::failure::Failure;
use crate::jetstream::Api;
use crate::load::{self, Names, Observer, Plan, Totals, Window};
use crate::measured;
use crate::workload::Workload;
use std::time::Duration;

pub struct Background {
    workload: Workload,
    pub content: Content,
}

/// What it counted.
pub struct Beside {
    pub totals: Totals,
    /// Seconds since the start of the measured part, and operations per second.
    pub rates: Vec<(i64, f64)>,
}

/// Keeps the rate of each second; nobody is shown anything.
#[derive(Default)]
struct Rates(Vec<(i64, f64)>);

impl Background {
    /// Makes its streams. None: the load has no background.
    pub fn prepare(
        workload: &Workload,
        made: &mut Made,
        api: &mut Api,
    ) -> Result<Option<Background>, Failure> {
        let Some(own) = workload.background() else { return Ok(None) };
        // Message ids of its own, also where it publishes to the same streams.
        let content = Content::new(&own, &made.background.prefix, &format!("{}b", made.tag));
        made.create_background_streams(api, &own, &content)?;
        Ok(Some(Background { workload: own, content }))
    }

    /// Drives both until the measured one ends.
    pub fn drive(
        &self,
        measured: &Plan<'_>,
        observer: &mut dyn Observer,
        names: &Names,
        address: &Address,
    ) -> Result<(Totals, Beside), Failure> {
        let (workload, content) = (&self.workload, &self.content);
        let plan = Plan { workload, content, names, expected: 0, first: &[], filled: None };
        let mut rates = Rates::default();
        let (totals, beside) = load::drive_both((measured, observer), (&plan, &mut rates), address)?;
        Ok((totals, Beside { totals: beside, rates: rates.0 }))
    }
}

impl Beside {
    pub fn measured(self, workload: &Workload) -> Option<measured::Background> {
        let elapsed = Duration::from_nanos(self.totals.end.saturating_sub(self.totals.start));
        Some(measured::Background {
            connections: workload.background?.connections,
            operations: self.totals.operations,
            rate: self.totals.operations as f64 / elapsed.as_secs_f64().max(1e-9),
            latency: self.totals.latency,
            rates: self.rates,
        })
    }
}

impl Observer for Rates {
    fn observe(&mut self, _: Duration, window: Option<Window>) {
        if let Some(window) = window.filter(|window| !window.draining) {
            let seconds = (window.to - window.from) as f64 / 1e9;
            self.0.push((window.at, window.operations as f64 / seconds.max(1e-9)));
        }
    }

    fn wants_stop(&self) -> bool {
        false
    }
}
