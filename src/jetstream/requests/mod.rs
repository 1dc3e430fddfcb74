//! Bodies of API requests, decoded: strictly, and with what this server does not do yet refused.
//! May import: jetstream::{endpoint, errors, json}, `shards` (time, headers, shard::request, stream::config, consumer::config).
//! Must not know: which streams there are, how answers are written.

pub mod consumer;
pub mod messages;
pub mod paging;
pub mod stream;
mod unserved_stream;

use super::API_LEVEL;
use super::errors::ApiError;
use super::json::{Kind, Value, decode};
use decode::FromObject;
use shards::headers;

/// Whether the request may be served by an API of this level (NATS ADR-44).
pub fn level_is_served(header_block: &[u8]) -> bool {
    match headers::get(header_block, b"Nats-Required-Api-Level") {
        None | Some(b"") => true,
        Some(level) => {
            let level = std::str::from_utf8(level).ok().and_then(|level| level.parse::<i64>().ok());
            level.is_some_and(|level| level <= i64::from(API_LEVEL))
        }
    }
}

/// Checks that the body is empty or an object without members.
///
/// # Errors
/// 10038.
pub fn expect_empty(body: &[u8]) -> Result<(), ApiError> {
    if is_empty(body) { Ok(()) } else { Err(ApiError::new(10038)) }
}

/// Whether the body is empty or an object without members.
pub fn is_empty(body: &[u8]) -> bool {
    body.is_empty()
        || matches!(Value::scan(body, 0), Ok(Some((value, end)))
            if value.kind() == Kind::Object && value.members().next().is_none() && body[end..].trim_ascii().is_empty())
}

/// Decodes a body that is always read; an empty one leaves everything at its default.
///
/// # Errors
/// 10025.
pub fn decode<T: FromObject + Default>(body: &[u8]) -> Result<T, ApiError> {
    let mut request = T::default();
    decode::strict(body, &mut request).map_err(ApiError::invalid_json)?;
    Ok(request)
}

/// Decodes a body that must say something.
///
/// # Errors
/// 10003 if it is empty, else as `decode`.
pub fn decode_required<T: FromObject + Default>(body: &[u8]) -> Result<T, ApiError> {
    if is_empty(body) { Err(ApiError::new(10003)) } else { decode(body) }
}

/// Decodes a body that may be left out: whatever does not begin like an object or array is ignored.
///
/// # Errors
/// 10025.
pub fn decode_optional<T: FromObject + Default>(body: &[u8]) -> Result<T, ApiError> {
    match body.trim_ascii_start().first() {
        Some(b'{' | b'[') => decode(body),
        _ => Ok(T::default()),
    }
}

/// Reads a body with every decoder, for fuzzing: none may panic.
pub fn decode_as_everything(body: &[u8]) {
    use super::endpoint::{CreateForm, Target};
    let target = Target { stream: "S", consumer: "c", subject: "" };
    let _ = stream::create("S", body);
    let _ = stream::update("S", body);
    for form in [CreateForm::Ephemeral, CreateForm::Durable, CreateForm::Named] {
        let _ = consumer::create(form, target, body);
    }
    let _ = messages::get(body);
    let _ = messages::delete(body);
    let _ = messages::purge(body);
    let _ = messages::direct_get("", body);
    let _ = messages::direct_get("a.b", body);
    let _ = decode_optional::<paging::NamesRequest>(body);
    let _ = decode_optional::<paging::ListRequest>(body);
    let _ = decode_optional::<paging::ConsumersRequest>(body);
    let _ = decode_optional::<paging::StreamInfoRequest>(body);
    let _ = expect_empty(body);
}

#[cfg(test)]
#[path = "requests_test.rs"]
mod tests;
