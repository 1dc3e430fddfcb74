//! Where a new consumer starts (nats-server, server/consumer.go: `selectStartingSeqNo`).

use super::config::{ConsumerConfig, DeliverPolicy};
use super::filter::Filter;
use crate::ids::StreamSeq;
use crate::messages::{Messages, SubjectFilter};

/// The first stream sequence to consider, and the sequence up to which only the last message of each subject is wanted
/// (0: none).
pub fn position(config: &ConsumerConfig, filter: &mut Filter, messages: &impl Messages) -> (u64, u64) {
    let first = messages.first_seq().0.max(1);
    let last = messages.last_seq().0;
    let mut resume = 0;
    let start = match config.deliver_policy {
        DeliverPolicy::All => first,
        DeliverPolicy::New => last + 1,
        DeliverPolicy::Last if filter.is_all() => last,
        DeliverPolicy::Last => messages.last(filter).map_or(first, |seq| seq.0),
        DeliverPolicy::LastPerSubject if messages.max_msgs_per_subject() == 1 => first,
        DeliverPolicy::LastPerSubject => {
            let listed = messages.last_per_subject(filter);
            resume = if listed.is_empty() { 0 } else { last };
            listed.first().map_or(last + 1, |seq| seq.0)
        }
        // A sequence that does not exist yet is waited for.
        DeliverPolicy::ByStartSequence => return (config.opt_start_seq.max(first), 0),
        DeliverPolicy::ByStartTime => at_time(config, filter, messages),
    };
    (start.max(first).min(last + 1), resume)
}

/// A filter moves the start forward to its first match, so that the gap is not walked.
fn at_time(config: &ConsumerConfig, filter: &mut Filter, messages: &impl Messages) -> u64 {
    let start = messages.seq_at(config.opt_start_time.unwrap_or_default()).0;
    let first_match = messages.next(filter, StreamSeq(0)).map_or(0, |seq| seq.0);
    let moves = !filter.is_all() && first_match < messages.last_seq().0;
    if moves { start.max(first_match) } else { start }
}

#[cfg(test)]
#[path = "start_test.rs"]
mod tests;
