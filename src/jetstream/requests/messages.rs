//! Requests for messages: get, direct get, delete, purge.

use crate::jetstream::errors::ApiError;
use crate::jetstream::json::Value;
use crate::jetstream::json::decode::{Decoder, FromObject, lenient};
use shards::shard::request::{DirectGet, Selector};
use shards::time::WallTime;

/// STREAM.MSG.GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageGetRequest {
    pub select: Selector,
    pub no_hdr: bool,
}

/// STREAM.MSG.DELETE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageDeleteRequest {
    pub seq: u64,
    pub no_erase: bool,
}

/// STREAM.PURGE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurgeRequest {
    pub filter: String,
    /// Up to, but not including; 0: no bound.
    pub seq: u64,
    /// Newest messages to keep.
    pub keep: u64,
}

/// DIRECT.GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectGetRequest {
    pub get: DirectGet,
    pub no_hdr: bool,
}

/// Why a direct get is refused; the statuses have code 408.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectRefusal {
    Empty,
    Malformed,
    Bad,
}

/// Reads the body of STREAM.MSG.GET.
///
/// # Errors
/// 10025; 10003 for an empty body and for combinations that choose no message or more than one.
pub fn get(body: &[u8]) -> Result<MessageGetRequest, ApiError> {
    let raw: RawGet = super::decode_required(body)?;
    let bad = || ApiError::new(10003);
    if raw.batch != 0 || raw.max_bytes != 0 || raw.is_contradictory() {
        return Err(bad());
    }
    let no_hdr = raw.no_hdr;
    let select = raw.selector().ok_or_else(bad)?;
    Ok(MessageGetRequest { select, no_hdr })
}

/// Reads the body of STREAM.MSG.DELETE.
///
/// # Errors
/// 10025; 10003 for an empty body.
pub fn delete(body: &[u8]) -> Result<MessageDeleteRequest, ApiError> {
    super::decode_required(body)
}

/// Reads the body of STREAM.PURGE, which may be left out.
///
/// # Errors
/// 10025; 10003 if both bounds are given.
pub fn purge(body: &[u8]) -> Result<PurgeRequest, ApiError> {
    let purge: PurgeRequest = super::decode_optional(body)?;
    if purge.seq > 0 && purge.keep > 0 { Err(ApiError::new(10003)) } else { Ok(purge) }
}

/// Reads the body of a direct get. `subject` is the rest of the request's subject; empty: none.
pub fn direct_get(subject: &str, body: &[u8]) -> Result<DirectGetRequest, DirectRefusal> {
    let mut raw = RawGet::default();
    if subject.is_empty() || !body.is_empty() {
        if body.is_empty() {
            return Err(DirectRefusal::Empty);
        }
        lenient(body, &mut raw).map_err(|_| DirectRefusal::Malformed)?;
    }
    if !subject.is_empty() {
        return last_by_subject(subject, &raw);
    }
    if raw.selects_nothing() && raw.multi_last.is_empty() {
        return Err(DirectRefusal::Empty);
    }
    let is_multi = !raw.multi_last.is_empty();
    let excludes_last = raw.batch > 0 || is_multi;
    if raw.is_contradictory()
        || (!raw.last_by_subj.is_empty() && excludes_last)
        || (!raw.next_by_subj.is_empty() && is_multi)
        || (raw.up_to_seq > 0 && raw.up_to_time.is_some())
    {
        return Err(DirectRefusal::Bad);
    }
    let no_hdr = raw.no_hdr && !is_multi;
    Ok(DirectGetRequest { get: raw.direct().ok_or(DirectRefusal::Empty)?, no_hdr })
}

/// The form with the subject in the request's subject: the body must choose nothing.
fn last_by_subject(subject: &str, raw: &RawGet) -> Result<DirectGetRequest, DirectRefusal> {
    if !raw.selects_nothing() || !raw.multi_last.is_empty() || raw.batch != 0 {
        return Err(DirectRefusal::Bad);
    }
    let select = Selector::LastBySubject(subject.to_owned());
    Ok(DirectGetRequest { get: DirectGet::One { select }, no_hdr: raw.no_hdr })
}

/// The body of all gets.
#[derive(Debug, Default)]
struct RawGet {
    seq: u64,
    last_by_subj: String,
    next_by_subj: String,
    batch: i64,
    max_bytes: i64,
    start_time: Option<WallTime>,
    multi_last: Vec<String>,
    up_to_seq: u64,
    up_to_time: Option<WallTime>,
    no_hdr: bool,
}

impl RawGet {
    fn selects_nothing(&self) -> bool {
        self.seq == 0
            && self.last_by_subj.is_empty()
            && self.next_by_subj.is_empty()
            && self.start_time.is_none()
    }

    /// Whether two selectors exclude each other.
    fn is_contradictory(&self) -> bool {
        let (last, next) = (!self.last_by_subj.is_empty(), !self.next_by_subj.is_empty());
        let (seq, time) = (self.seq > 0, self.start_time.is_some());
        [(seq, last), (seq, time), (time, last), (last, next)].contains(&(true, true))
    }

    /// The one selector, if there is one. Contradictions have been refused.
    fn selector(self) -> Option<Selector> {
        let RawGet { seq, last_by_subj, next_by_subj: subject, start_time, .. } = self;
        Some(match (last_by_subj.is_empty(), subject.is_empty(), start_time) {
            (false, ..) => Selector::LastBySubject(last_by_subj),
            (true, false, Some(time)) => Selector::NextBySubjectFrom { subject, time },
            (true, false, None) => Selector::NextBySubject { subject, seq },
            (true, true, Some(time)) => Selector::FromTime(time),
            (true, true, None) if seq > 0 => Selector::Seq(seq),
            _ => return None,
        })
    }

    /// Negative counts ask for nothing.
    fn direct(self) -> Option<DirectGet> {
        let (batch, max_bytes) = (self.batch.max(0) as u64, self.max_bytes.max(0) as u64);
        if !self.multi_last.is_empty() {
            let RawGet { multi_last: subjects, up_to_seq, up_to_time, seq, .. } = self;
            return Some(DirectGet::MultiLast { subjects, up_to_seq, up_to_time, seq, batch, max_bytes });
        }
        let is_batch = self.batch != 0;
        let select = self.selector()?;
        Some(if is_batch { DirectGet::Batch { select, batch, max_bytes } } else { DirectGet::One { select } })
    }
}

impl FromObject for RawGet {
    const GO_NAME: &'static str = "JSApiMsgGetRequest";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "seq" => decoder.uint64(value, &mut self.seq),
            "last_by_subj" => decoder.string(value, &mut self.last_by_subj),
            "next_by_subj" => decoder.string(value, &mut self.next_by_subj),
            "batch" => decoder.int(value, "int", &mut self.batch),
            "max_bytes" => decoder.int(value, "int", &mut self.max_bytes),
            "start_time" => decoder.time(value, &mut self.start_time)?,
            "multi_last" => decoder.strings(value, &mut self.multi_last),
            "up_to_seq" => decoder.uint64(value, &mut self.up_to_seq),
            "up_to_time" => decoder.time(value, &mut self.up_to_time)?,
            "no_hdr" => decoder.bool(value, &mut self.no_hdr),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl FromObject for MessageDeleteRequest {
    const GO_NAME: &'static str = "JSApiMsgDeleteRequest";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "seq" => decoder.uint64(value, &mut self.seq),
            "no_erase" => decoder.bool(value, &mut self.no_erase),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl FromObject for PurgeRequest {
    const GO_NAME: &'static str = "JSApiStreamPurgeRequest";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "filter" => decoder.string(value, &mut self.filter),
            "seq" => decoder.uint64(value, &mut self.seq),
            "keep" => decoder.uint64(value, &mut self.keep),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
