//! Guests that behave badly, and guests that do nothing: what they may cost the broker and the other guests.
//!
//! `tests/durability/run` runs these; the broker is the one of `MILLRACE`, or the one that cargo built with the tests.

mod descriptors;
mod garbage;
mod idle;
mod logins;
mod signals;
mod silent_readers;
#[path = "../support/mod.rs"]
mod support;
mod witness;
