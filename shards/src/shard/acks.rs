//! The pub acks of an entry: gathered while it is filled, by the core that they go to.

use super::answer::PubAcks;
use super::group::Machine;
use super::spare::Spare;
use crate::ids::{AccountId, CoreId, Origin, StreamSeq};

/// Adds to the pub acks of one entry.
pub(super) struct AckList<'a> {
    lists: &'a mut Vec<(CoreId, PubAcks)>,
    /// Where a list for another core has its memory from.
    spare: &'a mut Spare<PubAcks>,
    /// None: this group answers no publishes.
    stream: Option<(AccountId, &'a [u8])>,
}

impl<'a> AckList<'a> {
    /// For the publishes of this group. `lists` is empty.
    pub fn of(
        machine: &'a Machine,
        lists: &'a mut Vec<(CoreId, PubAcks)>,
        spare: &'a mut Spare<PubAcks>,
    ) -> Self {
        let stream = match machine {
            Machine::Stream(group) if !group.stream.config().no_ack => {
                Some((group.account, group.stream.config().name.as_bytes()))
            }
            _ => None,
        };
        AckList { lists, spare, stream }
    }

    /// Adds the pub ack of a publish, if somebody waits for it.
    #[inline]
    pub fn push(&mut self, origin: Origin, reply: &[u8], seq: StreamSeq) {
        if reply.is_empty() {
            return;
        }
        if let Some((core, acks)) = self.lists.last_mut()
            && *core == origin.core
        {
            return acks.push(origin, reply, seq);
        }
        self.push_to_another_core(origin, reply, seq);
    }

    fn push_to_another_core(&mut self, origin: Origin, reply: &[u8], seq: StreamSeq) {
        let Some((account, stream)) = self.stream else { return };
        let at = self.lists.iter().position(|(core, _)| *core == origin.core).unwrap_or_else(|| {
            let mut acks = self.spare.take();
            acks.start(account, stream);
            self.lists.push((origin.core, acks));
            self.lists.len() - 1
        });
        self.lists[at].1.push(origin, reply, seq);
    }
}
