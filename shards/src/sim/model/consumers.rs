//! A consumer as its clients know it, and the oracle of its deliveries.

use super::{Certainty, StreamModel, Verdict};
use crate::consumer::ack_subject::AckSubject;
use crate::consumer::config::{AckPolicy, ConsumerConfig};
use crate::sim::server::Delivered;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default)]
pub struct ConsumerModel {
    pub config: ConsumerConfig,
    pub created: Certainty,
    pub deleted: Certainty,
    /// Last sequence of the stream that had been seen when it was asked for: it may start there.
    pub from: u64,
    /// Acks that clients have sent, whatever became of them.
    acks_sent: BTreeSet<u64>,
    /// Greatest one, for consumers that acknowledge everything up to a message.
    floor_sent: u64,
    /// Awaited acks that were answered, by stream sequence: the number of the answer among what its core sent.
    committed: BTreeMap<u64, u64>,
    committed_floor: Option<(u64, u64)>,
    /// Deliveries of this life by consumer sequence: stream sequence and delivery count.
    deliveries: BTreeMap<u64, (u64, u64)>,
    pub ever_delivered: BTreeSet<u64>,
    /// To be acknowledged: the reply subject by stream sequence.
    pub unacked: BTreeMap<u64, Vec<u8>>,
}

impl ConsumerModel {
    /// A creation or an update is asked for.
    pub fn asked(&mut self, streams: &BTreeMap<String, StreamModel>, stream: &str, config: &ConsumerConfig) {
        self.config = config.clone();
        if self.created == Certainty::No {
            self.created = Certainty::Maybe;
            self.from = streams.get(stream).map_or(0, StreamModel::last_seen);
        }
    }

    pub fn begin_life(&mut self) {
        self.deliveries.clear();
        self.unacked.clear();
    }

    pub fn ack_sent(&mut self, seq: u64) {
        self.acks_sent.insert(seq);
        self.floor_sent = self.floor_sent.max(seq);
    }

    /// The ack of this message was awaited and answered.
    pub fn ack_answered(&mut self, seq: u64, consumer_seq: u64, sent: u64) {
        if self.config.ack_policy != AckPolicy::All {
            self.committed.entry(seq).or_insert(sent);
        } else if self.deliveries.last_key_value().is_none_or(|(last, _)| consumer_seq >= *last)
            && self.committed_floor.is_none_or(|(floor, _)| floor < seq)
        {
            // One behind a later delivery that is done with means nothing, and is answered all the same.
            self.committed_floor = Some((seq, sent));
        }
    }

    /// Consumer sequence in the reply subject of a delivery that waits for its ack.
    pub fn consumer_seq_of(&self, seq: u64) -> u64 {
        let reply = self.unacked.get(&seq).and_then(|reply| AckSubject::parse(reply));
        reply.map_or(0, |ack| ack.consumer_seq)
    }

    /// Whether some client has acknowledged the message.
    pub fn was_acked(&self, seq: u64) -> bool {
        let all = self.config.ack_policy == AckPolicy::All && seq <= self.floor_sent;
        self.config.ack_policy == AckPolicy::None || all || self.acks_sent.contains(&seq)
    }

    /// A delivery to a client. Returns the stream sequence.
    pub fn delivered(&mut self, name: &str, delivery: &Delivered) -> Result<u64, String> {
        let Some(ack) = AckSubject::parse(&delivery.reply) else {
            return Err(format!("{name} delivers without an ack subject"));
        };
        let (seq, count) = (ack.stream_seq, ack.delivery_count);
        self.check_not_committed(name, seq, delivery.sent)?;
        if let Some(before) = self.deliveries.insert(ack.consumer_seq, (seq, count)) {
            return Err(format!(
                "{name} uses consumer sequence {} for {} and {seq}",
                ack.consumer_seq, before.0
            ));
        }
        self.check_order(name, ack.consumer_seq, seq, count)?;
        self.ever_delivered.insert(seq);
        if self.config.ack_policy != AckPolicy::None {
            self.unacked.insert(seq, delivery.reply.clone());
        }
        Ok(seq)
    }

    fn check_not_committed(&self, name: &str, seq: u64, sent: u64) -> Verdict {
        let by_floor = self.committed_floor.filter(|(floor, _)| seq <= *floor).map(|(_, at)| at);
        let single = self.committed.get(&seq).copied();
        if single.into_iter().chain(by_floor).any(|answered| answered < sent) {
            return Err(format!("{name} delivers {seq} again, whose ack was awaited and answered"));
        }
        Ok(())
    }

    /// First deliveries come in the order of the stream.
    fn check_order(&self, name: &str, consumer_seq: u64, seq: u64, count: u64) -> Verdict {
        if count != 1 {
            return Ok(());
        }
        let first = |(_, (seq, count)): (&u64, &(u64, u64))| (*count == 1).then_some(*seq);
        let before = self.deliveries.range(..consumer_seq).rev().find_map(first);
        let after = self.deliveries.range(consumer_seq + 1..).find_map(first);
        if before.is_some_and(|before| before >= seq) || after.is_some_and(|after| after <= seq) {
            return Err(format!("{name} delivers {seq} out of order"));
        }
        Ok(())
    }
}
