//! Pull requests: what is refused, what is queued (nats-server, server/consumer.go: `processNextMsgRequest`).

use super::fetch_request::FetchRequest;
use super::pull::refuse;
use super::settings::RequestLimits;
use super::{Consumer, Mode};
use crate::go_duration;
use crate::headers;
use crate::messages::Messages;
use crate::subscribers::Subscribers;
use crate::time::Now;

impl Consumer {
    /// A pull request: `$JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>`, or what followed `+NXT`. `headers` is the whole
    /// block, empty: none. Without a reply subject it is ignored.
    pub fn handle_fetch(
        &mut self,
        now: Now,
        payload: &[u8],
        headers: &[u8],
        reply: &[u8],
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) {
        if reply.is_empty() {
            return;
        }
        let request = match self.check_request(payload, headers) {
            Ok(request) => request,
            Err(status) => return refuse(self.account, reply, status.as_bytes(), out),
        };
        self.sweep_full_queue(now, out);
        if request.no_wait
            && let Some(status) = self.refuse_no_wait(now, &request, messages, out)
        {
            self.show_life(now);
            return refuse(self.account, reply, status.as_bytes(), out);
        }
        let max_waiting = usize::try_from(self.settings.max_waiting).unwrap_or(0);
        let Mode::Pull(pull) = &mut self.mode else { return };
        let pull = pull.get_or_insert_default();
        if pull.len() >= max_waiting {
            // A client that asked for heartbeats notices that there are none; it would ask again at once otherwise.
            if request.heartbeat == 0 {
                refuse(self.account, reply, b"409 Exceeded MaxWaiting", out);
            }
            return;
        }
        pull.add(now, &request, reply);
        self.show_life(now);
    }

    /// The request, or the status that refuses it.
    fn check_request(&self, payload: &[u8], headers: &[u8]) -> Result<FetchRequest, String> {
        if self.is_push() {
            return Err("409 Consumer is push based".to_owned());
        }
        if let Some(level) = headers::get(headers, b"Nats-Required-Api-Level")
            && crate::decimal::parse(level).is_none_or(|level| level > API_LEVEL)
        {
            return Err("412 Required Api Level".to_owned());
        }
        let request = FetchRequest::parse(payload).map_err(|text| format!("400 Bad Request - {text}"))?;
        if request.heartbeat > 0 && request.heartbeat > request.expires / 2 {
            return Err("400 Bad Request - heartbeat value too large".to_owned());
        }
        if let Some(limits) = &self.settings.request_limits {
            let RequestLimits { max_batch, max_expires, max_bytes } = **limits;
            if max_batch > 0 && request.batch > max_batch {
                return Err(format!("409 Exceeded MaxRequestBatch of {max_batch}"));
            }
            if max_expires > 0 && request.expires > max_expires {
                return Err(format!("409 Exceeded MaxRequestExpires of {}", go_duration::text(max_expires)));
            }
            if max_bytes > 0 && request.max_bytes > max_bytes {
                return Err(format!("409 Exceeded MaxRequestMaxBytes of {max_bytes}"));
            }
        }
        if request.min_pending != 0 || request.min_ack_pending != 0 {
            return Err("400 Bad Request - Not a Overflow Priority consumer".to_owned());
        }
        if request.has_id {
            return Err("400 Bad Request - Not a Pinned Client Priority consumer".to_owned());
        }
        if !(0..=9).contains(&request.priority) {
            return Err("400 Bad Request - Priority must be between 0 and 9".to_owned());
        }
        Ok(request)
    }

    fn sweep_full_queue(&mut self, now: Now, out: &mut impl Subscribers) {
        let max_waiting = usize::try_from(self.settings.max_waiting).unwrap_or(0);
        if let Mode::Pull(Some(pull)) = &mut self.mode
            && pull.len() >= max_waiting
        {
            pull.sweep_now_and_then(now, self.account, out);
        }
    }

    /// The status for a `no_wait` request that cannot be served now.
    fn refuse_no_wait(
        &mut self,
        now: Now,
        request: &FetchRequest,
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) -> Option<&'static str> {
        let new = self.count_pending(messages);
        if new == 0 && self.count_redeliveries(1) == 0 {
            return (request.expires == 0).then_some("404 No Messages");
        }
        let Mode::Pull(Some(pull)) = &mut self.mode else { return None };
        pull.sweep(now, self.account, out);
        let wanted = u64::try_from(pull.wanted()).unwrap_or(0);
        let short = wanted.saturating_sub(new);
        let limit = usize::try_from(short).unwrap_or(usize::MAX);
        (short > 0 && self.count_redeliveries(limit) < limit).then_some("408 Requests Pending")
    }

    /// The consumer, or its stream, is being deleted: tells waiting pull requests.
    pub fn handle_deleted(&mut self, out: &mut impl Subscribers) {
        if let Mode::Pull(Some(pull)) = &mut self.mode {
            pull.end_all(self.account, b"409 Consumer Deleted", false, out);
        }
    }

    /// The server stops: tells waiting pull requests.
    pub fn handle_shutdown(&mut self, out: &mut impl Subscribers) {
        if let Mode::Pull(Some(pull)) = &mut self.mode {
            pull.end_all(self.account, b"409 Server Shutdown", true, out);
        }
    }
}

/// Level of the JetStream API that is served. NATS ADR-44.
const API_LEVEL: u64 = 5;

#[cfg(test)]
#[path = "fetch_test.rs"]
mod tests;
