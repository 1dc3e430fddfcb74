//! A consumer as clients see it.

use super::config::ConsumerConfig;
use super::state::SequencePair;
use super::{Consumer, Mode};
use crate::messages::Messages;
use crate::subscribers::Subscribers;
use crate::time::{Now, WallTime};

/// A pair of sequences with the time of the last change, which is forgotten at a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceInfo {
    pub consumer_seq: u64,
    pub stream_seq: u64,
    pub last_active: Option<WallTime>,
}

/// A consumer as clients see it (spec: ConsumerInfo).
#[derive(Clone, Debug)]
pub struct ConsumerInfo {
    pub stream_name: String,
    pub name: String,
    pub created: WallTime,
    pub config: ConsumerConfig,
    pub delivered: SequenceInfo,
    pub ack_floor: SequenceInfo,
    pub num_ack_pending: u64,
    pub num_redelivered: u64,
    pub num_waiting: u64,
    pub num_pending: u64,
    pub push_bound: bool,
    pub ts: WallTime,
}

impl Consumer {
    /// As clients see it. Sweeps waiting requests first, as nats-server does.
    pub fn info(&mut self, now: Now, messages: &impl Messages, out: &mut impl Subscribers) -> ConsumerInfo {
        let (num_waiting, push_bound) = match &mut self.mode {
            Mode::Pull(Some(pull)) => {
                pull.sweep(now, self.account, out);
                (pull.len() as u64, false)
            }
            Mode::Pull(None) => (0, false),
            Mode::Push(push) => (0, push.active),
        };
        let given_once = self.settings.max_deliver == 1;
        ConsumerInfo {
            stream_name: self.stream.to_string(),
            name: self.name().to_owned(),
            created: self.created,
            config: self.config(),
            delivered: sequences(self.state.delivered, self.last_delivered),
            ack_floor: sequences(self.state.ack_floor, self.last_acked),
            num_ack_pending: self.state.ack_pending.len() as u64,
            num_redelivered: if given_once { 0 } else { self.state.redelivered.len() as u64 },
            num_waiting,
            num_pending: self.count_pending(messages),
            push_bound,
            ts: now.wall,
        }
    }
}

fn sequences(pair: SequencePair, last_active: WallTime) -> SequenceInfo {
    let last_active = Some(last_active).filter(|&time| time != WallTime::default());
    SequenceInfo { consumer_seq: pair.consumer_seq, stream_seq: pair.stream_seq, last_active }
}
