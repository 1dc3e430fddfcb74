//! What an acknowledgement promises, tried from outside on a running broker: kill -9, power cuts, full disks, restarts.
//!
//! `tests/durability/run` runs these; the broker is the one of `MILLRACE`, or the one that cargo built with the tests.

mod disk_full;
mod disk_use;
mod flushes;
mod kill;
mod ledger;
mod load;
mod power_cut;
mod publication;
mod report;
mod restarts;
#[path = "../support/mod.rs"]
mod support;
mod trial;
mod worker;
