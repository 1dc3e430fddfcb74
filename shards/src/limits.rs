//! Every bound of the engine, with its unit and the rule for full.
//! May import: nothing.
//! Must not know: who enforces a bound.

use std::time::Duration;

/// Largest message (headers and payload) that any configuration may allow. Bytes. Above it: a start error.
pub const MAX_PAYLOAD_MAX: usize = 8 << 20;

/// Size of a prepared log segment. Bytes. A message is at most a quarter of it.
pub const SEGMENT_LEN: u64 = 64 << 20;

/// Largest entry, unless one message alone is larger. Bytes. Beyond it a turn's changes make several entries.
pub const ENTRY_LEN_MAX: usize = 256 << 10;

/// Publishes that are admitted together. Bytes of their records, unless one alone is longer. Beyond it another run begins; an
/// entry holds whole runs.
pub const PLAIN_LEN_MAX: usize = ENTRY_LEN_MAX / 8;

/// Publishes of a group that may wait so that its entry holds more. Beyond it what an entry costs is little for each, and the
/// copying is better done while the disk works.
pub const GATHER_MESSAGES_MAX: u32 = 32;

/// Groups from which on those with few publishes wait for a sync: what their entries cost is about what a write takes.
pub const GATHER_GROUPS_MIN: usize = 64;

/// Unit of a direct write: each write starts and ends on such a border. Bytes.
pub const BLOCK_LEN: usize = 4096;

/// Prepared segments that are kept for acks, deletes, purges and checkpoints. Publishes are refused when no more are left.
pub const SEGMENT_RESERVE: usize = 4;

/// Length of the segments of a young log, so that the first start is quick. Bytes.
pub const FIRST_SEGMENT_LEN: u64 = 4 << 20;

/// Longest write, unless one entry alone is longer. Bytes. Beyond it a turn's entries make several writes.
pub const WRITE_LEN_MAX: usize = 1 << 20;

/// Writes handed to the disk at a time, per log. Beyond it entries gather in the next write.
pub const WRITES_OUT_MAX: usize = 4;

/// Bytes written and not yet synced, per log. Beyond it no write starts until a sync ends. A recovery copies at most this
/// much (and one write), which therefore fits into a segment.
pub const UNSYNCED_LEN_MAX: u64 = 24 << 20;

/// Bytes of entries that wait for their write, per log. Beyond it the log says `Behind` and its shard takes no more.
pub const BACKLOG_LEN_MAX: u64 = 8 << 20;

/// Buffers kept for reuse, per log and size. Beyond it they are freed.
pub const POOLED_BUFFERS_MAX: usize = 8;

/// Recently written bytes kept in memory for reading, per log. Bytes. The oldest go first.
pub const TAIL_CACHE_LEN: usize = 16 << 20;

/// Bytes kept of what was read from the disk, per log. The longest unused go first.
pub const READ_CACHE_LEN: usize = 2 << 20;

/// Reads that failed and are remembered, per log. Beyond it the oldest are forgotten, and tried again when wanted.
pub const FAILED_READS_MAX: usize = 1024;

/// Longest read of neighbouring entries, unless one entry alone is longer. Bytes.
pub const READ_LEN_MAX: usize = 1 << 20;

/// State of groups that waits to be written into a checkpoint. Bytes. Beyond it the next group waits.
pub const CHECKPOINT_PENDING_MAX: usize = 1 << 20;

/// Largest piece of a checkpoint in one write, so that entries never wait long behind it. Bytes.
pub const CHECKPOINT_PIECE_LEN: usize = 128 << 10;

/// Longest name of a stream or consumer. Bytes. Source: spec of the JetStream API, asset names; ADR-6.
pub const NAME_LEN_MAX: usize = 255;

/// Runs of removed messages that one entry reports to consumers. Beyond it they count again, as after a purge.
pub const EFFECTS_REMOVED_MAX: usize = 16 << 10;

/// Message ids that a stream remembers for its duplicate window. Beyond it a publish with an id is refused (10077) until
/// older ids leave the window: forgetting one early would store a duplicate.
pub const MSG_IDS_MAX: usize = 16 << 20;

/// Subjects on one page of a stream info with `subjects_filter`. Source: nats-server, server/jetstream_api.go
/// (`JSMaxSubjectDetails`).
pub const SUBJECT_DETAILS_MAX: usize = 100_000;

/// Deleted sequences listed in a stream info with `deleted_details`. Beyond it the list ends early.
pub const DELETED_DETAILS_MAX: usize = 1 << 20;

/// Sequences of a stream listed as lost to damage. Beyond it the list ends early.
pub const LOST_DETAILS_MAX: usize = 4096;

/// Messages of one batch of a direct get. Beyond it the batch ends early, as if `max_bytes` had been reached.
pub const DIRECT_BATCH_MAX: usize = 64 << 10;

/// Subjects of one multi get. Beyond it: 413. Source: nats-server, server/stream.go (`maxAllowedResponses`).
pub const MULTI_LAST_MAX: usize = 1024;

/// Messages whose own time to live ended that one entry removes. More of them wait for the next one.
pub const EXPIRE_LIST_MAX: usize = 16 << 10;

/// Total length of the keys and values of a stream's or consumer's metadata. Bytes. Beyond it: 10052 or 10135.
/// Source: nats-server, server/stream.go (`JSMaxMetadataLen`).
pub const METADATA_LEN_MAX: usize = 128 << 10;

/// Longest description of a stream or consumer. Bytes. Source: nats-server, server/stream.go (`JSMaxDescriptionLen`).
pub const DESCRIPTION_LEN_MAX: usize = 4 << 10;

/// Slots of the ring under one lane between two cores; a message is a batch. Full: messages wait at the sender, within the
/// lane's credit, and the sender is woken when there is room.
pub const LANE_SLOTS: usize = 1024;

/// Reply subjects whose memory a pull consumer keeps for later requests. Buffers. Beyond it: given back.
pub const SPARE_REPLY_BUFFERS: usize = 8;

/// Memory with which a consumer's filter remembers its answers. Bytes, four subjects each. Subjects with higher numbers
/// are matched each time.
pub const FILTER_MEMORY_LEN_MAX: usize = 256 << 10;
/// Requests to the catalog that wait for an operation on their stream to end. Full: refused with 10023.
pub const CATALOG_WAITING_MAX: usize = 4096;

/// Requests of a shard that wait for entries to be committed. Full: refused with 10023.
pub const WAITING_REQUESTS_MAX: usize = 65_536;

/// Longest time that progress of consumers waits to be logged.
pub const PROGRESS_WAIT_MAX: Duration = Duration::from_millis(50);

/// Pause before state of consumers that the log had no room for is tried again.
pub const PROGRESS_RETRY: Duration = Duration::from_millis(500);

/// Progress of one stream's consumers that is logged at once. Bytes.
pub const PROGRESS_LEN_MAX: usize = 64 << 10;

/// Messages delivered in one turn, over all consumers of a shard. The rest comes in the next turn.
pub const DELIVERIES_PER_TURN: usize = 4096;

/// Messages delivered to one consumer before the next one has its share.
pub const DELIVERIES_PER_CONSUMER: usize = 512;

/// Bytes of publishes that one turn takes in; what is left comes in the next turn.
pub const TURN_LEN_MAX: usize = 4 << 20;

/// Names in one page of CONSUMER.NAMES. Source: nats-server, server/jetstream_api.go (`JSApiNamesLimit`).
pub const CONSUMER_NAMES_PAGE: usize = 1024;

/// Consumers in one page of CONSUMER.LIST. Source: nats-server, server/jetstream_api.go (`JSApiListLimit`).
pub const CONSUMER_LIST_PAGE: usize = 256;

/// Entries behind the one that is wanted that are read with it, if they lie near.
pub const READ_AHEAD_ENTRIES: usize = 64;

/// Memory of the lists of one kind that a shard keeps for reuse: for pub acks, and for what groups have pending. Bytes. Beyond it:
/// freed. A thousand streams written to in turn have some thousands of lists with one or two kibibytes each.
pub const SPARE_LISTS_LEN_MAX: usize = 8 << 20;

const _: () = assert!(MAX_PAYLOAD_MAX as u64 <= SEGMENT_LEN / 4);
const _: () = assert!(WRITE_LEN_MAX > ENTRY_LEN_MAX + CHECKPOINT_PIECE_LEN + BLOCK_LEN);
const _: () = assert!(UNSYNCED_LEN_MAX + SEGMENT_LEN / 4 < SEGMENT_LEN);
const _: () = assert!(FIRST_SEGMENT_LEN <= SEGMENT_LEN);
