//! Requests for pages of names and infos.

use crate::jetstream::json::Value;
use crate::jetstream::json::decode::{Decoder, FromObject};

/// STREAM.NAMES.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamesRequest(pub StreamsRequest);

/// STREAM.LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListRequest(pub StreamsRequest);

/// Which streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamsRequest {
    pub offset: i64,
    /// Only streams with a subject that collides with this one; empty: all.
    pub subject: String,
}

/// CONSUMER.NAMES and CONSUMER.LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumersRequest {
    pub offset: i64,
}

/// STREAM.INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamInfoRequest {
    pub offset: i64,
    pub deleted_details: bool,
    /// Count messages of these subjects; empty: of none.
    pub subjects_filter: String,
}

/// A page's start within `total` elements: negative offsets count as 0, too large ones as the end.
pub fn page_start(offset: i64, total: usize) -> usize {
    usize::try_from(offset.max(0)).unwrap_or(usize::MAX).min(total)
}

/// An offset as the engine takes it.
pub fn not_negative(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

impl StreamsRequest {
    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> bool {
        match key {
            "offset" => decoder.int(value, "int", &mut self.offset),
            "subject" => decoder.string(value, &mut self.subject),
            _ => return false,
        }
        true
    }
}

impl FromObject for NamesRequest {
    const GO_NAME: &'static str = "JSApiStreamNamesRequest";

    fn embedded_in(key: &str) -> Option<&'static str> {
        embedded(key)
    }

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        Ok(self.0.member(decoder, key, value))
    }
}

impl FromObject for ListRequest {
    const GO_NAME: &'static str = "JSApiStreamListRequest";

    fn embedded_in(key: &str) -> Option<&'static str> {
        embedded(key)
    }

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        Ok(self.0.member(decoder, key, value))
    }
}

impl FromObject for ConsumersRequest {
    const GO_NAME: &'static str = "JSApiConsumersRequest";

    fn embedded_in(key: &str) -> Option<&'static str> {
        embedded(key)
    }

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "offset" => decoder.int(value, "int", &mut self.offset),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl FromObject for StreamInfoRequest {
    const GO_NAME: &'static str = "JSApiStreamInfoRequest";

    fn embedded_in(key: &str) -> Option<&'static str> {
        embedded(key)
    }

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "offset" => decoder.int(value, "int", &mut self.offset),
            "deleted_details" => decoder.bool(value, &mut self.deleted_details),
            "subjects_filter" => decoder.string(value, &mut self.subjects_filter),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn embedded(key: &str) -> Option<&'static str> {
    (key == "offset").then_some("ApiPagedRequest")
}
