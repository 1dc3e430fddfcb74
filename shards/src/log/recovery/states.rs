//! Putting a checkpoint together from its pieces, and proving that nothing is missing.

use super::RecoveredItem;
use crate::ids::{EntryIndex, GroupId};
use crate::log::format::{CheckpointBegin, CheckpointEnd, CheckpointPiece, CheckpointRef, Item, ItemKind};

/// The group states of one checkpoint while they are read.
#[derive(Debug)]
pub(super) struct States {
    at: CheckpointRef,
    begun: bool,
    groups: Vec<(GroupId, EntryIndex, Vec<u8>)>,
    /// Length of the last group's whole state. Bytes.
    total: u64,
    damaged: bool,
    end: Option<CheckpointEnd>,
}

impl States {
    /// Reads the checkpoint at this place.
    pub fn new(at: CheckpointRef) -> Self {
        States { at, begun: false, groups: Vec::new(), total: 0, damaged: false, end: None }
    }

    pub fn at(&self) -> CheckpointRef {
        self.at
    }

    /// Takes an item of the log; those that belong to no checkpoint, or another one, are left aside.
    pub fn handle_item(&mut self, item: &Item<'_>) {
        match ItemKind::from_byte(item.frame.kind) {
            Some(ItemKind::CheckpointBegin) => {
                self.begun |=
                    CheckpointBegin::decode(item.body).is_ok_and(|begin| begin.number == self.at.number);
            }
            Some(ItemKind::CheckpointPiece) => match CheckpointPiece::decode(item.body) {
                Ok(piece) if piece.number == self.at.number => self.add(&piece),
                Ok(_) => {}
                Err(_) => self.damaged = true,
            },
            Some(ItemKind::CheckpointEnd) => {
                self.end = self.end.take().or(CheckpointEnd::decode(item.body).ok());
                self.end = self.end.take().filter(|end| end.number == self.at.number);
            }
            _ => {}
        }
    }

    fn add(&mut self, piece: &CheckpointPiece<'_>) {
        if piece.offset == 0 {
            self.damaged |= !self.last_is_whole();
            self.total = piece.total;
            self.groups.push((piece.group, piece.covers, Vec::new()));
        }
        match self.groups.last_mut() {
            Some((group, _, state)) if *group == piece.group && state.len() as u64 == piece.offset => {
                state.extend_from_slice(piece.bytes);
            }
            _ => self.damaged = true,
        }
    }

    fn last_is_whole(&self) -> bool {
        self.groups.last().is_none_or(|(_, _, state)| state.len() as u64 == self.total)
    }

    /// The end, once it was met.
    pub fn end(&self) -> Option<&CheckpointEnd> {
        self.end.as_ref()
    }

    /// The groups in order, if all of them are there.
    pub fn into_items(self) -> Option<Vec<RecoveredItem>> {
        let end = self.end.as_ref()?;
        let len: u64 = self.groups.iter().map(|(_, _, state)| state.len() as u64).sum();
        let whole = self.begun
            && !self.damaged
            && self.last_is_whole()
            && end.groups == self.groups.len() as u64
            && end.bytes == len;
        let item = |(group, covers, state)| RecoveredItem::Group { group, covers, state };
        whole.then(|| self.groups.into_iter().map(item).collect())
    }
}
