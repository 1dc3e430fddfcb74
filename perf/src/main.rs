//! millrace-perf: a load generator for any NATS server. It knows nothing of the broker's own code.
#![forbid(unsafe_code)]

fn main() {}
