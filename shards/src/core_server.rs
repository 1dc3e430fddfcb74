//! The server of one core as the turn sees it: what it is told, and what it is asked for, in which order.
//! May import: ids, time, lanes, shard.
//! Must not know: protocols, sockets, how many shards a core carries.
//!
//! A turn of a core calls these methods in this order:
//!
//! 1. `begin_turn(now)`.
//! 2. For each other core, for each lane: everything that arrived goes to `handle_message`, messages for shards included.
//! 3. Completions of disks go to the shards, with the server as their `Outputs`.
//! 4. `handle_timeout(now)` of whatever is due.
//! 5. `poll_shard_input()` until `None`; each input goes to its shard of this core. Then the end of each shard's turn, with
//!    the server as `Outputs`, which may cause more input (a pub ack that a stream captures): step 5 again, a bounded
//!    number of times; what is left then waits for the next turn, which must come at once (`has_shard_input`).
//! 6. `end_turn()`, then for each other core and lane `poll_lane` while the ring has room.
//! 7. Other cores for which `wants_wake` is true are woken if they sleep.
//!
//! Between turns the shell reads sockets into the server's clients, by methods of the server's own. What these cause waits
//! inside the server for the next step 5 and 6.

use crate::ids::{CoreId, ShardId};
use crate::lanes::{CoreMessage, Lane};
use crate::shard::outputs::Outputs;
use crate::shard::request::Batch;
pub use crate::shard::request::ShardInput;
use crate::time::{Instant, Now};

/// The server of one core. `M` of the lanes is `Self::Mail`. Lives on: its core.
pub trait CoreServer: Outputs {
    /// The server's own message from core to core.
    type Mail;

    /// Notes the time that everything up to the next turn happens at.
    fn begin_turn(&mut self, now: Now);

    /// Something arrived from another core. Messages of one lane are handed over in order.
    fn handle_message(&mut self, from: CoreId, message: CoreMessage<Self::Mail>);

    /// Timers of clients that are due.
    fn handle_timeout(&mut self, now: Now);

    /// When `handle_timeout` is due next. May be earlier than necessary, never later.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next input of a shard of this core. Inputs of one shard come in order.
    fn poll_shard_input(&mut self) -> Option<(ShardId, ShardInput)>;

    /// Whether `poll_shard_input` would return something.
    fn has_shard_input(&self) -> bool;

    /// A shard has done with a batch: it goes home, here or to the core that filled it (`Batch::origin`).
    fn return_batch(&mut self, batch: Box<Batch>);

    /// Closes the turn: changes of interest and confirmations are numbered and put into this turn's mail.
    fn end_turn(&mut self);

    /// The next message for another core. Called only while the ring has room; what is not polled stays here, within the
    /// bounds of the lane's credit, and is polled when there is room again.
    fn poll_lane(&mut self, to: CoreId, lane: Lane) -> Option<CoreMessage<Self::Mail>>;

    /// Whether something polled since the last call is worth waking that core for. Empty batches and credit that is not
    /// running out can wait for its next turn.
    fn wants_wake(&mut self, to: CoreId) -> bool;
}
