//! Groups come, change and go on the word of the catalog, also those that were recovered.

use super::answer::{Advisory, StreamInfo};
use super::engine::Engine;
use super::group::{After, Group, Machine};
use super::outputs::Outputs;
use super::stream_group::StreamGroup;
use super::{CATALOG_SHARD, SetAside, ShardMessage};
use crate::change::{Change, ChangeKind};
use crate::ids::{AccountId, EntryIndex, GroupId};
use crate::rejection::Rejection;
use crate::stream::Stream;
use crate::stream::config::StreamConfig;
use crate::time::{Now, WallTime};
use std::sync::Arc;

impl Engine {
    /// Once, when the log is open. What was recovered does not run before the catalog has said so.
    pub fn start(&mut self, now: Now) {
        for group in self.aside.values_mut() {
            let Some(stream) = group.stream() else { continue };
            stream.recover(now);
            self.room.own.file += super::commit::file_bytes(&stream.stream);
        }
    }

    /// Word from another shard, or from a core about the table.
    pub fn handle_message(&mut self, now: Now, message: ShardMessage, out: &mut impl Outputs) {
        if self.is_closing {
            // Every step is taken again after the next start.
            return;
        }
        match message {
            ShardMessage::CreateGroup { group, account, config, created } => {
                self.take_up(group);
                self.create_group(now, group, account, &config, created, out);
            }
            ShardMessage::CheckUpdate { group, config } => {
                let result = self.check_update(now, group, &config);
                out.send(CATALOG_SHARD, ShardMessage::UpdateChecked { group, result });
            }
            ShardMessage::UpdateGroup { group, config } => {
                self.take_up(group);
                self.update_group(group, &config, out);
            }
            ShardMessage::DeleteGroup { group } => {
                self.take_up(group);
                self.delete_group(group, out);
            }
            ShardMessage::StoredElsewhere(stored) => self.room.elsewhere = stored,
            ShardMessage::SetAside { groups } => {
                self.orphans.extend(groups.into_iter().filter(|group| self.aside.contains_key(group)));
            }
            to_catalog => self.handle_catalog_message(now, to_catalog, out),
        }
    }

    /// What the catalog does not know.
    pub fn set_aside(&self) -> Vec<SetAside> {
        let groups = self.orphans.iter().filter_map(|group| Some((*group, self.aside.get(group)?)));
        let streams = groups.filter_map(|(group, known)| match &known.machine {
            Machine::Stream(known) => Some((group, &known.stream)),
            Machine::Catalog => None,
        });
        let told = streams.map(|(group, stream)| SetAside {
            group,
            stream: stream.config().name.clone(),
            messages: stream.state(false, "", 0, 0).messages,
        });
        told.collect()
    }

    /// Tells the catalog that a group is here, with its info.
    pub fn tell_created(&mut self, now: Now, group: GroupId, out: &mut impl Outputs) {
        if let Some(info) = self.stream_info(now, group) {
            out.send(CATALOG_SHARD, ShardMessage::GroupCreated { group, info });
        }
    }

    /// Tells the catalog that the step it waits for cannot be relied on.
    pub fn tell_failed(&mut self, group: GroupId, rejection: Rejection, out: &mut impl Outputs) {
        out.send(CATALOG_SHARD, ShardMessage::GroupFailed { group, rejection });
    }

    /// The stream's info, with its number of consumers.
    pub fn stream_info(&mut self, now: Now, id: GroupId) -> Option<Box<StreamInfo>> {
        let stream = self.groups.get_mut(&id)?.stream()?;
        let count = stream.consumer_count() as u64;
        Some(Box::new(stream.stream.info(now, stream.stream.state(false, "", 0, count))))
    }

    /// Takes a group out of everything that the shard has in memory.
    pub fn forget_group(&mut self, id: GroupId) -> Option<Box<Group>> {
        let mut gone = self.groups.remove(&id)?;
        if let Some(deadline) = gone.deadline {
            self.timers.remove(&(deadline, id));
        }
        if let Some(stream) = gone.stream() {
            let own = &mut self.room.own;
            own.memory = own.memory.saturating_sub(stream.stream.memory_used());
            own.file = own.file.saturating_sub(super::commit::file_bytes(&stream.stream));
        }
        self.pushers.retain(|(group, _)| *group != id);
        self.lazy.remove(&id);
        Some(gone)
    }

    /// A recovered group is known to the catalog: timers are set and consumers look for messages.
    fn take_up(&mut self, id: GroupId) {
        let Some(mut group) = self.aside.remove(&id) else { return };
        self.orphans.remove(&id);
        if let Some(stream) = group.stream() {
            let (slots, _) = stream.all();
            let pushers = slots.filter(|(_, slot)| slot.consumer.is_push());
            self.pushers.extend(pushers.map(|(index, _)| (id, index)));
        }
        self.groups.insert(id, group);
        self.wake_consumers(id);
        self.touch(id);
    }

    fn create_group(
        &mut self,
        now: Now,
        group: GroupId,
        account: AccountId,
        config: &Arc<StreamConfig>,
        created: WallTime,
        out: &mut impl Outputs,
    ) {
        if let Some(known) = self.groups.get(&group) {
            // One whose first entry is on the way is told about when that is synced.
            return if known.applied > EntryIndex(0) {
                self.tell_created(now, group, out)
            };
        }
        if let Some(rejection) = super::stall::refusal(&self.log, now) {
            return self.tell_failed(group, rejection, out);
        }
        let stream = Stream::new(account, config.clone(), created);
        let mut new = Group::new(Machine::Stream(StreamGroup::new(account, stream)));
        let mut encoded = Vec::new();
        config.encode(&mut encoded);
        let change = Change::GroupCreate { account, created, config: &encoded };
        new.push_change(&mut self.spare_pending, ChangeKind::GroupCreate as u8, |body| change.encode(body));
        new.push_after(&mut self.spare_pending, After::GroupCreated);
        self.groups.insert(group, Box::new(new));
        self.mark_dirty(group);
    }

    fn check_update(
        &mut self,
        now: Now,
        group: GroupId,
        config: &Arc<StreamConfig>,
    ) -> Result<(), Rejection> {
        if let Some(rejection) = super::stall::refusal(&self.log, now) {
            return Err(rejection);
        }
        let known = self.groups.get_mut(&group).and_then(|g| g.stream());
        let violators = known.ok_or(Rejection::StreamNotFound)?.violators(&config.consumer_limits);
        match violators.is_empty() {
            true => Ok(()),
            false => Err(Rejection::StreamUpdateViolatesConsumers(violators.join(", "))),
        }
    }

    fn update_group(&mut self, group: GroupId, config: &Arc<StreamConfig>, out: &mut impl Outputs) {
        let Some(known) = self.groups.get_mut(&group) else {
            return self.tell_failed(group, Rejection::StreamNotFound, out);
        };
        // What is on the way may change it again.
        let is_same = known.is_settled() && known.stream().is_some_and(|s| s.stream.share_config(config));
        if !is_same {
            let mut encoded = Vec::new();
            config.encode(&mut encoded);
            let change = Change::ConfigUpdate { config: &encoded };
            known.push_change(&mut self.spare_pending, ChangeKind::ConfigUpdate as u8, |body| {
                change.encode(body)
            });
        }
        known.push_after(&mut self.spare_pending, After::GroupUpdated);
        self.mark_dirty(group);
    }

    fn delete_group(&mut self, group: GroupId, out: &mut impl Outputs) {
        let Some(known) = self.groups.get_mut(&group) else {
            // Done in an earlier life, or never begun. Of a failed log nobody knows what it holds.
            return match super::stall::failure_of(&self.log) {
                Some(rejection) => self.tell_failed(group, rejection, out),
                None => out.send(CATALOG_SHARD, ShardMessage::GroupDeleted { group }),
            };
        };
        let Some(stream) = known.stream() else { return };
        if stream.is_leaving {
            return;
        }
        stream.is_leaving = true;
        let account = stream.account;
        let name = stream.stream.config().name.clone();
        let consumers: Vec<String> = stream.consumer_names().map(str::to_owned).collect();
        for consumer in consumers {
            stream.remove_consumer(&consumer, out);
            out.advise(account, Advisory::ConsumerDeleted { stream: name.clone(), consumer });
        }
        known.push_change(&mut self.spare_pending, ChangeKind::GroupDelete as u8, |_| {});
        known.push_after(&mut self.spare_pending, After::GroupDeleted);
        self.mark_dirty(group);
    }
}
