//! Messages that were stored and cannot be read any more: what INFO reports as `lost`.

use super::Stream;
use crate::ids::StreamSeq;
use crate::limits::LOST_DETAILS_MAX;
use std::collections::BTreeSet;

/// What recovery or a read found damaged in this life. No part of the replicated state: each life finds it anew.
#[derive(Debug, Default)]
pub struct Lost {
    /// At most `LOST_DETAILS_MAX`.
    seqs: BTreeSet<u64>,
    /// Of the records whose length is known.
    bytes: u64,
}

impl Stream {
    /// A read found the record of a message damaged. The message stays where it is, and is not served.
    pub fn note_damaged(&mut self, seq: StreamSeq, len: u32) {
        self.lost.get_or_insert_default().add(seq.0, u64::from(len));
    }

    /// Recovery found the record of the message behind the last one damaged: its sequence is never given again. `len`: 0 if
    /// nobody knows.
    pub fn lose(&mut self, seq: StreamSeq, len: u32) {
        self.note_damaged(seq, len);
        if seq.0 > self.committed.last_seq {
            self.committed.last_seq = seq.0;
            if self.index.count() == 0 {
                self.committed.first_seq = seq.0 + 1;
            }
            self.follow_in_flight();
        }
        self.check();
    }

    /// Recovery found damage and then a message at `seq`: what lies between the last one and it is lost.
    pub fn lose_before(&mut self, seq: StreamSeq) {
        let missing = self.committed.last_seq + 1..seq.0;
        for seq in missing.take(LOST_DETAILS_MAX) {
            self.note_damaged(StreamSeq(seq), 0);
        }
    }

    /// Sequences, ascending, and bytes.
    pub(super) fn lost(&self) -> (Vec<u64>, u64) {
        self.lost.as_ref().map_or((Vec::new(), 0), |lost| (lost.seqs.iter().copied().collect(), lost.bytes))
    }
}

impl Lost {
    fn add(&mut self, seq: u64, len: u64) {
        if self.seqs.len() < LOST_DETAILS_MAX && self.seqs.insert(seq) {
            self.bytes += len;
        }
    }
}
