//! What a client's operations do: the way from bytes to actions.

use super::action::{Action, Next, Publish};
use super::close::CloseReason;
use super::{Client, Stage};
use crate::limits::UNCONFIRMED_PINGS_MAX;
use crate::protocol::connect;
use crate::protocol::parse::{Limits, Operation, Parsed, ProtocolError, parse};
use crate::protocol::write;
use shards::subject;
use shards::time::Now;

impl Client {
    /// The next thing that the bytes from `chunk[*at..]` ask for; moves `at` behind what was consumed. Whatever is left when
    /// `NeedMore` is returned must be offered again, in one piece, with more bytes behind it.
    pub fn next_action<'a>(&mut self, now: Now, chunk: &'a [u8], at: &mut usize) -> Next<'a> {
        loop {
            if self.closed.is_some() {
                return Next::Do(Action::Close);
            }
            match self.stage {
                Stage::Serving => {}
                Stage::Reconnecting => return Next::Do(self.reconnect()),
                Stage::Authenticating => return Next::Wait,
            }
            if self.output.unconfirmed() >= UNCONFIRMED_PINGS_MAX {
                return Next::Wait;
            }
            let input = &chunk[*at..];
            if self.identity.is_none() && !matches!(input, [] | [b'C' | b'c', ..]) {
                self.refuse();
                continue;
            }
            match parse(input, &self.limits()) {
                Ok(Parsed::Whole(operation, len)) => {
                    *at += len;
                    if let Some(action) = self.handle_operation(now, operation) {
                        return Next::Do(action);
                    }
                }
                Ok(Parsed::Cut { at_least }) => return Next::NeedMore { at_least },
                Err(error) => self.handle_protocol_error(error),
            }
        }
    }

    #[inline]
    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_control_line: self.settings.max_control_line,
            max_payload: self.settings.max_payload,
            headers: self.headers,
        }
    }

    #[inline]
    fn handle_operation<'a>(&mut self, now: Now, operation: Operation<'a>) -> Option<Action<'a>> {
        match operation {
            Operation::Publish { subject, reply, headers, payload } => {
                self.timers.active(now);
                self.publish(subject, reply, headers, payload)
            }
            Operation::Subscribe { subject, queue, sid } => {
                self.timers.active(now);
                self.subscribe(subject, queue, sid)
            }
            Operation::Unsubscribe { sid, max } => {
                self.timers.active(now);
                self.unsubscribe(sid, max)
            }
            Operation::Ping => {
                self.timers.active(now);
                self.output.hold();
                Some(Action::Ping)
            }
            Operation::Connect { json } => {
                self.handle_connect(now, json);
                None
            }
            Operation::Pong => {
                self.timers.pong(now);
                None
            }
            Operation::Ok => None,
            Operation::Info { json } => {
                if !connect::is_info(json) {
                    self.close(CloseReason::ProtocolViolation);
                }
                None
            }
            Operation::Error { .. } => {
                self.close(CloseReason::ParseError);
                None
            }
        }
    }

    fn publish<'a>(
        &mut self,
        subject: &'a [u8],
        reply: &'a [u8],
        headers: &'a [u8],
        payload: &'a [u8],
    ) -> Option<Action<'a>> {
        self.traffic.in_messages += 1;
        self.traffic.in_bytes += (headers.len() + payload.len()) as u64;
        // Only reported: the message goes on.
        if self.options.pedantic && !subject::is_literal(subject) {
            self.error("Invalid Publish Subject");
        }
        if is_reserved_subject(subject) {
            self.violation("Permissions Violation for Publish to ", &[("", subject)]);
            return None;
        }
        if is_reserved_reply(reply) {
            self.violation("Permissions Violation for Publish with Reply of ", &[("", reply)]);
            return None;
        }
        if self.options.verbose {
            self.queue(write::OK);
        }
        let account = self.identity.as_ref()?.account;
        let (echo, no_responders) = (self.options.echo, self.options.no_responders && !reply.is_empty());
        Some(Action::Publish(Publish { account, subject, reply, headers, payload, echo, no_responders }))
    }

    fn subscribe<'a>(&mut self, subject: &'a [u8], queue: &'a [u8], sid: &[u8]) -> Option<Action<'a>> {
        if queue == RESERVED_QUEUE {
            let quoted = [("", subject), (" using queue ", queue)];
            self.violation("Permissions Violation for Subscription to ", &quoted);
            return None;
        }
        let max = self.settings.max_subscriptions;
        if max != 0 && self.subscriptions.len() >= max {
            self.error("maximum subscriptions exceeded");
            return None;
        }
        let is_known = self.subscriptions.find(sid).is_some();
        if !is_known && !subject::is_valid(subject) {
            self.error("Invalid Subject");
            return None;
        }
        if self.options.verbose {
            self.queue(write::OK);
        }
        if is_known {
            return None;
        }
        let account = self.identity.as_ref()?.account;
        let id = self.subscriptions.insert(subject, queue, sid);
        Some(Action::Subscribe { account, id, subject, queue })
    }

    /// `max` counts from the SUB; reached already, or 0: the subscription goes at once.
    fn unsubscribe(&mut self, sid: &[u8], max: u64) -> Option<Action<'static>> {
        if self.options.verbose {
            self.queue(write::OK);
        }
        let account = self.identity.as_ref()?.account;
        let id = self.subscriptions.find(sid)?;
        let subscription = self.subscriptions.get_mut(id)?;
        if max > subscription.delivered {
            subscription.max = max;
            return None;
        }
        let removed = self.subscriptions.remove(id)?;
        Some(Action::Unsubscribe { account, id, removed })
    }

    fn handle_protocol_error(&mut self, error: ProtocolError) {
        let reason = match error {
            ProtocolError::UnknownOperation | ProtocolError::BadArguments => CloseReason::ProtocolViolation,
            ProtocolError::ControlLineTooLong => CloseReason::MaximumControlLineExceeded,
            ProtocolError::PayloadTooLarge => CloseReason::MaximumMessagePayloadExceeded,
        };
        match error.text() {
            Some(text) => self.fail(text, reason),
            None => self.close(reason),
        }
    }
}

/// Subjects that belong to links between servers and to replication. Source: nats-server, server/client.go
/// (`processInboundClientMsg`).
#[inline]
pub(super) fn is_reserved_subject(subject: &[u8]) -> bool {
    match subject {
        [b'_' | b'$', b'G' | b'N', ..] => is_gateway_reply(subject) || subject.starts_with(b"$NRG."),
        _ => false,
    }
}

/// Replies that would be taken for answers to the server itself.
#[inline]
pub(super) fn is_reserved_reply(reply: &[u8]) -> bool {
    match reply {
        [b'_' | b'$', b'R' | b'G' | b'J', ..] => {
            reply.starts_with(b"_R_.")
                || is_gateway_reply(reply)
                || reply.strip_prefix(b"$JS.ACK.").is_some_and(|rest| !rest.is_empty())
        }
        _ => false,
    }
}

fn is_gateway_reply(subject: &[u8]) -> bool {
    let rest = subject.strip_prefix(b"_GR_.").or_else(|| subject.strip_prefix(b"$GR."));
    rest.is_some_and(|rest| !rest.is_empty())
}

/// Queue name of the server's own subscriptions.
const RESERVED_QUEUE: &[u8] = b"_sys_";
