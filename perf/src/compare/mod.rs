//! Comparisons: the same loads on several servers, in interleaved rounds, with medians and how far they can be trusted.
//! May import: address, document, failure, launch, measured, plot, runs, statistics, toml_file, units, workload.
//! Must not know: terminals, where results are written.

mod against;
mod plan;
mod rounds;
pub mod show;

pub use against::Against;
pub use plan::{DISTURBANCE_MAX, Load, Origin, Plan, ROUNDS, Server, parse};
pub use rounds::{Bench, LoadRuns, Rounds, Run, ServerRuns, run};
