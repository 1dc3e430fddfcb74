//! Creating, updating and deleting a stream: one operation per stream at a time, over the catalog's log, the home shard
//! and every core's table. Each step is safe to repeat after a crash. What happens when a step fails is in
//! `catalog_failures`, what happens after a start in `catalog_restart`.

use super::ShardMessage;
use super::answer::{Advisory, Answer, StreamChange, StreamInfo, TableChange};
use super::outputs::Outputs;
use super::request::ReplyTo;
use super::room::RoomOfAll;
use crate::ids::{AccountId, CoreId, GroupId, Revision, ShardId};
use crate::limits::CATALOG_WAITING_MAX;
use crate::meta::change::CatalogChange;
use crate::meta::{Catalog, Phase, StreamRecord};
use crate::rejection::Rejection;
use crate::stream::config::{ServerLimits, StreamConfig};
use crate::time::Now;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What the catalog wants written. The shard makes an entry of its own of each, because the index of the entry that
/// creates a stream is the number of its group.
pub(super) type Proposal = CatalogChange;

/// The catalog and the operations under way. Lives on: shard 0.
#[derive(Debug)]
pub(super) struct CatalogSteps {
    pub catalog: Catalog,
    pub(super) limits: ServerLimits,
    pub(super) shards: u16,
    pub(super) operations: BTreeMap<GroupId, Operation>,
    /// Requests for streams with an operation under way, oldest first; at most `CATALOG_WAITING_MAX`.
    pub(super) waiting: VecDeque<(ReplyTo, CatalogRequest)>,
    /// Streams that were put into every core's table. One in the catalog that is not here is half made: a creation like
    /// the first, or the next start, completes it.
    pub(super) served: BTreeSet<GroupId>,
    /// Shards that could not take a step: new streams go elsewhere until one does.
    pub(super) avoided: BTreeSet<ShardId>,
    revision: Revision,
    /// Last change that each core has confirmed.
    confirmed: Vec<Revision>,
    /// Operations that wait for a revision to be in every core's table, ascending.
    unconfirmed: VecDeque<(Revision, GroupId)>,
    /// Shards that have not said yet which groups they hold, after a start.
    pub(super) silent_shards: BTreeSet<ShardId>,
    pub(super) stored: RoomOfAll,
}

/// A request to the catalog.
#[derive(Debug)]
pub(super) enum CatalogRequest {
    Create { config: Box<StreamConfig>, pedantic: bool },
    Update { config: Box<StreamConfig>, pedantic: bool },
    Delete { name: String },
}

/// A change of one stream that is under way. `to`: who asked and has not been answered yet.
#[derive(Debug)]
pub(super) enum Operation {
    /// A creation of what is there already: only its info is fetched.
    Info {
        to: Option<ReplyTo>,
    },
    /// From the catalog's entry to the confirmed table. `is_new`: this operation has the entry written, and takes it back if
    /// the group cannot be made; otherwise an earlier one was left half done.
    Create {
        to: Option<ReplyTo>,
        is_new: bool,
        info: Option<Box<StreamInfo>>,
    },
    /// From the check on the home shard to the confirmed table. `before`: what the catalog goes back to if the home shard
    /// cannot follow.
    Update {
        to: Option<ReplyTo>,
        config: Arc<StreamConfig>,
        before: Arc<StreamConfig>,
        info: Option<Box<StreamInfo>>,
    },
    Delete {
        to: Option<ReplyTo>,
        account: AccountId,
        name: String,
        shard: ShardId,
    },
    /// The home shard could not take its step: the catalog's entry is taken back, then who asked hears why.
    TakeBack {
        to: Option<ReplyTo>,
        rejection: Rejection,
    },
    /// After a start: the group is being brought in line with the catalog. `is_here`: its shard has it.
    Restore {
        is_here: bool,
    },
}

impl CatalogSteps {
    /// `shards` and `cores` as the data directory and the configuration have them now.
    pub fn new(catalog: Catalog, limits: ServerLimits, shards: u16, cores: u16) -> Self {
        CatalogSteps {
            catalog,
            limits,
            shards,
            operations: BTreeMap::new(),
            waiting: VecDeque::new(),
            served: BTreeSet::new(),
            avoided: BTreeSet::new(),
            revision: Revision(0),
            confirmed: vec![Revision(0); usize::from(cores)],
            unconfirmed: VecDeque::new(),
            silent_shards: (0..shards).map(ShardId).collect(),
            stored: RoomOfAll::default(),
        }
    }

    /// Every shard has reported and every stream is in every core's table: clients may be served.
    pub fn is_settled(&self) -> bool {
        self.silent_shards.is_empty() && self.operations.is_empty() && self.all_confirmed(self.revision)
    }

    /// A client's request. `next_index` is the group that a creation would get.
    pub fn handle_request(
        &mut self,
        now: Now,
        to: ReplyTo,
        request: CatalogRequest,
        next_group: GroupId,
        out: &mut impl Outputs,
    ) -> Option<Proposal> {
        let name = request.name();
        let busy =
            self.catalog.by_name(to.account, name).is_some_and(|s| self.operations.contains_key(&s.group));
        if busy || !self.silent_shards.is_empty() {
            if self.waiting.len() >= CATALOG_WAITING_MAX {
                out.answer(&to, Answer::Rejected(Rejection::InsufficientResources));
            } else {
                self.waiting.push_back((to, request));
            }
            return None;
        }
        let result = match request {
            CatalogRequest::Create { config, pedantic } => {
                self.create(now, &to, config, pedantic, next_group, out)
            }
            CatalogRequest::Update { config, pedantic } => self.update(&to, config, pedantic, out),
            CatalogRequest::Delete { name } => self.delete(&to, name),
        };
        result.unwrap_or_else(|rejection| {
            out.answer(&to, Answer::Rejected(rejection));
            None
        })
    }

    /// The next waiting request whose stream is free again.
    pub fn poll_waiting(&mut self) -> Option<(ReplyTo, CatalogRequest)> {
        if !self.silent_shards.is_empty() {
            return None;
        }
        let free = self.waiting.iter().position(|(to, request)| {
            let stream = self.catalog.by_name(to.account, request.name());
            !stream.is_some_and(|s| self.operations.contains_key(&s.group))
        })?;
        self.waiting.remove(free)
    }

    /// A catalog entry is synced.
    pub fn handle_committed(&mut self, change: CatalogChange, out: &mut impl Outputs) {
        self.catalog.apply(change.clone());
        match change {
            CatalogChange::Put { group, account, shard, created, config } => {
                match self.operations.get(&group) {
                    Some(Operation::Update { .. }) => {
                        out.send(shard, ShardMessage::UpdateGroup { group, config })
                    }
                    Some(Operation::TakeBack { .. }) => {
                        // The stream is busy until its shard has answered: no answer may be taken for that of another step.
                        out.send(shard, ShardMessage::UpdateGroup { group, config });
                        self.taken_back(group, out);
                    }
                    _ => out.send(shard, ShardMessage::CreateGroup { group, account, config, created }),
                };
            }
            CatalogChange::Remove { group } => match self.operations.get(&group) {
                Some(Operation::Delete { account, name, .. }) => {
                    let (account, change) = (*account, StreamChange::Removed { stream: name.clone() });
                    self.served.remove(&group);
                    self.tell(account, group, change, out);
                }
                Some(Operation::TakeBack { .. }) => {
                    // Its log may hold the group all the same.
                    if let Some(shard) = self.catalog.tombstone(group) {
                        out.send(shard, ShardMessage::DeleteGroup { group });
                    }
                    self.taken_back(group, out);
                    self.operations.remove(&group);
                }
                _ => {}
            },
            CatalogChange::Founded | CatalogChange::Forget { .. } => {}
        }
    }

    /// A home shard answered. Returns what has to be written next.
    pub fn handle_message(&mut self, message: ShardMessage, out: &mut impl Outputs) -> Vec<Proposal> {
        match message {
            ShardMessage::GroupCreated { group, info } => self.group_created(group, info, out),
            ShardMessage::UpdateChecked { group, result } => return self.update_checked(group, result, out),
            ShardMessage::GroupUpdated { group, info } => self.group_updated(group, info, out),
            ShardMessage::GroupDeleted { group } => {
                self.deleted(group, out);
                return vec![CatalogChange::Forget { group }];
            }
            ShardMessage::TableConfirmed { core, revision } => self.confirm(core, revision, out),
            ShardMessage::GroupFailed { group, rejection } => {
                return self.group_failed(group, rejection, out);
            }
            ShardMessage::GroupsHere { shard, groups } => self.groups_here(shard, &groups, out),
            ShardMessage::Stored { shard, stored } => self.tell_stored(shard, stored, out),
            // The rest is for home shards.
            ShardMessage::CreateGroup { .. }
            | ShardMessage::CheckUpdate { .. }
            | ShardMessage::UpdateGroup { .. }
            | ShardMessage::DeleteGroup { .. }
            | ShardMessage::SetAside { .. }
            | ShardMessage::StoredElsewhere(_) => {}
        }
        Vec::new()
    }

    fn create(
        &mut self,
        now: Now,
        to: &ReplyTo,
        mut config: Box<StreamConfig>,
        pedantic: bool,
        group: GroupId,
        out: &mut impl Outputs,
    ) -> Result<Option<Proposal>, Rejection> {
        let account = to.account;
        config.complete(&self.limits, pedantic)?;
        if let Some(have) = self.catalog.by_name(account, &config.name) {
            if !have.config.is_same(&config) {
                return Err(Rejection::StreamNameExist);
            }
            let StreamRecord { group, created, shard, ref config, .. } = *have;
            let (to, config) = (Some(to.clone()), config.clone());
            let operation = match self.served.contains(&group) {
                true => Operation::Info { to },
                false => Operation::Create { to, is_new: false, info: None },
            };
            self.operations.insert(group, operation);
            out.send(shard, ShardMessage::CreateGroup { group, account, config, created });
            return Ok(None);
        }
        // A stream without a bound is refused too where nothing is left.
        self.check_reservation(config.storage, config.reserved_bytes().max(1))?;
        if self.catalog.overlaps(account, &config.subjects, None) {
            return Err(Rejection::StreamSubjectOverlap);
        }
        let shard = self.catalog.place(self.shards, &self.avoided);
        let created = now.wall;
        let config = config.into_shared();
        let record =
            StreamRecord { account, group, shard, created, config: config.clone(), phase: Phase::Proposed };
        self.catalog.propose(record);
        let operation = Operation::Create { to: Some(to.clone()), is_new: true, info: None };
        self.operations.insert(group, operation);
        Ok(Some(CatalogChange::Put { account, group, shard, created, config }))
    }

    fn update(
        &mut self,
        to: &ReplyTo,
        mut config: Box<StreamConfig>,
        pedantic: bool,
        out: &mut impl Outputs,
    ) -> Result<Option<Proposal>, Rejection> {
        config.complete(&self.limits, pedantic)?;
        let have = self.catalog.by_name(to.account, &config.name).ok_or(Rejection::StreamNotFound)?;
        have.config.check_update(&mut config)?;
        let more = config.reserved_bytes().saturating_sub(have.config.reserved_bytes());
        self.check_reservation(config.storage, more)?;
        if self.catalog.overlaps(to.account, &config.subjects, Some(have.group)) {
            return Err(Rejection::StreamSubjectOverlap);
        }
        let (group, shard, before, config) =
            (have.group, have.shard, have.config.clone(), config.into_shared());
        out.send(shard, ShardMessage::CheckUpdate { group, config: config.clone() });
        let to = Some(to.clone());
        self.operations.insert(group, Operation::Update { to, config, before, info: None });
        Ok(None)
    }

    fn delete(&mut self, to: &ReplyTo, name: String) -> Result<Option<Proposal>, Rejection> {
        let have = self.catalog.by_name(to.account, &name).ok_or(Rejection::StreamNotFound)?;
        let (group, account, shard) = (have.group, have.account, have.shard);
        self.catalog.leaving(group);
        self.operations.insert(group, Operation::Delete { to: Some(to.clone()), account, name, shard });
        Ok(Some(CatalogChange::Remove { group }))
    }

    fn group_created(&mut self, group: GroupId, info: Box<StreamInfo>, out: &mut impl Outputs) {
        self.can_store(group);
        match self.operations.get_mut(&group) {
            Some(Operation::Info { to }) => {
                answer(to, Answer::StreamCreated(info), out);
                self.operations.remove(&group);
            }
            Some(Operation::Create { info: slot, .. }) => {
                *slot = Some(info);
                self.tell_put(group, out);
            }
            Some(Operation::Restore { .. }) => self.tell_put(group, out),
            Some(Operation::Update { .. } | Operation::Delete { .. } | Operation::TakeBack { .. }) | None => {
            }
        }
    }

    fn update_checked(
        &mut self,
        group: GroupId,
        result: Result<(), Rejection>,
        out: &mut impl Outputs,
    ) -> Vec<Proposal> {
        let Some(Operation::Update { to, config, .. }) = self.operations.get_mut(&group) else {
            return Vec::new();
        };
        if let Err(rejection) = result {
            answer(to, Answer::Rejected(rejection), out);
            self.operations.remove(&group);
            return Vec::new();
        }
        let Some(have) = self.catalog.by_group(group) else { return Vec::new() };
        vec![CatalogChange::Put {
            account: have.account,
            group,
            shard: have.shard,
            created: have.created,
            config: config.clone(),
        }]
    }

    fn group_updated(&mut self, group: GroupId, info: Box<StreamInfo>, out: &mut impl Outputs) {
        self.can_store(group);
        match self.operations.get_mut(&group) {
            Some(Operation::Update { info: slot, .. }) => *slot = Some(info),
            Some(Operation::Restore { .. }) => {}
            Some(Operation::TakeBack { .. }) => {
                self.operations.remove(&group);
                return;
            }
            _ => return,
        }
        self.tell_put(group, out);
    }

    /// The tombstone holds: who asked hears so.
    pub(super) fn deleted(&mut self, group: GroupId, out: &mut impl Outputs) {
        let Some(Operation::Delete { mut to, account, name, .. }) = self.operations.remove(&group) else {
            return;
        };
        answer(&mut to, Answer::StreamDeleted, out);
        out.advise(account, Advisory::StreamDeleted { stream: name });
    }

    pub(super) fn tell_put(&mut self, group: GroupId, out: &mut impl Outputs) {
        let Some(stream) = self.catalog.by_group(group) else { return };
        let StreamRecord { account, shard, created, ref config, .. } = *stream;
        let change = StreamChange::Put { shard, created, config: config.clone() };
        self.served.insert(group);
        self.tell(account, group, change, out);
    }

    fn tell(&mut self, account: AccountId, group: GroupId, change: StreamChange, out: &mut impl Outputs) {
        self.revision = Revision(self.revision.0 + 1);
        self.unconfirmed.push_back((self.revision, group));
        out.table(TableChange { revision: self.revision, account, group, change });
    }

    fn all_confirmed(&self, revision: Revision) -> bool {
        self.confirmed.iter().all(|&have| have >= revision)
    }

    fn confirm(&mut self, core: CoreId, revision: Revision, out: &mut impl Outputs) {
        if let Some(have) = self.confirmed.get_mut(usize::from(core.0)) {
            *have = revision.max(*have);
        }
        while let Some(&(revision, group)) = self.unconfirmed.front()
            && self.all_confirmed(revision)
        {
            self.unconfirmed.pop_front();
            self.handle_known_everywhere(group, out);
        }
    }

    fn handle_known_everywhere(&mut self, group: GroupId, out: &mut impl Outputs) {
        let Some(account) = self.account_of(group) else { return };
        match self.operations.remove(&group) {
            Some(Operation::Create { mut to, info: Some(info), .. }) => {
                let stream = info.config.name.clone();
                answer(&mut to, Answer::StreamCreated(info), out);
                out.advise(account, Advisory::StreamCreated { stream });
            }
            Some(Operation::Update { mut to, info: Some(info), .. }) => {
                let stream = info.config.name.clone();
                answer(&mut to, Answer::StreamUpdated(info), out);
                out.advise(account, Advisory::StreamUpdated { stream });
            }
            Some(delete @ Operation::Delete { shard, .. }) => {
                out.send(shard, ShardMessage::DeleteGroup { group });
                self.operations.insert(group, delete);
            }
            Some(Operation::Restore { .. }) | None => {}
            Some(unfinished) => {
                self.operations.insert(group, unfinished);
            }
        }
    }

    fn account_of(&self, group: GroupId) -> Option<AccountId> {
        match self.operations.get(&group) {
            Some(Operation::Delete { account, .. }) => Some(*account),
            _ => self.catalog.by_group(group).map(|stream| stream.account),
        }
    }
}

/// Answers whoever has not been answered yet.
pub(super) fn answer(to: &mut Option<ReplyTo>, answer: Answer, out: &mut impl Outputs) {
    if let Some(to) = to.take() {
        out.answer(&to, answer);
    }
}

impl CatalogRequest {
    fn name(&self) -> &str {
        match self {
            CatalogRequest::Create { config, .. } | CatalogRequest::Update { config, .. } => &config.name,
            CatalogRequest::Delete { name } => name,
        }
    }
}
