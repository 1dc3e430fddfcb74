//! One stream: what it admits, how committed changes move its state, what its limits remove.
//! May import: ids, time, limits, subject, headers, rejection, encoding, record, log.
//! Must not know: consumers, connections, JSON.

pub mod config;
