//! Checkpoints: each group hands its state to the log, a few per turn; and what such a state is.

use super::engine::Engine;
use super::group::{Group, Machine};
use super::stream_group::StreamGroup;
use crate::encoding::{Malformed, Reader, Write};
use crate::ids::{EntryIndex, GroupId, Position};
use crate::limits::CHECKPOINT_PIECE_LEN;
use crate::log::{Pieces, StateBytes, WholeState};
use crate::meta::Catalog;
use crate::stream::{KeptIds, Stream};
use crate::time::Now;
use std::collections::VecDeque;

/// A group's state as a checkpoint holds it. The stream is as of the entry that the checkpoint covers; the consumers are
/// as of `progress_through`, because their changes are in force before they are logged.
pub(super) struct GroupState {
    pub progress_through: EntryIndex,
    pub machine: StateMachine,
}

/// What is in it.
#[expect(clippy::large_enum_variant, reason = "lives only while a group is opened")]
pub(super) enum StateMachine {
    Catalog(Catalog),
    Stream(StreamGroup),
}

const IS_CATALOG: u8 = 0;
const IS_STREAM: u8 = 1;

impl Engine {
    /// Goes on with a checkpoint, or starts one if the log wants it. True if there is more to do at once.
    pub fn step_checkpoint(&mut self, now: Now) -> bool {
        if self.checkpoint.is_none() && self.log.wants_checkpoint(now.monotonic) && !self.has_failed {
            // Entries of streams in memory have no place in the log.
            let mut logged = self.in_flight.iter().filter(|entry| entry.memory.is_none());
            let applied = logged.next().map_or(self.log.committed(), |entry| entry.place.position);
            self.log.begin_checkpoint(applied.min(self.log.committed()));
            let mut groups: Vec<GroupId> = self.groups.keys().chain(self.aside.keys()).copied().collect();
            groups.sort_unstable();
            self.checkpoint = Some(groups.into());
        }
        let Some(mut left) = self.checkpoint.take() else { return false };
        if !self.log.is_checkpointing() {
            return false;
        }
        if !self.gathering.groups.is_empty() {
            // A change of a consumer may wait with its group, and the state would hold it already. Entries come first.
            self.checkpoint = Some(left);
            return true;
        }
        while self.log.checkpoint_has_room() {
            let Some(id) = left.pop_front() else {
                self.log.finish_checkpoint();
                return false;
            };
            // Progress that is not logged yet goes in front of the state, which holds it; unless the log has no room for it,
            // as a checkpoint may free some.
            let owes = self.groups.get_mut(&id).and_then(|g| g.stream()).is_some_and(|s| s.owes());
            if self.lazy.contains(&id) && !owes {
                self.log_progress(id);
                left.push_front(id);
                self.checkpoint = Some(left);
                return true;
            }
            // A large state is prepared over some turns; until they have gone by, nothing of it is fixed.
            if self.groups.get_mut(&id).and_then(|g| g.stream()).is_some_and(|s| s.stream.keep_ahead()) {
                left.push_front(id);
                self.checkpoint = Some(left);
                return true;
            }
            self.hand_over(id);
        }
        self.checkpoint = Some(left);
        false
    }

    fn hand_over(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id).or_else(|| self.aside.get_mut(&id)) else { return };
        let mut front = Vec::new();
        let mut live: Vec<Position> = Vec::new();
        front.put_u64(group.last_proposed().0);
        let (covers, is_settled) = (group.applied, group.is_settled());
        let state: Box<dyn StateBytes> = match &mut group.machine {
            Machine::Catalog => {
                front.put_u8(IS_CATALOG);
                let Some(catalog) = &self.catalog else { return };
                catalog.catalog.encode_checkpoint(&mut front);
                front.into()
            }
            Machine::Stream(stream) => {
                front.put_u8(IS_STREAM);
                let state = encode_stream(stream, front);
                if is_settled {
                    stream.shrink();
                }
                if !stream.is_memory() {
                    stream.stream.for_each_live(&mut |place, _| live.push(place.position));
                }
                Box::new(state)
            }
        };
        self.log.checkpoint_group(id, covers, state, live);
    }
}

impl GroupState {
    /// Reads what `hand_over` wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let progress_through = EntryIndex(r.u64()?);
        let machine = match r.u8()? {
            IS_CATALOG => StateMachine::Catalog(Catalog::decode_checkpoint(r.take(r.remaining())?)?),
            IS_STREAM => StateMachine::Stream(decode_stream(&mut r)?),
            _ => return Err(Malformed),
        };
        Ok(GroupState { progress_through, machine })
    }
}

/// Whether these bytes are a group's state as a checkpoint holds it.
pub fn is_group_state(bytes: &[u8]) -> bool {
    GroupState::decode(bytes).is_ok()
}

/// Goes on behind `front`. The stream's message ids are written later, as they are now.
fn encode_stream(group: &mut StreamGroup, mut front: Vec<u8>) -> StreamState {
    let mut stream = Vec::new();
    let (ids, mut behind) = group.stream.encode_around_ids(&mut stream);
    let behind_len: usize = behind.iter().map(|piece| piece.len()).sum();
    front.put_varint((stream.len() + ids.left() * KeptIds::ID_LEN + behind_len) as u64);
    front.extend_from_slice(&stream);
    let mut consumers: VecDeque<Vec<u8>> = VecDeque::new();
    let (slots, _) = group.all();
    for (_, slot) in slots.filter(|(_, slot)| !slot.is_volatile) {
        let mut consumer = Vec::new();
        slot.consumer.encode(&mut consumer);
        consumers.push_back(consumer);
    }
    let mut end = Vec::new();
    end.put_varint(consumers.len() as u64);
    for consumer in consumers {
        end.put_bytes(&consumer);
    }
    behind.push_back(end);
    StreamState { front: front.into(), ids, behind: behind.into() }
}

/// A stream's state whose message ids become bytes when they are written: there may be millions.
#[derive(Debug)]
struct StreamState {
    front: WholeState,
    ids: KeptIds,
    behind: Pieces,
}

impl StateBytes for StreamState {
    fn left(&self) -> u64 {
        self.front.left() + (self.ids.left() * KeptIds::ID_LEN) as u64 + self.behind.left()
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        if self.front.left() > 0 {
            self.front.take(out);
        } else if self.ids.left() > 0 {
            self.ids.write(CHECKPOINT_PIECE_LEN / KeptIds::ID_LEN, out);
        } else {
            self.behind.take(out);
        }
    }
}

fn decode_stream(r: &mut Reader<'_>) -> Result<StreamGroup, Malformed> {
    let stream = Stream::decode_checkpoint(r.bytes()?)?;
    let mut group = StreamGroup::new(stream.account(), stream);
    for _ in 0..r.varint()? {
        group.replay_consumer(r.bytes()?)?;
    }
    Ok(group)
}

/// Whether a recovered group has to look at a change: the stream's own up to the covered entry are in its state, the
/// consumers' up to `progress_through`.
pub(super) fn is_covered(
    group: &Group,
    progress_through: EntryIndex,
    index: EntryIndex,
    of_consumers: bool,
) -> bool {
    if of_consumers { index <= progress_through } else { index <= group.applied }
}
