//! A shard that opens its log: checkpoint and tail become groups again.

use super::ShardOptions;
use super::catalog_steps::CatalogSteps;
use super::checkpoint::{GroupState, StateMachine, is_covered};
use super::commit::is_of_consumers;
use super::defect::{self, Defect};
use super::engine::Engine;
use super::group::{Group, Machine};
use super::request::ShardInput;
use super::stream_group::StreamGroup;
use crate::change::ChangeKind;
use crate::encoding::Malformed;
use crate::hashing::HashMap;
use crate::ids::{EntryIndex, EntryPlace, GroupId, Position, ShardId, StreamSeq};
use crate::log::disk_op::{DiskDone, DiskOp, SegmentFile};
use crate::log::entry::EntryView;
use crate::log::recovery::OpenError;
use crate::log::{RecoveredItem, Recovery, RecoveryReport};
use crate::meta::Catalog;
use crate::meta::change::CatalogChange;
use crate::record::RecordView;
use crate::stream::Stream;
use crate::stream::effects::Effects;
use crate::stream::place::Place;
use crate::time::Now;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, VecDeque};

/// A log that is being opened, and what has come out of it. Lives on: its shard's core.
pub(super) struct Opening {
    options: ShardOptions,
    recovery: Recovery,
    groups: HashMap<GroupId, Recovered>,
    catalog: Catalog,
    /// What arrived meanwhile; bounded by the credit of those who sent it.
    pub queue: VecDeque<ShardInput>,
    /// Changes that could not be understood or read: their groups go on without them.
    unreadable: u64,
    effects: Effects,
}

struct Recovered {
    group: Box<Group>,
    progress_through: EntryIndex,
}

impl Opening {
    pub fn new(options: ShardOptions, files: Vec<(SegmentFile, u64)>) -> Self {
        let recovery = Recovery::open(options.log.clone(), files);
        Opening {
            options,
            recovery,
            groups: HashMap::default(),
            catalog: Catalog::default(),
            queue: VecDeque::new(),
            unreadable: 0,
            effects: Effects::default(),
        }
    }

    pub fn handle_disk(&mut self, done: DiskDone) {
        self.recovery.handle_disk(done);
    }

    /// Takes what recovery has ready.
    pub fn take_items(&mut self) {
        while let Some(item) = self.recovery.poll_item() {
            let taken = match item {
                RecoveredItem::Group { group, covers, state } => self.take_group(group, covers, &state),
                RecoveredItem::Entry { place, bytes } => self.take_entry(place, &bytes),
            };
            if taken.is_err() {
                self.unreadable += 1;
            }
        }
    }

    pub fn poll_disk(&mut self) -> Option<DiskOp> {
        self.recovery.poll_op()
    }

    pub fn is_done(&self) -> bool {
        self.recovery.is_done() == Ok(true)
    }

    pub fn error(&self) -> Option<OpenError> {
        self.recovery.is_done().err()
    }

    /// The serving shard, what recovery found, and what arrived meanwhile.
    pub fn finish(self, now: Now) -> (Engine, RecoveryReport, u64, VecDeque<ShardInput>) {
        let Opening { options, recovery, groups, catalog, queue, unreadable, .. } = self;
        let (log, report) = recovery.finish();
        let is_first = options.id == ShardId(0);
        let is_founded = catalog.is_founded();
        let steps =
            is_first.then(|| CatalogSteps::new(catalog, options.limits, options.shards, options.cores));
        let mut aside: BTreeMap<GroupId, Box<Group>> =
            groups.into_iter().map(|(id, recovered)| (id, recovered.group)).collect();
        let catalog_group = aside.remove(&GroupId::CATALOG);
        let catalog_group =
            is_first.then(|| catalog_group.unwrap_or_else(|| Box::new(Group::new(Machine::Catalog))));
        let mut engine = Engine::new(options, log, steps, catalog_group, aside);
        if is_first && !is_founded {
            engine.propose_catalog(CatalogChange::Founded);
        }
        engine.start(now);
        (engine, report, unreadable, queue)
    }

    fn take_group(&mut self, id: GroupId, covers: EntryIndex, state: &[u8]) -> Result<(), Malformed> {
        let GroupState { progress_through, machine } = GroupState::decode(state)?;
        let machine = match machine {
            StateMachine::Catalog(catalog) => {
                self.catalog = catalog;
                Machine::Catalog
            }
            StateMachine::Stream(stream) => Machine::Stream(stream),
        };
        let mut group = Box::new(Group::new(machine));
        group.applied = covers;
        group.next_index = EntryIndex(covers.max(progress_through).0 + 1);
        self.groups.insert(id, Recovered { group, progress_through });
        Ok(())
    }

    fn take_entry(&mut self, place: EntryPlace, bytes: &[u8]) -> Result<(), Malformed> {
        let view = EntryView::parse(bytes).map_err(|_| Malformed)?;
        let (id, index) = (view.group(), view.index());
        let recovered = match self.groups.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match found(id, &view)? {
                Some(group) => place.insert(Recovered { group, progress_through: EntryIndex(0) }),
                // Its creation lies in a damaged range, or the group was deleted and this is an older entry.
                None => return Ok(()),
            },
        };
        let progress_through = recovered.progress_through;
        let has_damage = self.recovery.has_damage();
        let mut is_deleted = false;
        let mut unreadable = 0;
        self.effects.clear();
        for i in 0..view.len() {
            let Ok(change) = view.change(i) else {
                unreadable += 1;
                if view.kind(i) == ChangeKind::Publish as u8 && index > recovered.group.applied {
                    lose(&mut recovered.group, &view, i);
                }
                continue;
            };
            let group = &mut recovered.group;
            if id == GroupId::CATALOG {
                if index > group.applied {
                    self.catalog.apply(CatalogChange::decode(change.kind, change.bytes)?);
                }
                continue;
            }
            let kind = ChangeKind::try_from(change.kind)?;
            if is_covered(group, progress_through, index, is_of_consumers(kind)) {
                continue;
            }
            let Machine::Stream(stream) = &mut group.machine else { continue };
            let (offset, len) = view.row(i);
            let place = Place { entry: place, change: i as u32, offset: offset as u32, len: len as u32 };
            match kind {
                ChangeKind::GroupDelete => is_deleted = true,
                ChangeKind::ConsumerCreate | ChangeKind::ConsumerUpdate => {
                    stream.replay_consumer(change.bytes)?
                }
                ChangeKind::ConsumerDelete => stream.replay_delete(change.bytes)?,
                ChangeKind::ConsumerProgress => stream.replay_progress(change.bytes)?,
                ChangeKind::Delete if defect::is(self.options.defect, Defect::LosesDeletesOnReplay) => {}
                ChangeKind::GroupCreate => {}
                ChangeKind::Publish if has_damage => {
                    stream.stream.lose_before(RecordView::parse(change.bytes)?.seq);
                    stream.stream.apply(kind, change.bytes, place, &mut self.effects)?;
                }
                _ => stream.stream.apply(kind, change.bytes, place, &mut self.effects)?,
            }
        }
        self.unreadable += unreadable;
        let group = &mut recovered.group;
        group.applied = group.applied.max(index);
        group.next_index = group.next_index.max(EntryIndex(index.0 + 1));
        group.previous = Position(group.previous.0.max(place.position.0));
        if is_deleted {
            self.groups.remove(&id);
        }
        Ok(())
    }
}

/// Change number `i`, a publish, is damaged: its message is lost. Sequences follow one another within an entry.
fn lose(group: &mut Group, view: &EntryView<'_>, i: usize) {
    let Some(stream) = group.stream() else { return };
    let mut seq = view.first_seq();
    for before in (0..i).filter(|&before| view.kind(before) == ChangeKind::Publish as u8) {
        let record = view.change(before).ok().and_then(|change| RecordView::parse(change.bytes).ok());
        seq = StreamSeq(record.map_or(seq, |record| record.seq).0 + 1);
    }
    let (_, len) = view.row(i);
    stream.stream.lose(seq, len as u32);
}

/// The group that an entry begins, if it is a group's first.
fn found(id: GroupId, view: &EntryView<'_>) -> Result<Option<Box<Group>>, Malformed> {
    let Some(Ok(first)) = view.changes().next() else { return Ok(None) };
    if id == GroupId::CATALOG {
        // Whatever is left of it counts: its first entry may lie in a damaged range.
        return Ok(Some(Box::new(Group::new(Machine::Catalog))));
    }
    if ChangeKind::try_from(first.kind)? != ChangeKind::GroupCreate {
        return Ok(None);
    }
    let stream = Stream::decode_create(first.bytes)?;
    let stream = StreamGroup::new(stream.account(), stream);
    Ok(Some(Box::new(Group::new(Machine::Stream(stream)))))
}
