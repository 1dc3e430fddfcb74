//! Every bound of the server, with its unit and the rule for full.
//! May import: nothing.
//! Must not know: who enforces a bound.

use std::time::Duration;

/// API requests of one core whose answers are under way. Full: a request is refused with err_code 10023.
pub const API_REQUESTS_MAX: usize = 10_000;

/// Longest wait for the answers of all shards that a list or the account's usage needs. Then: what is there is told, and
/// what is not is named as missing.
pub const API_GATHER_TIMEOUT: Duration = Duration::from_secs(4);

/// Longest wait for the answer of one shard. Then: the request is answered with err_code 10008.
pub const API_ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// PINGs of one client that wait until every core has confirmed its interest. Full: the client is not read.
pub const UNCONFIRMED_PINGS_MAX: u32 = 1024;
