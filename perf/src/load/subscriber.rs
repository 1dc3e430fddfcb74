//! A connection that subscribes, alone or in a queue group.

use super::plan::{Plan, Shared};
use super::tally::Tally;
use crate::content::Content;
use crate::wire::Message;

pub struct Subscriber<'a> {
    plan: &'a Plan<'a>,
    shared: &'a Shared,
    /// By sender, which of its messages is the next at the earliest: they come in the order in which they were sent.
    next: Vec<u64>,
}

impl<'a> Subscriber<'a> {
    pub fn new(plan: &'a Plan<'a>, shared: &'a Shared) -> Subscriber<'a> {
        Subscriber { plan, shared, next: vec![0; plan.senders() as usize] }
    }

    pub fn handle(&mut self, message: &Message<'_>, tally: &mut Tally) {
        let Plan { content, workload, .. } = self.plan;
        let senders = self.next.len() as u64;
        let Some(stamp) = Content::stamp(message.payload)
            .filter(|stamp| message.payload.len() == content.size(stamp.number))
        else {
            return tally.error("wrong delivery", || "a message that was not published".into());
        };
        let (sender, turn) = (stamp.number % senders, stamp.number / senders);
        let next = &mut self.next[sender as usize];
        if turn < *next {
            return tally.error("delivered twice or late", || format!("message {} again", stamp.number));
        }
        *next = turn + 1;
        self.shared.add_delivered(sender, 1);
        self.shared.add_open(-1);
        tally.finished(stamp.intended, message.payload.len());
        if workload.verify {
            let same = content.is_payload(stamp.number, message.payload)
                && content.is_subject(stamp.number, message.subject);
            tally.checked(same, || format!("message {} has another subject or other bytes", stamp.number));
        }
    }
}
