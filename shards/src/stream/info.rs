//! A stream as clients see it.

use super::Stream;
use super::config::StreamConfig;
use crate::limits::{DELETED_DETAILS_MAX, SUBJECT_DETAILS_MAX};
use crate::subject;
use crate::time::{Now, WallTime};
use std::sync::Arc;

/// State of a stream as clients see it (spec: StreamState).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    pub messages: u64,
    /// Bytes as nats-server accounts them.
    pub bytes: u64,
    pub first_seq: u64,
    pub first_ts: WallTime,
    pub last_seq: u64,
    pub last_ts: WallTime,
    pub num_subjects: u64,
    pub num_deleted: u64,
    /// Only with `deleted_details`; ascending.
    pub deleted: Option<Vec<u64>>,
    /// Messages that were found damaged since the start; only with `deleted_details`. Ascending.
    pub lost: Vec<u64>,
    /// Length of their records, as far as it is known.
    pub lost_bytes: u64,
    /// Only with `subjects_filter`, ascending by subject, one page.
    pub subjects: Vec<(String, u64)>,
    /// All subjects that match `subjects_filter`, over all pages.
    pub subjects_total: u64,
    pub consumer_count: u64,
}

/// A stream as clients see it.
#[derive(Clone, Debug)]
pub struct StreamInfo {
    pub config: Arc<StreamConfig>,
    pub created: WallTime,
    pub state: StreamState,
    pub ts: WallTime,
}

impl Stream {
    /// State as clients see it, of what is committed. `subjects_filter`: empty for none; `offset`: where its page starts.
    pub fn state(
        &self,
        deleted_details: bool,
        subjects_filter: &str,
        offset: u64,
        consumer_count: u64,
    ) -> StreamState {
        let (first_seq, last_seq) = (self.committed.first_seq, self.committed.last_seq);
        let messages = self.index.count();
        let first = self.index.get(first_seq);
        let num_deleted = if messages == 0 { 0 } else { last_seq - first_seq + 1 - messages };
        let mut state = StreamState {
            messages,
            bytes: self.committed.bytes,
            first_seq,
            first_ts: first.map_or(WallTime(0), |message| message.time),
            last_seq,
            last_ts: WallTime(self.committed.last_time),
            num_subjects: self.index.subjects.len() as u64,
            num_deleted,
            deleted: deleted_details.then(|| self.deleted()),
            consumer_count,
            ..StreamState::default()
        };
        if deleted_details {
            (state.lost, state.lost_bytes) = self.lost();
        }
        if !subjects_filter.is_empty() && subject::is_valid(subjects_filter.as_bytes()) {
            let subjects = &self.index.subjects;
            let mut matching: Vec<(&[u8], u64)> = self
                .matching_subjects(subjects_filter.as_bytes())
                .map(|id| (subjects.name(id), subjects.count(id)))
                .collect();
            matching.sort_unstable();
            state.subjects_total = matching.len() as u64;
            let page = matching.iter().skip(usize::try_from(offset).unwrap_or(usize::MAX));
            let named = page.map(|&(name, count)| (String::from_utf8_lossy(name).into_owned(), count));
            state.subjects = named.take(SUBJECT_DETAILS_MAX).collect();
        }
        state
    }

    /// The stream as clients see it.
    pub fn info(&self, now: Now, state: StreamState) -> StreamInfo {
        StreamInfo { config: self.config.clone(), created: self.created, state, ts: now.wall }
    }

    /// Sequences between the first and the last message that are not there, ascending.
    fn deleted(&self) -> Vec<u64> {
        let mut deleted = Vec::new();
        let mut seq = self.committed.first_seq;
        while self.index.count() > 0 && seq <= self.committed.last_seq && deleted.len() < DELETED_DETAILS_MAX
        {
            let present = self.index.at_or_above(seq).unwrap_or(self.committed.last_seq + 1);
            let room = (DELETED_DETAILS_MAX - deleted.len()) as u64;
            deleted.extend(seq..present.min(seq + room));
            seq = present + 1;
        }
        deleted
    }
}
