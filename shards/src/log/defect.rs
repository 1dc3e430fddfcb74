//! Deliberate errors of the log. They exist in tests and in the simulator only, which must find each of them.

/// One deliberate error; each is a single condition where the right thing is done otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Defect {
    /// The log as it should be.
    #[default]
    None,
    /// An entry counts as committed when it is written.
    #[cfg(any(test, feature = "sim"))]
    AckBeforeSync,
    /// Recovery keeps good-looking writes that lie behind a bad one above the synced mark.
    #[cfg(any(test, feature = "sim"))]
    KeepBehindCut,
    /// Recovery takes what a segment held before it was reused for part of the log.
    #[cfg(any(test, feature = "sim"))]
    RecycledReadAsNew,
    /// What was appended since the last checkpoint is reused when the next one begins, before it is synced.
    #[cfg(any(test, feature = "sim"))]
    RecycleBeforeCheckpoint,
    /// Checksums of changes and entries are not looked at.
    #[cfg(any(test, feature = "sim"))]
    ChecksumIgnored,
    /// Recovery serves the tail above the synced mark where it is, and does not carry it over into the new life.
    #[cfg(any(test, feature = "sim"))]
    TailNotSynced,
    /// In relaxed mode nothing is ever synced.
    #[cfg(any(test, feature = "sim"))]
    RelaxedNeverSyncs,
    /// A commit that crosses into another segment syncs the newer file only.
    #[cfg(any(test, feature = "sim"))]
    OneFileSynced,
}

/// `$options.defect == Defect::$name`, and false wherever deliberate errors do not exist.
macro_rules! has_defect {
    ($defect:expr, $name:ident) => {{
        #[cfg(any(test, feature = "sim"))]
        let has = $defect == $crate::log::defect::Defect::$name;
        #[cfg(not(any(test, feature = "sim")))]
        let has = {
            let _ = $defect;
            false
        };
        has
    }};
}
pub(super) use has_defect;
