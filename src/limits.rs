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

/// Reports of one core that its shards have not answered yet. Full: further requests for one are not answered.
pub const REPORTS_MAX: usize = 64;

/// PINGs of one client that wait until every core has confirmed its interest. Full: the client is not read.
pub const UNCONFIRMED_PINGS_MAX: u32 = 1024;

/// Places for routes in the cache of one account on one core: at first, and at most. Powers of two. Full: a route replaces
/// another, which is worked out again when it is next needed.
pub const ROUTES_MIN: usize = 64;
pub const ROUTES_MAX: usize = 16_384;

/// Room of the messages lane between two cores, in each direction. Full: publishers of the sending core are not read, its
/// consumers stay where they are. Each connection may exceed it by the one message whose receivers were not yet known.
pub const LANE_MESSAGES_MAX: u64 = 16_384;
/// Bytes of these messages. Full: as above.
pub const LANE_BYTES_MAX: u64 = 8 << 20;

/// Hot requests lent to the shards of one core. Full: clients that publish to them are not read. As above, exceeded by at
/// most one message per connection.
pub const LENT_ITEMS_MAX: u64 = 65_536;
/// Bytes of these requests. Full: as above.
pub const LENT_BYTES_MAX: u64 = 16 << 20;

/// Inputs of the shards of one core that wait for room in its lane. Full: as above.
pub const QUEUED_INPUTS_MAX: usize = 4096;

/// Empty batches that are kept for use, and the largest that is worth keeping, in items. Beyond it: freed.
pub const SPARE_BATCHES_MAX: usize = 64;
pub const SPARE_BATCH_ITEMS_MAX: usize = 16_384;

/// Memory of a mail between cores that is kept for the next one. Bytes. Beyond it: freed.
pub const SPARE_MAIL_BYTES_MAX: usize = 256 << 10;

/// Empty mails that are kept for use, per other core. Beyond it: freed.
pub const SPARE_MAILS_MAX: usize = 8;

/// How often a message for a queue group is passed on to another core because the group's members have just gone. Beyond it
/// the message is dropped and counted.
pub const QUEUE_HOPS_MAX: u8 = 3;

/// How long a client is not read after it published to a subscriber that has more than three quarters of `max_pending` queued.
/// At most once per read. nats-server waits 2 to 10 ms (server/client.go: stalledWait).
pub const STALL_TIME: Duration = Duration::from_millis(5);

const _: () = assert!(ROUTES_MIN.is_power_of_two() && ROUTES_MAX.is_power_of_two());
