//! Preparing segments ahead of use: zeros first, then a header that says so, then the file is free.

use super::buffer::AlignedBuffer;
use super::disk_op::{DiskOp, SegmentFile};
use super::format::{Identity, SEGMENT_HEADER_LEN, SegmentHeader};
use super::next;
use super::segments::{Prepared, Segments};
use crate::time::Instant;
use std::rc::Rc;

/// The file that is being prepared, one at a time.
#[derive(Debug, Default)]
pub(super) struct Preparation {
    out: Option<Preparing>,
    /// A header to be written next.
    waiting: Option<DiskOp>,
}

#[derive(Clone, Copy, Debug)]
struct Preparing {
    token: u64,
    file: SegmentFile,
    len: u64,
    /// The zeros are synced; the header is being written. A crash that loses it costs zeroing the file again.
    zeroed: bool,
}

impl Preparation {
    pub fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// The next step, if a segment should be prepared.
    pub fn poll_op(&mut self, segments: &mut Segments, next_token: &mut u64, now: Instant) -> Option<DiskOp> {
        if let Some(Preparing { file, len, zeroed: true, .. }) = self.out
            && let Some(DiskOp::Write { offset, data, .. }) = self.waiting.take()
        {
            let token = next(next_token);
            self.out = Some(Preparing { token, file, len, zeroed: true });
            return Some(DiskOp::Write { token, file, offset, data });
        }
        if self.out.is_some() {
            return None;
        }
        let (file, len) = segments.next_to_prepare(now)?;
        let token = next(next_token);
        self.out = Some(Preparing { token, file, len, zeroed: false });
        Some(DiskOp::Prepare { token, file, len })
    }

    /// An operation has ended; ignored if it is none of ours.
    pub fn finish(
        &mut self,
        segments: &mut Segments,
        identity: &Identity,
        token: u64,
        failed: bool,
        now: Instant,
    ) {
        let Some(preparing) = self.out.filter(|preparing| preparing.token == token) else { return };
        let Preparing { file, len, zeroed, .. } = preparing;
        if failed {
            self.out = None;
            segments.preparation_failed(file, now);
        } else if zeroed {
            self.out = None;
            segments.preparation_succeeded();
            segments.add_free(Prepared { file, len, reused: false });
        } else {
            self.out = Some(Preparing { zeroed: true, ..preparing });
            let mut data = AlignedBuffer::zeroed(SEGMENT_HEADER_LEN);
            let identity = Identity { serial: 0, ..*identity };
            SegmentHeader::free(identity, len).encode(data.as_mut_slice());
            self.waiting = Some(DiskOp::Write { token, file, offset: 0, data: Rc::new(data) });
        }
    }
}
