//! Deliberate errors of a shard, so that the simulator can prove that it would find them.

/// One error; `None` in every build that serves clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Defect {
    #[default]
    None,
    /// A duplicate is answered although its original is not synced.
    AnswersDuplicateEarly,
    /// An awaited consumer ack is answered before its sync.
    AnswersAwaitedAckEarly,
    /// What is damaged is not counted as lost.
    SilentAboutDamage,
    /// A delete is passed over when the log is replayed.
    LosesDeletesOnReplay,
}

/// Whether this error is on. Always false outside of tests and the simulator.
pub(super) fn is(on: Defect, which: Defect) -> bool {
    cfg!(any(test, feature = "sim")) && on == which
}
