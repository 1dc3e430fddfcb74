//! What the tests from outside share: a broker to run, a client of its own, requests, places on disks.
//!
//! Nothing here uses the broker's own code, so that no bug is shared with the accused.

// Each test uses its part.
#![allow(dead_code)]

pub mod api;
pub mod broker;
pub mod folder;
pub mod loop_device;
pub mod nats;
pub mod random;

use std::str::FromStr;
use std::time::{Duration, Instant};

/// The clock of a test.
#[expect(clippy::disallowed_methods, reason = "tests bound their waits and measure the broker")]
pub fn now() -> Instant {
    Instant::now()
}

/// A number or word from the environment, or its default. Panics on one that cannot be read.
pub fn setting<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not understood")),
        Err(_) => default,
    }
}

/// Says in a line that something was not checked here, and why.
pub fn skipped(what: &str, why: &str) {
    println!("skipped: {what}: {why}");
}

/// Lets time pass.
pub fn pause(time: Duration) {
    std::thread::park_timeout(time);
}

/// Asks until the answer is there, at most for `time`. Panics afterwards.
pub fn wait_for<T>(what: &str, time: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = now() + time;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(now() < deadline, "{what}: not within {time:?}");
        pause(Duration::from_millis(5));
    }
}
