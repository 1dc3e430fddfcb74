//! Every reason for which the engine says no.
//! May import: nothing.
//! Must not know: JSON, error codes or texts of the wire; `src/jetstream/errors` has the one table.

use std::borrow::Cow;

/// A refusal. Named after the constants of nats-server's error table (`server/errors.json`); a text is carried only
/// where that table has a placeholder. Converted to code, err_code and description in `src/jetstream/errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    // Requests
    /// 10003
    BadRequest,
    /// 10059
    StreamNotFound,
    /// 10014
    ConsumerNotFound,
    /// 10037
    NoMessageFound,
    /// 10043 with the sequence asked for.
    SequenceNotFound(u64),
    /// 10057 `{err}`
    StreamMsgDeleteFailed(Cow<'static, str>),
    /// 10049 `{err}`
    StreamCreate(Cow<'static, str>),
    /// 10051 `{err}`
    StreamGeneral(Cow<'static, str>),
    /// 10077 `{err}`, 503
    StreamStoreFailed(Cow<'static, str>),
    /// 10023, 503: the disk is full down to its reserve, or a memory limit is reached.
    InsufficientResources,
    /// 10028: the stream reserves more memory than the server has left to reserve.
    MemoryResourcesExceeded,
    /// 10047: likewise for file storage.
    StorageResourcesExceeded,
    /// 10109
    StreamSealed,
    /// 10110
    StreamPurgeNotPermitted,

    // Stream configuration
    /// 10052 `{err}`
    StreamInvalidConfig(Cow<'static, str>),
    /// 10058
    StreamNameExist,
    /// 10065
    StreamSubjectOverlap,
    /// 10074
    StreamReplicasNotSupported,
    /// 10133
    ReplicasCountCannotBeNegative,
    /// 10027
    MaximumStreamsLimit,
    /// 10026
    MaximumConsumersLimit,
    /// 10069 `{err}`
    StreamUpdateViolatesConsumers(String),
    /// 10157 `pedantic mode: {err}`
    Pedantic(Cow<'static, str>),

    // Publishing
    /// 10054
    MessageExceedsMaximum,
    /// 10097
    HeaderExceedsMaximum,
    /// 10060
    StreamNotMatch,
    /// 10071 with the actual last sequence.
    WrongLastSequence(u64),
    /// 10193
    ExpectedSubjectWithoutSequence,
    /// 10070 with the actual last message id.
    WrongLastMsgId(String),
    /// 10111 `{err}`
    RollupFailed(Cow<'static, str>),
    /// 10165
    TtlInvalid,
    /// 10166
    TtlDisabled,
    /// 10227
    StreamSourceHeaderReserved,
    /// An `err_code` of the table that needs no text; for publish headers of features that are not served yet.
    Code(u16),

    // Consumer configuration
    /// 10012 `{err}`
    ConsumerCreate(Cow<'static, str>),
    /// 10013
    ConsumerNameExist,
    /// 10148
    ConsumerAlreadyExists,
    /// 10149
    ConsumerDoesNotExist,
    /// 10094 `{err}`
    ConsumerInvalidPolicy(Cow<'static, str>),
    /// Any other consumer error of the table: its `err_code` and the value for its placeholder ("" if it has none).
    Consumer(u16, String),
}
