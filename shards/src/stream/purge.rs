//! Requests that remove messages: purge and delete. What they remove is decided here, so that applying them is certain.

use super::Stream;
use super::config::Storage;
use crate::change::Change;
use crate::ids::StreamSeq;
use crate::messages::SubjectId;
use crate::rejection::Rejection;
use crate::subject;

impl Stream {
    /// Decides about a purge: of everything, or what matches `filter`, below `seq`, or all but the newest `keep` (0 and
    /// "" mean: not given). Appends the body of a `Purge` change and gives the number of messages that it will remove.
    /// Everything admitted before has been applied.
    pub fn admit_purge(
        &mut self,
        filter: &str,
        seq: u64,
        keep: u64,
        body: &mut Vec<u8>,
    ) -> Result<u64, Rejection> {
        if self.config.sealed {
            return Err(Rejection::StreamSealed);
        }
        if self.config.deny_purge {
            return Err(Rejection::StreamPurgeNotPermitted);
        }
        if seq > 0 && keep > 0 {
            return Err(Rejection::BadRequest);
        }
        if seq >= SEQ_MAX {
            return Err(Rejection::StreamGeneral("sequence out of range".into()));
        }
        let filter = if filter == ">" { "" } else { filter };
        if !filter.is_empty() && !subject::is_valid(filter.as_bytes()) {
            // A pattern that can match nothing.
            Change::Purge { below: StreamSeq(0), filter: filter.as_bytes() }.encode(body);
            return Ok(0);
        }
        let ids = self.purged_subjects(filter.as_bytes());
        let below = match (seq, keep) {
            (0, 0) => self.in_flight.last_seq + 1,
            (0, keep) if filter.is_empty() => self.index.nth_last(keep).unwrap_or(1),
            (0, keep) => self.nth_last_of(&ids, keep),
            (seq, _) => seq,
        };
        let subjects = &self.index.subjects;
        let purged = if filter.is_empty() {
            self.index.count() - self.index.count_from(below)
        } else {
            ids.iter().map(|&id| subjects.count(id) - subjects.count_from(id, below)).sum()
        };
        if filter.is_empty() && below > self.in_flight.last_seq + 1 {
            // The stream goes on behind the gap.
            self.in_flight.last_seq = below - 1;
        }
        Change::Purge { below: StreamSeq(below), filter: filter.as_bytes() }.encode(body);
        Ok(purged)
    }

    /// Decides about the deletion of one message; appends the body of a `Delete` change.
    /// Source of the errors: nats-server, server/filestore.go and server/memstore.go (`removeMsg`).
    pub fn admit_delete(&mut self, seq: u64, no_erase: bool, body: &mut Vec<u8>) -> Result<(), Rejection> {
        if self.config.sealed {
            return Err(Rejection::StreamSealed);
        }
        if self.config.deny_delete {
            return Err(Rejection::StreamMsgDeleteFailed("message delete not permitted".into()));
        }
        if !self.index.contains(seq) {
            return Err(match self.config.storage {
                Storage::File if seq > self.committed.last_seq => {
                    Rejection::StreamMsgDeleteFailed("stream store EOF".into())
                }
                Storage::File if seq == 0 || seq < self.committed.first_seq => {
                    Rejection::StreamMsgDeleteFailed("no message found".into())
                }
                _ => Rejection::SequenceNotFound(seq),
            });
        }
        Change::Delete { seq: StreamSeq(seq), erase: !no_erase }.encode(body);
        Ok(())
    }

    /// Subjects that a purge with a filter concerns.
    pub(super) fn purged_subjects(&self, filter: &[u8]) -> Vec<SubjectId> {
        if filter.is_empty() {
            Vec::new()
        } else if subject::has_wildcard(filter) {
            self.matching_subjects(filter).collect()
        } else {
            self.index.subjects.find(filter).into_iter().collect()
        }
    }

    /// The greatest sequence that has `keep` messages on these subjects at or above it; 1 if there are fewer.
    fn nth_last_of(&self, ids: &[SubjectId], keep: u64) -> u64 {
        let subjects = &self.index.subjects;
        let count_from = |seq: u64| ids.iter().map(|&id| subjects.count_from(id, seq)).sum::<u64>();
        let (mut low, mut high) = (1, self.committed.last_seq + 1);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if count_from(middle) >= keep {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }
}

/// A purge cannot move a stream's end to or beyond this.
const SEQ_MAX: u64 = 1 << 63;
