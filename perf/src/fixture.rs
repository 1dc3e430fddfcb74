//! Results made by hand, for tests of what is done with results.

use crate::measured::{
    Background, DeviceUse, Measured, NetworkUse, Second, ServerFacts, Validity, Verification, histogram,
};
use crate::values::Values;
use crate::workload::Kind;
use std::collections::BTreeMap;
use std::time::Duration;

/// Of two seconds.
pub fn background(rate: f64) -> Background {
    Background {
        connections: 1,
        operations: 1000,
        rate,
        latency: histogram(),
        rates: vec![(0, rate), (1, rate)],
    }
}

/// A run of as many whole seconds as there are entries: operations of that second, and the microseconds of all of them but
/// one in a hundred, which take ten times as long.
pub fn measured(seconds: &[(u64, u64)]) -> Measured {
    let mut latency = histogram();
    let mut series = Vec::new();
    for (at, (operations, micros)) in seconds.iter().enumerate() {
        let mut second = histogram();
        let slow = operations / 100;
        second.record_n(micros * 1000, operations - slow).expect("within an hour");
        second.record_n(micros * 10_000, slow).expect("within an hour");
        latency.add(&second).expect("of the same bounds");
        series.push(Second {
            at: at as i64,
            rate: *operations as f64,
            operations: *operations,
            p50_ns: second.value_at_quantile(0.5),
            p99_ns: second.value_at_quantile(0.99),
            p999_ns: second.value_at_quantile(0.999),
            max_ns: second.max(),
            latency: Values::of(&second),
            errors: 0,
            draining: false,
        });
    }
    let operations = latency.len();
    Measured {
        title: "publish: 128 B, 4 connections".into(),
        kind: Kind::Publish,
        operations,
        started: operations,
        acked: operations,
        bytes: operations * 128,
        elapsed: Duration::from_secs(seconds.len() as u64),
        latency,
        lateness: histogram(),
        series,
        errors: BTreeMap::new(),
        first_error: None,
        validity: Validity::Valid,
        verification: Verification::NotAsked,
        interrupted: false,
        server: ServerFacts {
            address: "127.0.0.1:4222".into(),
            name: "nats-server".into(),
            version: "2.15.2".into(),
            durability: "not synced".into(),
        },
        background: None,
        device: Some(DeviceUse {
            name: "vda".into(),
            flushes_per_second: 400.0,
            writes_per_second: 800.0,
            written_bytes_per_second: 3e8,
        }),
        server_cores: Some(0.9),
        server_cpu_ns_per_operation: Some(400.0),
        own_cores: 0.5,
        network: NetworkUse::default(),
    }
}
