//! Which messages a get asks for.

use crate::time::WallTime;

/// How MSG.GET and DIRECT.GET choose a message. Combinations are checked where JSON is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    Seq(u64),
    /// Wildcards allowed.
    LastBySubject(String),
    /// First match at or above a sequence.
    NextBySubject {
        subject: String,
        seq: u64,
    },
    /// First match at or after a time.
    NextBySubjectFrom {
        subject: String,
        time: WallTime,
    },
    /// First message at or after a time.
    FromTime(WallTime),
}

/// A direct get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectGet {
    One {
        select: Selector,
    },
    /// From `select` on, up to `batch` messages or `max_bytes` (0: the server's default).
    Batch {
        select: Selector,
        batch: u64,
        max_bytes: u64,
    },
    /// The last message of each matching subject, ascending.
    MultiLast {
        subjects: Vec<String>,
        up_to_seq: u64,
        up_to_time: Option<WallTime>,
        /// Lower bound.
        seq: u64,
        /// 0: no limit.
        batch: u64,
        max_bytes: u64,
    },
}
