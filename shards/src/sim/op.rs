//! What clients ask, and what they know of the outcome.

use crate::consumer::config::ConsumerConfig;
use crate::stream::config::StreamConfig;
use crate::time::WallTime;
use std::time::Duration;

/// Number of an operation; it stands in its reply subject and in the payload of a publish.
pub type OpId = u64;

/// One operation of a client.
#[derive(Clone, Debug)]
pub struct Op {
    pub life: u64,
    /// Order of everything that clients did and heard.
    pub issued: u64,
    pub issued_at: WallTime,
    pub outcome: Outcome,
    pub kind: Kind,
}

/// What its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No answer yet.
    Waiting,
    /// It was done; the answer came as event number so and so.
    Done(u64),
    /// It was refused: it changed nothing.
    Refused,
    /// No answer will come any more, or one that leaves it open.
    Unknown,
}

impl Op {
    /// Whether it may have had an effect.
    pub fn may_count(&self) -> bool {
        self.outcome != Outcome::Refused
    }

    /// Event after which it cannot take effect any more.
    pub fn ended(&self, ends_of_lives: &[u64]) -> u64 {
        match self.outcome {
            Outcome::Done(event) => event,
            _ => ends_of_lives.get(self.life as usize).copied().unwrap_or(u64::MAX),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Kind {
    Publish(Publish),
    StreamCreate(Box<StreamConfig>),
    StreamUpdate(Box<StreamConfig>),
    StreamDelete {
        stream: String,
    },
    StreamInfo {
        stream: String,
    },
    Purge {
        stream: String,
        filter: String,
        seq: u64,
        keep: u64,
    },
    Delete {
        stream: String,
        seq: u64,
    },
    Get {
        stream: String,
        seq: u64,
    },
    /// Everything that is in the stream.
    Audit {
        stream: String,
    },
    ConsumerCreate {
        stream: String,
        config: Box<ConsumerConfig>,
    },
    ConsumerDelete {
        stream: String,
        consumer: String,
    },
    ConsumerInfo {
        stream: String,
        consumer: String,
    },
    Fetch {
        stream: String,
        consumer: String,
        batch: u64,
    },
    Ack {
        stream: String,
        consumer: String,
        seq: u64,
        consumer_seq: u64,
        form: AckForm,
        is_awaited: bool,
    },
}

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckForm {
    Ack,
    Nak,
    Term,
    InProgress,
    Next,
}

impl AckForm {
    pub fn payload(self) -> &'static [u8] {
        match self {
            AckForm::Ack => b"+ACK",
            AckForm::Nak => b"-NAK",
            AckForm::Term => b"+TERM",
            AckForm::InProgress => b"+WPI",
            AckForm::Next => b"+NXT",
        }
    }

    /// Whether the message is done with.
    pub fn settles(self) -> bool {
        matches!(self, AckForm::Ack | AckForm::Term | AckForm::Next)
    }
}

/// A message and what its publisher asked for.
#[derive(Clone, Debug)]
pub struct Publish {
    pub stream: String,
    pub subject: String,
    /// The whole header block; empty: none.
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
    pub msg_id: Option<String>,
    pub expected_last: Option<u64>,
    pub expected_last_on_subject: Option<u64>,
    pub rollup: Rollup,
    pub ttl: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollup {
    None,
    Subject,
    All,
}
