//! How fast a shard's segments are prepared: no faster than its log needs them, so that the log's own writes and syncs find
//! the device free.

use super::prepare::PIECE_LEN_MAX;

/// Lives on: its shard's core.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Writes and syncs of the log that are at the disk.
    appends: usize,
    /// Zeros that may be written although the log is busy. Bytes.
    credit: u64,
    /// The preparation that has zeros to write and waits for its turn.
    waiting: Option<usize>,
}

/// Zeros at once while the log is busy, at least. Bytes. They hold up a write of the log for about as long as another short
/// write would.
const PIECE_LEN_MIN: u64 = 256 << 10;

/// For each byte that the log writes so many zeros: segments are ready before it needs them.
const LEAD: u64 = 4;

/// Most credit. Bytes.
const CREDIT_MAX: u64 = 16 << 20;

impl Pace {
    /// An append of the log goes to the disk.
    pub fn append_started(&mut self) {
        self.appends += 1;
    }

    /// An append of the log has ended, well or not, that wrote so many bytes; 0 for a sync.
    pub fn append_ended(&mut self, len: u64) {
        self.appends -= 1;
        self.credit = (self.credit + LEAD * len).clamp(PIECE_LEN_MIN, CREDIT_MAX);
    }

    /// A preparation has zeros to write.
    pub fn want(&mut self, preparation: usize) {
        self.waiting = Some(preparation);
    }

    /// The preparation whose turn it is, and how many zeros it may write. Bytes, whole blocks.
    pub fn poll(&mut self) -> Option<(usize, u64)> {
        let len = match self.appends {
            // Nobody is held up; perhaps the log even waits for the segment.
            0 => PIECE_LEN_MAX,
            _ if self.credit < PIECE_LEN_MIN => return None,
            _ => self.credit.min(PIECE_LEN_MAX),
        };
        let preparation = self.waiting.take()?;
        self.credit = self.credit.saturating_sub(len);
        Some((preparation, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_log_lets_everything_be_prepared() {
        let mut pace = Pace::default();
        for _ in 0..3 {
            pace.want(7);
            assert_eq!(pace.poll(), Some((7, PIECE_LEN_MAX)));
            assert_eq!(pace.poll(), None, "nobody waits");
        }
    }

    #[test]
    fn a_busy_log_lets_a_piece_through_when_one_of_its_appends_has_ended() {
        let mut pace = Pace::default();
        (0..3).for_each(|_| pace.append_started());
        pace.want(7);
        assert_eq!(pace.poll(), None);
        pace.append_ended(4096);
        assert_eq!(pace.poll(), Some((7, PIECE_LEN_MIN)));
        pace.want(7);
        assert_eq!(pace.poll(), None);
        pace.append_ended(0);
        assert_eq!(pace.poll(), Some((7, PIECE_LEN_MIN)));
    }

    #[test]
    fn zeros_keep_ahead_of_a_log_at_full_speed() {
        let (mut pace, mut written, mut zeroed) = (Pace::default(), 0, 0);
        pace.append_started();
        pace.want(7);
        for _ in 0..100 {
            pace.append_started();
            pace.append_ended(200 << 10);
            written += 200 << 10;
            while let Some((_, len)) = pace.poll() {
                zeroed += len;
                pace.want(7);
            }
        }
        assert!(zeroed > 2 * written, "{zeroed} zeros for {written} bytes");
    }
}
