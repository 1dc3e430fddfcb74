//! One run: prepares the server, loads it, verifies, cleans up.
//! May import: every room but summary and main.
//! Must not know: terminals, files, verdicts.

use crate::address::Address;
use crate::failure::Failure;
use crate::measured::Measured;
use crate::watch::Watch;
use crate::workload::Workload;
use std::path::PathBuf;

/// The server under test and what its owner knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: Address,
    /// Its process on this machine, for its processor time.
    pub pid: Option<u32>,
    /// A path on its data device, for the device's flushes.
    pub data_dir: Option<PathBuf>,
    /// What its acks promise; without, what is known of the product.
    pub durability: Option<String>,
}

/// Puts the load on the server and returns what it found, also when a signal ended it early, the generator was late or
/// the server made mistakes: [`Measured::verdict`] tells. What the run made on the server is deleted in every case.
/// Errors: there is nothing to show; a sentence says why.
pub fn run(target: &Target, workload: &Workload, watch: &mut dyn Watch) -> Result<Measured, Failure> {
    let _ = (target, workload, watch);
    Err(Failure::Interrupted)
}
