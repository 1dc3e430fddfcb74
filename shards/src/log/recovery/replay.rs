//! What is kept of the tail: below the synced mark everything that can be read, above it everything up to the first bad
//! write. What is kept above it is copied into the new life.

use super::new_life::NewLife;
use super::{RecoveredItem, RecoveryReport};
use crate::ids::{EntryPlace, Position};
use crate::log::defect::{Defect, has_defect};
use crate::log::entry::EntryView;
use crate::log::format::{Envelope, Item, ItemKind, Items, SEGMENT_HEADER_LEN};
use crate::log::segments::Segment;
use crate::log::state::StorageError;
use crate::log::writer::SegmentFull;
use std::collections::VecDeque;

/// Decides about the writes of the tail in order.
#[derive(Debug)]
pub(super) struct Replay {
    /// The largest synced mark in the log: below it nothing is cut.
    floor: Position,
    /// From here on everything is cut.
    cut: Option<Position>,
    /// Checksum that the next envelope names, if nothing is missing before it.
    chain: Option<u32>,
    /// Start of the segment of the last write.
    segment: Option<Position>,
    defect: Defect,
}

/// Where what is kept goes.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    pub items: &'a mut VecDeque<RecoveredItem>,
    pub report: &'a mut RecoveryReport,
    pub life: &'a mut NewLife,
}

impl Replay {
    /// Nothing below `floor` is cut.
    pub fn new(floor: Position, defect: Defect) -> Self {
        Replay { floor, cut: None, chain: None, segment: None, defect }
    }

    /// Nothing good lies between two positions.
    pub fn handle_bad(&mut self, from: Position, to: Position, report: &mut RecoveryReport) {
        self.chain = None;
        if self.cut.is_some() {
            return;
        }
        if from < self.floor {
            report.damage.push(StorageError { from, to: to.min(self.floor) });
        }
        if to > self.floor && !has_defect!(self.defect, KeepBehindCut) {
            self.cut = Some(from.max(self.floor));
        }
    }

    /// A write with a good envelope. `header_checksum`: of its segment's header.
    pub fn handle_write(
        &mut self,
        step: (Envelope, u32, Position),
        write: &[u8],
        segment: &Segment,
        header_checksum: Option<u32>,
        kept: &mut Kept<'_>,
    ) -> Result<(), SegmentFull> {
        let (envelope, checksum, position) = step;
        if self.cut.is_some() {
            kept.report.bytes_cut += write.len() as u64;
            return Ok(());
        }
        if self.segment != Some(segment.start) {
            let from_the_start = position.0 == segment.start.0 + SEGMENT_HEADER_LEN as u64;
            self.chain = header_checksum.filter(|_| from_the_start);
            self.segment = Some(segment.start);
        }
        let follows = self.chain.is_none_or(|chain| chain == envelope.previous_checksum)
            || has_defect!(self.defect, RecycledReadAsNew);
        self.chain = Some(checksum);
        let above = position >= self.floor;
        if above && !(follows && self.is_whole(write, &envelope)) {
            if !has_defect!(self.defect, KeepBehindCut) {
                self.cut = Some(position);
            }
            kept.report.bytes_cut += write.len() as u64;
            return Ok(());
        }
        kept.report.tail_len += write.len() as u64;
        for item in Items::new(write, &envelope) {
            match item {
                Ok(item) if above && !has_defect!(self.defect, TailNotSynced) => copy(&item, kept)?,
                Ok(item) => keep(&item, kept),
                Err(range) => kept.report.damage.push(StorageError { from: range.start, to: range.end }),
            }
        }
        Ok(())
    }

    /// Whether every item and every change of every entry has its checksum.
    fn is_whole(&self, write: &[u8], envelope: &Envelope) -> bool {
        Items::new(write, envelope).all(|item| {
            item.is_ok_and(|item| {
                !is_entry(&item)
                    || has_defect!(self.defect, ChecksumIgnored)
                    || EntryView::checked_before(item.body).is_whole()
            })
        })
    }
}

fn is_entry(item: &Item<'_>) -> bool {
    item.frame.kind == ItemKind::Entry as u8
}

/// Hands over an entry that stays where it is.
fn keep(item: &Item<'_>, kept: &mut Kept<'_>) {
    if !is_entry(item) {
        return;
    }
    let place = EntryPlace { position: item.position, len: item.frame.len };
    if !EntryView::checked_before(item.body).is_whole() {
        kept.report.damage.push(StorageError { from: place.position, to: place.end() });
    }
    hand_over(place, item, kept);
}

/// Copies an item into the new life, and hands it over if it is an entry. Pieces of checkpoints stay behind: one that is
/// named by a header lies below the floor.
fn copy(item: &Item<'_>, kept: &mut Kept<'_>) -> Result<(), SegmentFull> {
    use ItemKind::*;
    match ItemKind::from_byte(item.frame.kind) {
        Some(CheckpointBegin | CheckpointPiece | CheckpointEnd | Mark | Pad) => {}
        Some(Entry) => {
            let place = kept.life.copy(item)?;
            hand_over(place, item, kept);
        }
        _ => {
            kept.life.copy(item)?;
        }
    }
    Ok(())
}

fn hand_over(place: EntryPlace, item: &Item<'_>, kept: &mut Kept<'_>) {
    kept.report.entries += 1;
    kept.items.push_back(RecoveredItem::Entry { place, bytes: item.body.to_vec() });
}
