//! Creating, updating and deleting a stream: one operation per stream at a time, over the catalog's log, the home shard
//! and every core's table. Each step is safe to repeat after a crash.

use super::ShardMessage;
use super::answer::{Advisory, Answer, StreamChange, StreamInfo, TableChange};
use super::outputs::Outputs;
use super::request::ReplyTo;
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
    limits: ServerLimits,
    shards: u16,
    operations: BTreeMap<GroupId, Operation>,
    /// Requests for streams with an operation under way, oldest first; at most `CATALOG_WAITING_MAX`.
    waiting: VecDeque<(ReplyTo, CatalogRequest)>,
    revision: Revision,
    /// Last change that each core has confirmed.
    confirmed: Vec<Revision>,
    /// Operations that wait for a revision to be in every core's table, ascending.
    unconfirmed: VecDeque<(Revision, GroupId)>,
    /// Shards that have not said yet which groups they hold, after a start.
    silent_shards: BTreeSet<ShardId>,
}

/// A request to the catalog.
#[derive(Debug)]
pub(super) enum CatalogRequest {
    Create { config: Box<StreamConfig>, pedantic: bool },
    Update { config: Box<StreamConfig>, pedantic: bool },
    Delete { name: String },
}

#[derive(Debug)]
enum Operation {
    /// `fresh`: the stream did not exist before; otherwise only its info is fetched.
    Create {
        to: ReplyTo,
        fresh: bool,
        info: Option<Box<StreamInfo>>,
    },
    /// From the check on the home shard to the confirmed table.
    Update {
        to: ReplyTo,
        config: Arc<StreamConfig>,
        info: Option<Box<StreamInfo>>,
    },
    Delete {
        to: ReplyTo,
        account: AccountId,
        name: String,
        shard: ShardId,
    },
    /// After a start: the group is being brought in line with the catalog, nobody waits for an answer.
    Restore,
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
            revision: Revision(0),
            confirmed: vec![Revision(0); usize::from(cores)],
            unconfirmed: VecDeque::new(),
            silent_shards: (0..shards).map(ShardId).collect(),
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
                    _ => out.send(shard, ShardMessage::CreateGroup { group, account, config, created }),
                };
            }
            CatalogChange::Remove { group } => {
                let Some(Operation::Delete { account, name, .. }) = self.operations.get(&group) else {
                    return;
                };
                let (account, change) = (*account, StreamChange::Removed { stream: name.clone() });
                self.tell(account, group, change, out);
            }
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
                if let Some(Operation::Delete { to, account, name, .. }) = self.operations.remove(&group) {
                    out.answer(&to, Answer::StreamDeleted);
                    out.advise(account, Advisory::StreamDeleted { stream: name });
                }
                return vec![CatalogChange::Forget { group }];
            }
            ShardMessage::TableConfirmed { core, revision } => self.confirm(core, revision, out),
            ShardMessage::GroupsHere { shard, groups } => self.groups_here(shard, &groups, out),
            // The rest is for home shards.
            ShardMessage::CreateGroup { .. }
            | ShardMessage::CheckUpdate { .. }
            | ShardMessage::UpdateGroup { .. }
            | ShardMessage::DeleteGroup { .. } => {}
        }
        Vec::new()
    }

    /// The log takes nothing more: who waits for a change hears so.
    pub fn handle_log_failed(&mut self, out: &mut impl Outputs) {
        for operation in std::mem::take(&mut self.operations).into_values() {
            if let Operation::Create { to, .. }
            | Operation::Update { to, .. }
            | Operation::Delete { to, .. } = operation
            {
                out.answer(&to, Answer::Rejected(Rejection::StreamCreate(super::LOG_FAILED.into())));
            }
        }
        for (to, _) in self.waiting.drain(..) {
            out.answer(&to, Answer::Rejected(Rejection::StreamCreate(super::LOG_FAILED.into())));
        }
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
            let config = config.clone();
            self.operations.insert(group, Operation::Create { to: to.clone(), fresh: false, info: None });
            out.send(shard, ShardMessage::CreateGroup { group, account, config, created });
            return Ok(None);
        }
        if self.catalog.overlaps(account, &config.subjects, None) {
            return Err(Rejection::StreamSubjectOverlap);
        }
        let shard = self.catalog.place(self.shards);
        let created = now.wall;
        let config = config.into_shared();
        let record =
            StreamRecord { account, group, shard, created, config: config.clone(), phase: Phase::Proposed };
        self.catalog.propose(record);
        self.operations.insert(group, Operation::Create { to: to.clone(), fresh: true, info: None });
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
        if self.catalog.overlaps(to.account, &config.subjects, Some(have.group)) {
            return Err(Rejection::StreamSubjectOverlap);
        }
        let (group, shard, config) = (have.group, have.shard, config.into_shared());
        out.send(shard, ShardMessage::CheckUpdate { group, config: config.clone() });
        self.operations.insert(group, Operation::Update { to: to.clone(), config, info: None });
        Ok(None)
    }

    fn delete(&mut self, to: &ReplyTo, name: String) -> Result<Option<Proposal>, Rejection> {
        let have = self.catalog.by_name(to.account, &name).ok_or(Rejection::StreamNotFound)?;
        let (group, account, shard) = (have.group, have.account, have.shard);
        self.catalog.leaving(group);
        self.operations.insert(group, Operation::Delete { to: to.clone(), account, name, shard });
        Ok(Some(CatalogChange::Remove { group }))
    }

    fn group_created(&mut self, group: GroupId, info: Box<StreamInfo>, out: &mut impl Outputs) {
        match self.operations.get_mut(&group) {
            Some(Operation::Create { to, fresh: false, .. }) => {
                let to = to.clone();
                self.operations.remove(&group);
                out.answer(&to, Answer::StreamCreated(info));
            }
            Some(Operation::Create { info: slot, .. }) => {
                *slot = Some(info);
                self.tell_put(group, out);
            }
            Some(Operation::Restore) => self.tell_put(group, out),
            Some(Operation::Update { .. } | Operation::Delete { .. }) | None => {}
        }
    }

    fn update_checked(
        &mut self,
        group: GroupId,
        result: Result<(), Rejection>,
        out: &mut impl Outputs,
    ) -> Vec<Proposal> {
        let Some(Operation::Update { to, config, .. }) = self.operations.get(&group) else {
            return Vec::new();
        };
        if let Err(rejection) = result {
            out.answer(to, Answer::Rejected(rejection));
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
        if let Some(Operation::Update { info: slot, .. }) = self.operations.get_mut(&group) {
            *slot = Some(info);
        }
        self.tell_put(group, out);
    }

    /// After a start: what a shard holds, against what the catalog knows. Groups that the catalog knows and the shard
    /// does not are created; those with a tombstone are deleted; unknown ones stay where they are, unserved.
    fn groups_here(&mut self, shard: ShardId, groups: &[GroupId], out: &mut impl Outputs) {
        if !self.silent_shards.remove(&shard) {
            return;
        }
        let here: BTreeSet<GroupId> = groups.iter().copied().collect();
        let mine: Vec<StreamRecord> = self.catalog.streams().filter(|s| s.shard == shard).cloned().collect();
        for StreamRecord { account, group, created, config, .. } in mine {
            self.operations.insert(group, Operation::Restore);
            if here.contains(&group) {
                // A crash may have come between the catalog's entry and the group's own: the catalog's word counts.
                out.send(shard, ShardMessage::UpdateGroup { group, config });
            } else {
                out.send(shard, ShardMessage::CreateGroup { group, account, config, created });
            }
        }
        let dead: Vec<GroupId> = self.catalog.tombstones().filter(|t| t.1 == shard).map(|t| t.0).collect();
        for group in dead {
            out.send(shard, ShardMessage::DeleteGroup { group });
        }
    }

    fn tell_put(&mut self, group: GroupId, out: &mut impl Outputs) {
        let Some(stream) = self.catalog.by_group(group) else { return };
        let StreamRecord { account, shard, created, ref config, .. } = *stream;
        let change = StreamChange::Put { shard, created, config: config.clone() };
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
        match self.operations.remove(&group) {
            Some(Operation::Create { to, info: Some(info), .. }) => {
                let stream = info.config.name.clone();
                out.answer(&to, Answer::StreamCreated(info));
                out.advise(to.account, Advisory::StreamCreated { stream });
            }
            Some(Operation::Update { to, info: Some(info), .. }) => {
                let stream = info.config.name.clone();
                out.answer(&to, Answer::StreamUpdated(info));
                out.advise(to.account, Advisory::StreamUpdated { stream });
            }
            Some(Operation::Delete { to, account, name, shard }) => {
                out.send(shard, ShardMessage::DeleteGroup { group });
                self.operations.insert(group, Operation::Delete { to, account, name, shard });
            }
            Some(unfinished @ (Operation::Create { .. } | Operation::Update { .. })) => {
                self.operations.insert(group, unfinished);
            }
            Some(Operation::Restore) | None => {}
        }
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
