//! Counters of the machine at the start and at the end of the measured part.

use super::Target;
use crate::machine::{Device, DeviceCounters, network_counters, own_time, process_time};
use crate::measured::{DeviceUse, NetworkUse};
use std::time::{Duration, Instant};

pub struct Marks {
    device: Option<Device>,
    pid: Option<u32>,
    start: Option<Mark>,
    end: Option<Mark>,
}

struct Mark {
    at: Instant,
    device: DeviceCounters,
    server_time: Duration,
    own_time: Duration,
    network: NetworkUse,
}

/// Differences, over the time between the marks.
#[derive(Default)]
pub struct Usage {
    pub device: Option<DeviceUse>,
    pub server_cores: Option<f64>,
    pub own_cores: f64,
    pub network: NetworkUse,
}

impl Marks {
    pub fn new(target: &Target) -> Marks {
        Marks {
            device: target.data_dir.as_deref().and_then(Device::of),
            pid: target.pid,
            start: None,
            end: None,
        }
    }

    pub fn has_start(&self) -> bool {
        self.start.is_some()
    }

    pub fn has_end(&self) -> bool {
        self.end.is_some()
    }

    pub fn start(&mut self) {
        self.start = Some(self.take());
    }

    pub fn end(&mut self) {
        self.end = Some(self.take());
    }

    fn take(&self) -> Mark {
        Mark {
            at: Instant::now(),
            device: self.device.as_ref().map(Device::counters).unwrap_or_default(),
            server_time: self.pid.map(process_time).unwrap_or_default(),
            own_time: own_time(),
            network: network_counters(),
        }
    }

    /// Nothing, if the measured part did not begin.
    pub fn usage(self) -> Usage {
        let (Some(start), Some(end)) = (self.start, self.end) else { return Usage::default() };
        let seconds = (end.at - start.at).as_secs_f64().max(1e-9);
        let per_second = |count: u64| count as f64 / seconds;
        let counters = end.device - start.device;
        let cores = |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64() / seconds;
        Usage {
            device: self.device.map(|device| DeviceUse {
                name: device.name,
                flushes_per_second: per_second(counters.flushes),
                writes_per_second: per_second(counters.writes),
                written_bytes_per_second: per_second(counters.written_bytes),
            }),
            server_cores: self.pid.map(|_| cores(start.server_time, end.server_time)),
            own_cores: cores(start.own_time, end.own_time),
            network: end.network - start.network,
        }
    }
}
