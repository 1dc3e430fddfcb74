//! Steps that fail. What the catalog's log did not take is as if nobody had asked. If the home shard cannot follow, the
//! catalog's entry is taken back, except a tombstone, which holds. Where that fails too, the stream stays half done: a
//! request like the first or the next start completes it.

use super::answer::Answer;
use super::catalog_steps::{CatalogSteps, Operation, Proposal, answer};
use super::outputs::Outputs;
use super::request::ReplyTo;
use crate::ids::GroupId;
use crate::meta::change::CatalogChange;
use crate::rejection::Rejection;

impl CatalogSteps {
    /// The home shard's log did not take its step, or nobody knows. Returns what has to be written next.
    pub(super) fn group_failed(
        &mut self,
        group: GroupId,
        rejection: Rejection,
        out: &mut impl Outputs,
    ) -> Vec<Proposal> {
        if let Some(stream) = self.catalog.by_group(group) {
            self.avoided.insert(stream.shard);
        }
        match self.operations.remove(&group) {
            Some(Operation::Create { to, is_new: true, info: None }) => {
                self.catalog.leaving(group);
                self.operations.insert(group, Operation::TakeBack { to, rejection });
                vec![CatalogChange::Remove { group }]
            }
            Some(Operation::Update { to, before, info: None, .. }) => {
                let Some(have) = self.catalog.by_group(group) else { return Vec::new() };
                let (account, shard, created) = (have.account, have.shard, have.created);
                self.operations.insert(group, Operation::TakeBack { to, rejection });
                vec![CatalogChange::Put { account, group, shard, created, config: before }]
            }
            Some(Operation::Create { mut to, info: None, .. } | Operation::Info { mut to }) => {
                answer(&mut to, Answer::Rejected(rejection), out);
                Vec::new()
            }
            Some(delete @ Operation::Delete { .. }) => {
                // The catalog's tombstone is synced: no start brings the stream back, and the next one repeats the end of the group.
                self.operations.insert(group, delete);
                self.deleted(group, out);
                Vec::new()
            }
            Some(restore @ Operation::Restore { is_here: true }) => {
                // It goes on as it was; its log does not take the catalog's configuration.
                self.operations.insert(group, restore);
                self.tell_put(group, out);
                Vec::new()
            }
            // The shard goes back when it can, or at the next start.
            Some(Operation::TakeBack { .. } | Operation::Restore { is_here: false }) | None => Vec::new(),
            Some(other) => {
                self.operations.insert(group, other);
                Vec::new()
            }
        }
    }

    /// The catalog's own log did not take a change, or lost it in its failure.
    pub(super) fn handle_refused(
        &mut self,
        change: &CatalogChange,
        rejection: Rejection,
        out: &mut impl Outputs,
    ) {
        let (CatalogChange::Put { group, .. } | CatalogChange::Remove { group }) = *change else {
            // A tombstone that is not forgotten is dealt with again after the next start.
            return;
        };
        match change {
            CatalogChange::Put { .. } => self.catalog.withdraw(group),
            _ => self.catalog.staying(group),
        }
        let Some(mut operation) = self.operations.remove(&group) else { return };
        let is_half_done = matches!(operation, Operation::TakeBack { .. });
        let rejection = match rejection {
            Rejection::InsufficientResources if is_half_done => {
                Rejection::StreamStoreFailed(super::LEFT_OPEN.into())
            }
            other => other,
        };
        answer(&mut operation.take_asker(), Answer::Rejected(rejection), out);
    }

    /// The catalog's disk does not answer, and holds this change: who waits for it hears so. The operation goes on when the
    /// disk comes back.
    pub(super) fn handle_stuck(&mut self, change: &CatalogChange, out: &mut impl Outputs) {
        if let CatalogChange::Put { group, .. } | CatalogChange::Remove { group } = change
            && let Some(operation) = self.operations.get_mut(group)
        {
            let stuck = Rejection::StreamStoreFailed(super::LOG_STUCK.into());
            answer(&mut operation.take_asker(), Answer::Rejected(stuck), out);
        }
    }

    /// Nothing more is taken: who waits for an operation on the same stream hears so.
    pub(super) fn refuse_waiting(&mut self, reason: &'static str, out: &mut impl Outputs) {
        for (to, _) in self.waiting.drain(..) {
            out.answer(&to, Answer::Rejected(Rejection::StreamStoreFailed(reason.into())));
        }
    }

    /// The catalog's entry was taken back, or its configuration is the one before again.
    pub(super) fn taken_back(&mut self, group: GroupId, out: &mut impl Outputs) {
        if let Some(Operation::TakeBack { to, rejection }) = self.operations.get_mut(&group) {
            answer(to, Answer::Rejected(rejection.clone()), out);
        }
    }

    /// The shard of this group has taken a step.
    pub(super) fn can_store(&mut self, group: GroupId) {
        if let Some(stream) = self.catalog.by_group(group) {
            self.avoided.remove(&stream.shard);
        }
    }
}

impl Operation {
    /// Who asked and was not answered; he is now.
    fn take_asker(&mut self) -> Option<ReplyTo> {
        match self {
            Operation::Info { to }
            | Operation::Create { to, .. }
            | Operation::Update { to, .. }
            | Operation::Delete { to, .. }
            | Operation::TakeBack { to, .. } => to.take(),
            Operation::Restore { .. } => None,
        }
    }
}
