//! Refusals as clients see them: one table of codes and descriptions, and the way from the engine's `Rejection`.

mod table;

use super::json::encode::Object;
use shards::rejection::Rejection;
use std::borrow::Cow;
use table::ERROR_TABLE;

/// A refused request. `err_code` is its stable identity, `code` is like an HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub code: u16,
    pub err_code: u16,
    pub description: Cow<'static, str>,
}

/// One row of the table. The part of `description` in braces is replaced by a value.
#[derive(Clone, Copy, Debug)]
struct ErrorRow {
    err_code: u16,
    code: u16,
    description: &'static str,
}

impl ApiError {
    /// The error of this `err_code`, whose description has no placeholder.
    pub fn new(err_code: u16) -> Self {
        let row = row(err_code);
        ApiError { code: row.code, err_code, description: Cow::Borrowed(row.description) }
    }

    /// The error of this `err_code` with `value` in its placeholder.
    pub fn with(err_code: u16, value: impl Into<Cow<'static, str>>) -> Self {
        let row = row(err_code);
        let value = value.into();
        let description = match row.description.find('{').zip(row.description.find('}')) {
            None => Cow::Borrowed(row.description),
            Some((0, end)) if end + 1 == row.description.len() => value,
            Some((start, end)) => {
                let (head, tail) = (&row.description[..start], &row.description[end + 1..]);
                Cow::Owned([head, value.as_ref(), tail].concat())
            }
        };
        ApiError { code: row.code, err_code, description }
    }

    /// The error of this `err_code` with another text: for what this server does not do yet.
    pub fn unserved(err_code: u16, what: &str) -> Self {
        let description = Cow::Owned(format!("{what} is not supported by this server yet"));
        ApiError { code: row(err_code).code, err_code, description }
    }

    /// 10025: the request is not the JSON it should be. `err` is the text of Go's decoder.
    pub fn invalid_json(err: impl Into<Cow<'static, str>>) -> Self {
        Self::with(10025, err)
    }

    /// Appends `{"code":…,"err_code":…,"description":"…"}`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.number("code", self.code);
        object.number("err_code", self.err_code);
        object.string("description", &self.description);
        object.end();
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        use Rejection as R;
        let no_text = |err_code| ApiError::new(err_code);
        match rejection {
            R::BadRequest => no_text(10003),
            R::StreamNotFound => no_text(10059),
            R::ConsumerNotFound => no_text(10014),
            R::NoMessageFound => no_text(10037),
            R::SequenceNotFound(seq) => Self::with(10043, seq.to_string()),
            R::StreamMsgDeleteFailed(err) => Self::with(10057, err),
            R::StreamCreate(err) => Self::with(10049, err),
            R::StreamGeneral(err) => Self::with(10051, err),
            R::StreamStoreFailed(err) => Self::with(10077, err),
            R::InsufficientResources => no_text(10023),
            R::MemoryResourcesExceeded => no_text(10028),
            R::StorageResourcesExceeded => no_text(10047),
            R::StreamSealed => no_text(10109),
            R::StreamPurgeNotPermitted => Self::with(10110, "stream purge not permitted"),
            R::StreamInvalidConfig(err) => Self::with(10052, err),
            R::StreamNameExist => no_text(10058),
            R::StreamSubjectOverlap => no_text(10065),
            R::StreamReplicasNotSupported => no_text(10074),
            R::ReplicasCountCannotBeNegative => no_text(10133),
            R::MaximumStreamsLimit => no_text(10027),
            R::MaximumConsumersLimit => no_text(10026),
            R::StreamUpdateViolatesConsumers(names) => {
                Self::with(10069, format!("change to limits violates consumers: {names}"))
            }
            R::Pedantic(err) => Self::with(10157, err),
            R::MessageExceedsMaximum => no_text(10054),
            R::HeaderExceedsMaximum => no_text(10097),
            R::StreamNotMatch => no_text(10060),
            R::WrongLastSequence(seq) => Self::with(10071, seq.to_string()),
            R::ExpectedSubjectWithoutSequence => no_text(10193),
            R::WrongLastMsgId(id) => Self::with(10070, id),
            R::RollupFailed(err) => Self::with(10111, err),
            R::TtlInvalid => no_text(10165),
            R::TtlDisabled => no_text(10166),
            R::StreamSourceHeaderReserved => no_text(10227),
            R::Code(err_code) => no_text(err_code),
            R::ConsumerCreate(err) => Self::with(10012, err),
            R::ConsumerNameExist => no_text(10013),
            R::ConsumerAlreadyExists => no_text(10148),
            R::ConsumerDoesNotExist => no_text(10149),
            R::ConsumerInvalidPolicy(err) => Self::with(10094, err),
            R::Consumer(err_code, value) => Self::with(err_code, value),
        }
    }
}

/// The row of this code. A code that is not in the table is answered all the same, as an error of the server.
fn row(err_code: u16) -> ErrorRow {
    match ERROR_TABLE.binary_search_by_key(&err_code, |row| row.err_code) {
        Ok(index) => ERROR_TABLE[index],
        Err(_) => ErrorRow { err_code, code: 500, description: "general error" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(ERROR_TABLE.windows(2).all(|pair| pair[0].err_code < pair[1].err_code));
    }

    #[test]
    fn a_placeholder_is_replaced_wherever_it_stands() {
        let text = |err_code, value: &'static str| ApiError::with(err_code, value).description;
        assert_eq!(text(10077, "maximum messages exceeded"), "maximum messages exceeded");
        assert_eq!(text(10043, "3"), "sequence 3 not found");
        assert_eq!(text(10071, "2"), "wrong last sequence: 2");
        assert_eq!(text(10059, ""), "stream not found");
    }

    #[test]
    fn a_rejection_becomes_the_error_of_the_table() {
        let error = ApiError::from(Rejection::WrongLastSequence(2));
        let mut json = Vec::new();
        error.write(&mut json);
        assert_eq!(json, br#"{"code":400,"err_code":10071,"description":"wrong last sequence: 2"}"#);
        assert_eq!(ApiError::from(Rejection::StreamInvalidConfig("invalid subject".into())).code, 500);
        let violated = ApiError::from(Rejection::StreamUpdateViolatesConsumers("C1, C2".into()));
        assert_eq!(violated.description, "change to limits violates consumers: C1, C2");
    }

    #[test]
    fn what_is_not_served_is_refused_with_a_sentence() {
        let error = ApiError::unserved(10052, "compression");
        assert_eq!((error.code, error.err_code), (500, 10052));
        assert_eq!(error.description, "compression is not supported by this server yet");
    }
}
