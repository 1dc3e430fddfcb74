//! The way of publishes that need nothing of their client: no `+OK`, no complaint.

use super::action::Publish;
use super::operations::{is_reserved_reply, is_reserved_subject};
use super::{Client, Stage};
use crate::limits::UNCONFIRMED_PINGS_MAX;
use crate::protocol::parse::Limits;
use crate::protocol::publish::{Publication, parse_publish};
use shards::ids::AccountId;
use shards::time::Now;

/// What holds for all publishes of a client until something else is read or the client ends: settled once for a run of
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Publisher {
    account: AccountId,
    limits: Limits,
    echo: bool,
    no_responders: bool,
}

impl Publisher {
    /// The publish at the start of `input`, and its length. `None` if there is anything else, or a publish that is refused or
    /// has an unusual form: `Client::next_action` then says what it is.
    #[inline(never)]
    pub fn parse<'a>(&self, input: &'a [u8]) -> Option<(Publish<'a>, usize)> {
        self.parse_hot(input)
    }

    /// As `parse`, for a loop: inlined, its parts need not be gathered in memory.
    #[inline(always)]
    pub fn parse_hot<'a>(&self, input: &'a [u8]) -> Option<(Publish<'a>, usize)> {
        let (Publication { subject, reply, headers, payload }, len) = parse_publish(input, &self.limits)?;
        if is_reserved_subject(subject) || is_reserved_reply(reply) {
            return None;
        }
        let (account, echo) = (self.account, self.echo);
        let no_responders = self.no_responders && !reply.is_empty();
        Some((Publish { account, subject, reply, headers, payload, echo, no_responders }, len))
    }
}

impl Client {
    /// `None` if publishes have to be asked for one by one, with `next_action`: the client has ended or waits, or every
    /// publish is answered or looked at more closely.
    #[inline]
    pub fn publisher(&self) -> Option<Publisher> {
        let is_free = self.closed.is_none()
            && self.stage == Stage::Serving
            && self.output.unconfirmed() < UNCONFIRMED_PINGS_MAX
            && !self.options.verbose
            && !self.options.pedantic;
        let identity = self.identity.as_ref().filter(|_| is_free)?;
        Some(Publisher {
            account: identity.account,
            limits: self.limits(),
            echo: self.options.echo,
            no_responders: self.options.no_responders,
        })
    }

    /// So many messages were read with its `publisher`.
    #[inline]
    pub fn note_published(&mut self, now: Now, messages: u64, bytes: u64) {
        self.timers.active(now);
        self.traffic.in_messages += messages;
        self.traffic.in_bytes += bytes;
    }
}
