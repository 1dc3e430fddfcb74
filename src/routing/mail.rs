//! What one core tells another: who listens where, and messages for those who do.

use crate::limits::SPARE_MAIL_BYTES_MAX;
use shards::ids::AccountId;

/// Everything one core has for another in one turn. One slot of the messages lane; waits and grows while the ring is full.
#[derive(Debug, Default)]
pub struct CoreMail {
    /// Changes of the sender's interest, in order.
    pub changes: Vec<InterestChange>,
    /// Number of the sender's last event that is in this or an earlier mail.
    pub through: u64,
    /// The sender waits for the confirmation of all events up to `through`.
    pub confirm: bool,
    /// The sender has handled the receiver's events up to this number.
    pub confirmed: u64,
    /// What the sender has handled of the receiver's mails since it last said so: credit that returns.
    pub returned: Credit,
    /// Messages, in order. They come after `changes`.
    pub messages: MessageBatch,
}

/// An amount of room in the messages lane. An interest change takes as much as a message.
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
    /// Subscriptions of this kind the sender has now: the weight of its members of a queue group; of plain subscriptions only
    /// whether there are any. 0: none any more.
    pub count: u32,
}

/// Messages for subscribers of another core: all bytes in one run, so that a message costs no allocation.
#[derive(Debug, Default)]
pub struct MessageBatch {
    bytes: Vec<u8>,
    messages: Vec<MessageParts>,
}

/// Lengths of the parts of one message, which lie one after another in the batch. Bytes.
#[derive(Clone, Copy, Debug)]
struct MessageParts {
    account: AccountId,
    start: usize,
    to: u32,
    /// 0: the same as `to`.
    subject: u32,
    reply: u32,
    headers: u32,
    payload: u32,
    queues: u32,
    plain: bool,
    hops: u8,
}

/// A message on its way to subscribers of one core or another.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub account: AccountId,
    /// Whoever subscribed to this gets the message.
    pub to: &'a [u8],
    /// The subject in the MSG line.
    pub subject: &'a [u8],
    /// Empty: none.
    pub reply: &'a [u8],
    /// The whole header block; empty: none.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}

/// A message of a batch and whom it is for.
#[derive(Clone, Copy, Debug)]
pub struct MailMessage<'a> {
    pub message: Message<'a>,
    /// Every plain subscription of the receiving core gets a copy.
    pub plain: bool,
    /// One member of each of these queue groups gets a copy; names end with a space, which no name contains.
    queues: &'a [u8],
    /// How often the message was passed on because the members of a queue group had just gone.
    pub hops: u8,
}

impl CoreMail {
    /// Whether it tells of no event.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.messages.messages.is_empty()
    }

    /// Makes it a mail that says nothing, keeping a usual amount of memory.
    pub fn clear(&mut self) {
        self.changes.clear();
        self.messages.clear();
        (self.through, self.confirm, self.confirmed, self.returned) = (0, false, 0, Credit::default());
    }
}

impl InterestChange {
    /// What it takes of the lane.
    pub fn credit(&self) -> Credit {
        Credit { messages: 1, bytes: (self.subject.len() + self.queue.len()) as u64 }
    }
}

impl Message<'_> {
    /// What it takes of the lane.
    pub fn credit(&self) -> Credit {
        let bytes =
            self.to.len() + self.subject.len() + self.reply.len() + self.headers.len() + self.payload.len();
        Credit { messages: 1, bytes: bytes as u64 }
    }
}

impl Credit {
    pub fn add(&mut self, more: Credit) {
        self.messages += more.messages;
        self.bytes += more.bytes;
    }

    /// Saturates at nothing.
    pub fn take(&mut self, less: Credit) {
        self.messages = self.messages.saturating_sub(less.messages);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }
}

impl MessageBatch {
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Copies a message in, for nobody yet.
    pub fn push(&mut self, message: Message<'_>, hops: u8) {
        let start = self.bytes.len();
        let subject = if message.subject == message.to { &[][..] } else { message.subject };
        for part in [message.to, subject, message.reply, message.headers, message.payload] {
            self.bytes.extend_from_slice(part);
        }
        self.messages.push(MessageParts {
            account: message.account,
            start,
            to: message.to.len() as u32,
            subject: subject.len() as u32,
            reply: message.reply.len() as u32,
            headers: message.headers.len() as u32,
            payload: message.payload.len() as u32,
            queues: 0,
            plain: false,
            hops,
        });
    }

    /// The last message is for plain subscriptions too.
    pub fn address_plain(&mut self) {
        if let Some(last) = self.messages.last_mut() {
            last.plain = true;
        }
    }

    /// The last message is for a member of this queue group too.
    pub fn address_queue(&mut self, name: &[u8]) {
        if let Some(last) = self.messages.last_mut() {
            self.bytes.extend_from_slice(name);
            self.bytes.push(b' ');
            last.queues += name.len() as u32 + 1;
        }
    }

    /// The messages, in order.
    pub fn iter(&self) -> impl Iterator<Item = MailMessage<'_>> {
        self.messages.iter().map(|parts| {
            let mut rest = &self.bytes[parts.start..];
            let mut part = |len: u32| {
                let (part, behind) = rest.split_at(len as usize);
                rest = behind;
                part
            };
            let (to, subject) = (part(parts.to), part(parts.subject));
            let message = Message {
                account: parts.account,
                to,
                subject: if subject.is_empty() { to } else { subject },
                reply: part(parts.reply),
                headers: part(parts.headers),
                payload: part(parts.payload),
            };
            MailMessage { message, plain: parts.plain, queues: part(parts.queues), hops: parts.hops }
        })
    }

    /// Empties the batch, keeping a usual amount of memory.
    pub fn clear(&mut self) {
        if self.bytes.capacity() > SPARE_MAIL_BYTES_MAX {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.messages.clear();
    }
}

impl<'a> MailMessage<'a> {
    /// Names of the queue groups to serve.
    pub fn queues(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.queues.split(|&byte| byte == b' ').filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_back_each_message_with_its_receivers() {
        let first = Message {
            account: AccountId(3),
            to: b"inbox",
            subject: b"orders.eu",
            reply: b"$JS.ACK.x",
            headers: b"NATS/1.0\r\n\r\n",
            payload: b"hi",
        };
        let second = Message { to: b"a", subject: b"a", reply: b"", headers: b"", payload: b"", ..first };
        let mut batch = MessageBatch::default();
        batch.push(first, 0);
        batch.address_plain();
        batch.address_queue(b"q1");
        batch.address_queue(b"q2");
        batch.push(second, 1);
        batch.address_queue(b"q3");

        let all: Vec<_> = batch.iter().collect();
        assert_eq!(all[0].message.subject, b"orders.eu");
        assert_eq!(all[0].message.reply, b"$JS.ACK.x");
        assert_eq!(all[0].message.payload, b"hi");
        assert!(all[0].plain);
        assert_eq!(all[0].queues().collect::<Vec<_>>(), [b"q1", b"q2"]);
        assert_eq!((all[1].message.to, all[1].message.subject, all[1].hops), (&b"a"[..], &b"a"[..], 1));
        assert!(!all[1].plain);
        assert_eq!(all[1].queues().collect::<Vec<_>>(), [b"q3"]);
    }
}
