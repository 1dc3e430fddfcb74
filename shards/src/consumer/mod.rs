//! One consumer: what it delivers next, to whom, and what has been acknowledged.
//! May import: ids, time, limits, subject, headers, rejection, encoding, messages.
//! Must not know: how the stream stores messages, connections, JSON.

pub mod config;
