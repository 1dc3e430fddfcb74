//! The simulator: one seed runs a node with clients, clock and faulty disks on one thread, through crashes and restarts.
//! May import: every room of tiers 0 to 4.
//! Must not know: real clocks, files, threads; anything that would make a seed run differently twice.

mod clients;
mod damage;
pub mod defect;
mod disk;
mod model;
mod node;
mod op;
pub mod places;
mod random;
mod relaxed;
mod rings;
mod run;
mod server;
mod trace;
mod workload;

pub use run::{Options, Report, run};
