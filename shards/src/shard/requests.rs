//! Requests about one stream or its consumers, answered from its committed state.

use super::answer::{Advisory, Answer};
use super::defect::{self, Defect};
use super::engine::Engine;
use super::group::{After, Machine};
use super::outputs::Outputs;
use super::reads::{Get, GetForm};
use super::request::{DirectGet, ReplyTo, Request, Selector};
use super::stream_group::{CreateConsumer, Created, StreamGroup};
use crate::change::ChangeKind;
use crate::ids::{GroupId, StreamSeq};
use crate::limits::{CONSUMER_LIST_PAGE, CONSUMER_NAMES_PAGE};
use crate::rejection::Rejection;
use crate::stream::Stream;
use crate::stream::read::{Direct, Selected, Selection};
use crate::time::Now;

impl Engine {
    /// Answers a request, or has its change written and answers when that is committed.
    pub fn serve_request(&mut self, now: Now, to: ReplyTo, request: Request, out: &mut impl Outputs) {
        if is_change(&request)
            && let Some(rejection) = self.refusal_while_stalled(&request)
        {
            return out.answer(&to, Answer::Rejected(rejection));
        }
        if self.is_closing && is_change(&request) {
            let rejection = Rejection::StreamStoreFailed(super::SHUTTING_DOWN.into());
            return out.answer(&to, Answer::Rejected(rejection));
        }
        match request {
            Request::StreamInfo { group, deleted_details, subjects_filter, offset } => {
                let is_silent = defect::is(self.options.defect, Defect::SilentAboutDamage);
                let Some(stream) = self.open_stream(group) else { return not_found(&to, out) };
                let count = stream.consumer_count() as u64;
                let mut state = stream.stream.state(deleted_details, &subjects_filter, offset, count);
                if is_silent {
                    state.lost.clear();
                }
                out.answer(&to, Answer::StreamInfo(Box::new(stream.stream.info(now, state))));
            }
            Request::StreamPurge { group, filter, seq, keep } => {
                self.purge(to, group, &filter, seq, keep, out)
            }
            Request::MessageGet { group, select } => self.get(now, to, group, GetForm::Message, &select, out),
            Request::MessageDelete { group, seq, no_erase } => {
                self.delete_message(to, group, seq, no_erase, out)
            }
            Request::DirectGet { group, get } => self.direct_get(now, to, group, &get, out),
            Request::ConsumerCreate { group, config, action, pedantic, generated_name } => {
                let request = CreateConsumer { config: *config, action, pedantic, generated_name };
                self.create_consumer(now, to, group, request, out);
            }
            Request::ConsumerInfo { group, consumer } => {
                let Some(stream) = self.open_stream(group) else { return not_found(&to, out) };
                let answer = match stream.find(&consumer) {
                    Some((_, slot, messages)) => {
                        Answer::ConsumerInfo(Box::new(slot.consumer.info(now, messages, out)))
                    }
                    None => Answer::Rejected(Rejection::ConsumerNotFound),
                };
                out.answer(&to, answer);
            }
            Request::ConsumerNames { group, offset } => {
                let Some(stream) = self.open_stream(group) else { return not_found(&to, out) };
                out.answer(&to, stream.names(offset, CONSUMER_NAMES_PAGE));
            }
            Request::ConsumerList { group, offset } => {
                let Some(stream) = self.open_stream(group) else { return not_found(&to, out) };
                let answer = stream.list(now, offset, CONSUMER_LIST_PAGE, out);
                out.answer(&to, answer);
            }
            Request::ConsumerDelete { group, consumer } => {
                let found = self.open_stream(group).is_some_and(|s| s.by_name(&consumer).is_some());
                if !found {
                    return out.answer(&to, Answer::Rejected(Rejection::ConsumerNotFound));
                }
                self.delete_consumer(group, &consumer, Some(to), out);
            }
            // These are answered where they arrive.
            Request::StreamCreate { .. }
            | Request::StreamUpdate { .. }
            | Request::StreamDelete { .. }
            | Request::Usage { .. }
            | Request::Report => {}
        }
    }

    /// Takes a consumer out and has that written.
    pub fn delete_consumer(&mut self, id: GroupId, name: &str, to: Option<ReplyTo>, out: &mut impl Outputs) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let Machine::Stream(stream) = &mut group.machine else { return };
        let Some(slot) = stream.remove_consumer(name, out) else { return };
        if !slot.is_volatile {
            group.push_change(&mut self.spare_pending, ChangeKind::ConsumerDelete as u8, |body| {
                body.extend_from_slice(name.as_bytes())
            });
        }
        group.push_after(&mut self.spare_pending, After::ConsumerDeleted { to, name: name.into() });
        self.mark_dirty(id);
    }

    /// A consumer's creation or update is committed.
    pub fn consumer_created(
        &mut self,
        now: Now,
        id: GroupId,
        to: Option<&ReplyTo>,
        name: &str,
        is_fresh: bool,
        out: &mut impl Outputs,
    ) {
        let answer = |out: &mut _, answer| {
            if let Some(to) = to {
                Outputs::answer(out, to, answer);
            }
        };
        let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) else {
            return answer(out, Answer::Rejected(Rejection::StreamNotFound));
        };
        let (account, stream_name) = (stream.account, stream.stream.config().name.clone());
        let Some((index, slot, messages)) = stream.find(name) else {
            // Deleted by somebody else before the answer.
            return answer(out, Answer::Rejected(Rejection::ConsumerCreate("consumer closed".into())));
        };
        slot.is_open = true;
        if slot.consumer.is_push() {
            slot.consumer.handle_interest_changed(now, out);
            self.pushers.insert((id, index));
        }
        let info = Box::new(slot.consumer.info(now, messages, out));
        answer(out, Answer::ConsumerCreated(info));
        if is_fresh {
            out.advise(account, Advisory::ConsumerCreated { stream: stream_name, consumer: name.to_owned() });
        }
        self.mark_ready(id, index);
        self.touch(id);
    }

    fn open_stream(&mut self, id: GroupId) -> Option<&mut StreamGroup> {
        self.groups.get_mut(&id)?.stream().filter(|s| !s.is_leaving)
    }

    fn purge(&mut self, to: ReplyTo, id: GroupId, filter: &str, seq: u64, keep: u64, out: &mut impl Outputs) {
        self.change_stream(to, id, ChangeKind::Purge, out, |stream, body| {
            stream.admit_purge(filter, seq, keep, body).map(Answer::Purged)
        });
    }

    fn delete_message(&mut self, to: ReplyTo, id: GroupId, seq: u64, no_erase: bool, out: &mut impl Outputs) {
        self.change_stream(to, id, ChangeKind::Delete, out, |stream, body| {
            stream.admit_delete(seq, no_erase, body).map(|()| Answer::MessageDeleted)
        });
    }

    /// Has a change of the stream written; the answer follows its commit.
    fn change_stream(
        &mut self,
        to: ReplyTo,
        id: GroupId,
        kind: ChangeKind,
        out: &mut impl Outputs,
        decide: impl FnOnce(&mut Stream, &mut Vec<u8>) -> Result<Answer, Rejection>,
    ) {
        let Some(group) = self.groups.get_mut(&id) else { return not_found(&to, out) };
        let Machine::Stream(stream) = &mut group.machine else { return };
        if stream.is_leaving {
            return not_found(&to, out);
        }
        let mut body = Vec::new();
        match decide(&mut stream.stream, &mut body) {
            Err(rejection) => out.answer(&to, Answer::Rejected(rejection)),
            Ok(answer) => {
                group.push_change(&mut self.spare_pending, kind as u8, |bodies| {
                    bodies.extend_from_slice(&body)
                });
                group.push_after(&mut self.spare_pending, After::Answer(to, Box::new(answer)));
                self.mark_dirty(id);
            }
        }
    }

    fn create_consumer(
        &mut self,
        now: Now,
        to: ReplyTo,
        id: GroupId,
        request: CreateConsumer,
        out: &mut impl Outputs,
    ) {
        let limits = self.options.limits;
        let Some(stream) = self.open_stream(id) else { return not_found(&to, out) };
        let (name, created) = match stream.create_consumer(now, request, &limits, out) {
            Ok(created) => created,
            Err(rejection) => return out.answer(&to, Answer::Rejected(rejection)),
        };
        let is_volatile = stream.by_name(&name).is_none_or(|slot| slot.is_volatile);
        if created != Created::Same && !is_volatile {
            let mut body = Vec::new();
            stream.encode_consumer(&name, &mut body);
            let kind = match created {
                Created::Fresh => ChangeKind::ConsumerCreate,
                Created::Same | Created::Updated => ChangeKind::ConsumerUpdate,
            };
            // The state that is logged now stands behind all progress so far.
            self.log_progress(id);
            if let Some(group) = self.groups.get_mut(&id) {
                group.push_change(&mut self.spare_pending, kind as u8, |bodies| {
                    bodies.extend_from_slice(&body)
                });
            }
        } else if stream.owes() {
            self.log_progress(id);
        }
        let is_fresh = created == Created::Fresh;
        if let Some(group) = self.groups.get_mut(&id) {
            group
                .push_after(&mut self.spare_pending, After::ConsumerCreated { to: Some(to), name, is_fresh });
        }
        self.mark_dirty(id);
    }

    fn get(
        &mut self,
        now: Now,
        to: ReplyTo,
        id: GroupId,
        form: GetForm,
        select: &Selector,
        out: &mut impl Outputs,
    ) {
        let Some(stream) = self.open_stream(id) else { return not_found(&to, out) };
        let found = stream.stream.find(select);
        let selection =
            Selection { messages: found.map(selected).into_iter().collect(), ..Selection::default() };
        self.run_get(now, Box::new(Get::new(to, id, form, selection)), out);
    }

    fn direct_get(&mut self, now: Now, to: ReplyTo, id: GroupId, get: &DirectGet, out: &mut impl Outputs) {
        let max_bytes = self.options.limits.direct_get_bytes;
        let Some(stream) = self.open_stream(id) else { return not_found(&to, out) };
        let (form, selection) = match stream.stream.direct(get, max_bytes) {
            Direct::NotFound { multi } => return out.answer(&to, Answer::DirectNotFound { multi }),
            Direct::TooManyResults => return out.answer(&to, Answer::DirectTooManyResults),
            Direct::One(seq) => {
                (GetForm::Direct, Selection { messages: vec![selected(seq)], ..Selection::default() })
            }
            Direct::Many(selection) => (GetForm::Many, selection),
        };
        self.run_get(now, Box::new(Get::new(to, id, form, selection)), out);
    }
}

/// Whether a request would have something written.
fn is_change(request: &Request) -> bool {
    matches!(
        request,
        Request::StreamPurge { .. }
            | Request::MessageDelete { .. }
            | Request::ConsumerCreate { .. }
            | Request::ConsumerDelete { .. }
    )
}

fn selected(seq: StreamSeq) -> Selected {
    Selected { seq, num_pending: 0 }
}

fn not_found(to: &ReplyTo, out: &mut impl Outputs) {
    out.answer(to, Answer::Rejected(Rejection::StreamNotFound));
}
