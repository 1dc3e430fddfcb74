//! Group commit: how far the log is written and synced, and when the next sync starts.

use super::disk_op::SegmentFile;
use super::options::SyncPolicy;
use crate::ids::Position;
use crate::time::Instant;
use std::time::Duration;

/// Progress of one log's writes and syncs. All counts of bytes are of whole writes.
#[derive(Debug)]
pub(super) struct SyncState {
    policy: SyncPolicy,
    /// Everything below is written: no hole.
    written: Position,
    /// Everything below is synced.
    synced: Position,
    /// Up to here a sync is due; writes behind it carry a mark only.
    wanted: Position,
    /// Bytes written since the start, up to `written` and up to `synced`.
    written_len: u64,
    synced_len: u64,
    /// When the oldest write that wants a sync was written.
    oldest: Option<Instant>,
    /// Files with unsynced writes, in the order of the log, and the position at which the last of them ends.
    files: Vec<(SegmentFile, Position)>,
    out: Option<SyncOut>,
    /// Do not wait for `sync_interval`: the log is being closed.
    hurry: bool,
}

/// A sync that the disk works on.
#[derive(Clone, Copy, Debug)]
struct SyncOut {
    token: u64,
    /// What is synced once it ends.
    target: Position,
    target_len: u64,
    since: Instant,
}

impl SyncState {
    /// A log of which everything below `synced` is synced.
    pub fn new(policy: SyncPolicy, synced: Position) -> Self {
        SyncState {
            policy,
            written: synced,
            synced,
            wanted: synced,
            written_len: 0,
            synced_len: 0,
            oldest: None,
            files: Vec::new(),
            out: None,
            hurry: false,
        }
    }

    pub fn written(&self) -> Position {
        self.written
    }

    pub fn synced(&self) -> Position {
        self.synced
    }

    /// Everything below is committed.
    pub fn committed(&self) -> Position {
        match self.policy {
            SyncPolicy::Synced { .. } => self.synced,
            SyncPolicy::Written { .. } => self.written,
        }
    }

    /// Bytes synced since the start.
    pub fn synced_len(&self) -> u64 {
        self.synced_len
    }

    /// Whether something that wants a sync is neither synced nor in the sync that is out.
    pub fn is_waiting(&self) -> bool {
        self.wanted > self.out.map_or(self.synced, |out| out.target)
    }

    pub fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// Since when the sync that is out is out.
    pub fn out_since(&self) -> Option<Instant> {
        self.out.map(|out| out.since)
    }

    /// The log is written up to `end`, the end of a write of `len` bytes to `file`. `wants_sync`: it holds more than a mark.
    pub fn advance(&mut self, now: Instant, file: SegmentFile, end: Position, len: u64, wants_sync: bool) {
        assert!(end > self.written, "the log is written in order");
        self.written = end;
        self.written_len += len;
        match self.files.last_mut() {
            Some((last, last_end)) if *last == file => *last_end = end,
            _ => self.files.push((file, end)),
        }
        if wants_sync {
            self.wanted = end;
            self.oldest.get_or_insert(now);
        }
    }

    /// Do not wait any more to let more share a sync.
    pub fn hurry(&mut self) {
        self.hurry = true;
    }

    /// When the next sync starts, if one is wanted. In the past: now.
    pub fn due(&self) -> Option<Instant> {
        let oldest = self.oldest.filter(|_| self.out.is_none() && self.wanted > self.synced)?;
        let wait = match self.policy {
            _ if self.hurry => Duration::ZERO,
            SyncPolicy::Synced { sync_interval } => sync_interval,
            SyncPolicy::Written { unsynced_bytes_max, .. }
                if self.written_len - self.synced_len >= unsynced_bytes_max =>
            {
                Duration::ZERO
            }
            SyncPolicy::Written { unsynced_max, .. } => unsynced_max,
        };
        Some(oldest + wait)
    }

    /// Starts a sync of everything written. Returns the files with unsynced writes.
    pub fn start(&mut self, now: Instant, token: u64) -> Vec<SegmentFile> {
        assert!(self.out.is_none(), "one sync at a time");
        self.out = Some(SyncOut { token, target: self.written, target_len: self.written_len, since: now });
        self.oldest = None;
        self.files.iter().map(|&(file, _)| file).collect()
    }

    /// The sync with this token has ended well: since when it was out. None: it is none of ours.
    pub fn finish(&mut self, token: u64) -> Option<Instant> {
        let out = self.out.filter(|out| out.token == token)?;
        self.out = None;
        assert!(
            out.target >= self.synced && out.target <= self.written,
            "a sync covers what was written before it"
        );
        self.synced = out.target;
        self.synced_len = out.target_len;
        self.files.retain(|&(_, end)| end > out.target);
        Some(out.since)
    }

    /// Whether the sync that is out has this token.
    pub fn has_out(&self, token: u64) -> bool {
        self.out.is_some_and(|out| out.token == token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: SegmentFile = SegmentFile(0);

    fn state(policy: SyncPolicy) -> SyncState {
        SyncState::new(policy, Position(0))
    }

    fn at_once() -> SyncPolicy {
        SyncPolicy::Synced { sync_interval: Duration::ZERO }
    }

    #[test]
    fn a_lone_write_is_synced_at_once() {
        let mut state = state(at_once());
        assert_eq!(state.due(), None);
        state.advance(Instant(5), FILE, Position(4096), 4096, true);
        assert_eq!(state.due(), Some(Instant(5)));
        state.start(Instant(5), 1);
        assert_eq!(state.committed(), Position(0));
        assert_eq!(state.finish(1), Some(Instant(5)));
        assert_eq!(state.committed(), Position(4096));
        assert_eq!(state.due(), None);
    }

    #[test]
    fn what_is_written_while_a_sync_runs_shares_the_next_one() {
        let mut state = state(at_once());
        state.advance(Instant(5), FILE, Position(4096), 4096, true);
        state.start(Instant(5), 1);
        state.advance(Instant(6), FILE, Position(8192), 4096, true);
        state.advance(Instant(7), FILE, Position(12288), 4096, true);
        assert_eq!(state.due(), None);
        state.finish(1);
        assert_eq!(state.synced(), Position(4096));
        assert_eq!(state.due(), Some(Instant(6)));
        state.start(Instant(8), 2);
        state.finish(2);
        assert_eq!(state.synced(), Position(12288));
    }

    #[test]
    fn a_commit_that_crosses_segments_syncs_both_files() {
        let mut state = state(at_once());
        state.advance(Instant(1), FILE, Position(4096), 4096, true);
        state.advance(Instant(1), SegmentFile(3), Position(1 << 20), 4096, true);
        assert_eq!(state.start(Instant(1), 1), [FILE, SegmentFile(3)]);
        state.advance(Instant(2), SegmentFile(3), Position(2 << 20), 4096, true);
        state.finish(1);
        assert_eq!(state.start(Instant(2), 2), [SegmentFile(3)]);
    }

    #[test]
    fn an_interval_bounds_the_wait_for_a_sync() {
        let mut state = state(SyncPolicy::Synced { sync_interval: Duration::from_nanos(100) });
        state.advance(Instant(5), FILE, Position(4096), 4096, true);
        state.advance(Instant(50), FILE, Position(8192), 4096, true);
        assert_eq!(state.due(), Some(Instant(105)));
    }

    #[test]
    fn in_relaxed_mode_written_is_committed_and_a_sync_follows_by_age_or_amount() {
        let policy =
            SyncPolicy::Written { unsynced_max: Duration::from_nanos(1000), unsynced_bytes_max: 8192 };
        let mut state = state(policy);
        state.advance(Instant(5), FILE, Position(4096), 4096, true);
        assert_eq!((state.committed(), state.synced()), (Position(4096), Position(0)));
        assert_eq!(state.due(), Some(Instant(1005)));
        state.advance(Instant(6), FILE, Position(8192), 4096, true);
        assert_eq!(state.due(), Some(Instant(5)));
    }

    #[test]
    fn a_mark_alone_wants_no_sync() {
        let mut state = state(at_once());
        state.advance(Instant(5), FILE, Position(4096), 4096, false);
        assert_eq!(state.due(), None);
        assert!(!state.is_waiting());
    }
}
