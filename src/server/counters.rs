//! What monitoring will read.

/// Totals since the start. One copy per core; the sum over all cores is the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that clients published. Bytes: headers and payload.
    pub in_messages: u64,
    pub in_bytes: u64,
    /// Copies queued for clients.
    pub out_messages: u64,
    pub out_bytes: u64,
    /// Clients closed for not reading fast enough.
    pub slow_consumers: u64,
    /// Messages of the broker itself that a stream should have captured, dropped because its shard was full.
    pub dropped_captures: u64,
    /// Messages for a queue group whose last member went while they were on their way.
    pub dropped_queue_messages: u64,
}
