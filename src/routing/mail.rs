//! What one core tells another: who listens where, and messages for those who do.

use shards::ids::AccountId;

/// Everything one core has for another in one turn. One slot of the messages lane; waits and grows while the ring is full.
#[derive(Debug, Default)]
pub struct CoreMail {
    /// Changes of the sender's interest, in order.
    pub changes: Vec<InterestChange>,
    /// Number of the sender's last change that is in this or an earlier mail.
    pub changes_through: u64,
    /// The sender has applied the receiver's changes up to this number.
    pub confirmed: u64,
    /// Messages of the receiver's mails that the sender has handled since it last said so: credit that returns.
    pub returned: Credit,
    /// Messages, in order. They come after `changes`.
    pub messages: MessageBatch,
}

/// An amount of room in the messages lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    pub messages: u64,
    pub bytes: u64,
}

/// A change of one core's interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterestChange {
    pub account: AccountId,
    pub subject: Box<[u8]>,
    /// Empty: plain subscriptions.
    pub queue: Box<[u8]>,
    /// Subscriptions of this kind the sender has now: the weight of a queue group's members there. 0: no interest any more.
    pub count: u32,
}

/// Messages for subscribers of another core: bytes in one run, so that a batch costs two allocations at most.
#[derive(Debug, Default)]
pub struct MessageBatch {
    pub bytes: Vec<u8>,
    pub messages: Vec<MailMessage>,
}

/// One message; its parts lie one after another in the batch's bytes. Lengths in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MailMessage {
    pub account: AccountId,
    pub start: u32,
    /// Routed by this subject.
    pub to_len: u32,
    /// Subject in the MSG line; 0: the same as `to`.
    pub subject_len: u32,
    pub reply_len: u32,
    pub headers_len: u32,
    pub payload_len: u32,
    /// Name of the queue group one member of which is to be served; 0 with `plain`.
    pub queue_len: u32,
    /// For every plain subscription. Else for one member of the queue group.
    pub plain: bool,
    /// How often the message was passed on because the members of the queue group had just gone.
    pub hops: u8,
}
