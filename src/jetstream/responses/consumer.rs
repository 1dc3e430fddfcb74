//! Consumers as clients see them.

use super::{Dynamic, begin, write_metadata, write_page};
use crate::jetstream::endpoint::Endpoint;
use crate::jetstream::json::encode::{Object, write_array};
use shards::consumer::config::{AckPolicy, ConsumerConfig, DeliverPolicy};
use shards::shard::answer::{ConsumerInfo, SequenceInfo};

/// Names in one page of CONSUMER.NAMES.
pub const NAMES_PAGE: u64 = 1024;

/// Consumers in one page of CONSUMER.LIST.
pub const LIST_PAGE: u64 = 256;

/// CONSUMER.CREATE or CONSUMER.INFO.
pub fn info(endpoint: Endpoint, info: &ConsumerInfo) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, endpoint);
    write_info(&mut object, info, Dynamic::Added);
    object.end();
    out
}

/// CONSUMER.NAMES.
pub fn names(total: u64, offset: u64, names: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, Endpoint::ConsumerNames);
    write_page(&mut object, total, offset, NAMES_PAGE);
    object.strings("consumers", names);
    object.end();
    out
}

/// CONSUMER.LIST.
pub fn list(total: u64, offset: u64, consumers: &[ConsumerInfo]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, Endpoint::ConsumerList);
    write_page(&mut object, total, offset, LIST_PAGE);
    write_array(object.key("consumers"), consumers, |out, info| {
        let mut object = Object::begin(out);
        write_info(&mut object, info, Dynamic::LeftOut);
        object.end();
    });
    object.end();
    out
}

fn write_info(object: &mut Object<'_>, info: &ConsumerInfo, dynamic: Dynamic) {
    object.string("stream_name", &info.stream_name);
    object.string("name", &info.name);
    object.time("created", info.created);
    write_config(object, &info.config, dynamic);
    write_sequences(object, "delivered", &info.delivered);
    write_sequences(object, "ack_floor", &info.ack_floor);
    object.number("num_ack_pending", info.num_ack_pending);
    object.number("num_redelivered", info.num_redelivered);
    object.number("num_waiting", info.num_waiting);
    object.number("num_pending", info.num_pending);
    object.bool_if("push_bound", info.push_bound);
    object.time("ts", info.ts);
}

fn write_sequences(object: &mut Object<'_>, key: &str, sequences: &SequenceInfo) {
    let mut object = Object::begin(object.key(key));
    object.number("consumer_seq", sequences.consumer_seq);
    object.number("stream_seq", sequences.stream_seq);
    if let Some(time) = sequences.last_active {
        object.time("last_active", time);
    }
    object.end();
}

fn write_config(object: &mut Object<'_>, config: &ConsumerConfig, dynamic: Dynamic) {
    let mut object = Object::begin(object.key("config"));
    object.string_if("durable_name", &config.durable_name);
    object.string_if("name", &config.name);
    object.string_if("description", &config.description);
    object.string("deliver_policy", deliver_policy(config.deliver_policy));
    object.number_if("opt_start_seq", config.opt_start_seq);
    if let Some(time) = config.opt_start_time {
        object.time("opt_start_time", time);
    }
    object.string("ack_policy", ack_policy(config.ack_policy));
    object.number_if("ack_wait", config.ack_wait);
    object.number_if("max_deliver", config.max_deliver);
    object.numbers_if("backoff", &config.backoff);
    object.string_if("filter_subject", &config.filter_subject);
    object.strings_if("filter_subjects", &config.filter_subjects);
    object.string("replay_policy", "instant");
    object.string_if("sample_freq", &config.sample_freq);
    object.number_if("max_waiting", config.max_waiting);
    object.number_if("max_ack_pending", config.max_ack_pending);
    object.bool_if("flow_control", config.flow_control);
    object.bool_if("headers_only", config.headers_only);
    object.number_if("max_batch", config.max_batch);
    object.number_if("max_expires", config.max_expires);
    object.number_if("max_bytes", config.max_bytes);
    object.string_if("deliver_subject", &config.deliver_subject);
    object.string_if("deliver_group", &config.deliver_group);
    object.number_if("idle_heartbeat", config.idle_heartbeat);
    object.number_if("inactive_threshold", config.inactive_threshold);
    object.number("num_replicas", config.num_replicas);
    object.bool_if("mem_storage", config.mem_storage);
    write_metadata(&mut object, &config.metadata, dynamic);
    object.end();
}

fn deliver_policy(policy: DeliverPolicy) -> &'static str {
    match policy {
        DeliverPolicy::All => "all",
        DeliverPolicy::Last => "last",
        DeliverPolicy::New => "new",
        DeliverPolicy::ByStartSequence => "by_start_sequence",
        DeliverPolicy::ByStartTime => "by_start_time",
        DeliverPolicy::LastPerSubject => "last_per_subject",
    }
}

fn ack_policy(policy: AckPolicy) -> &'static str {
    match policy {
        AckPolicy::None => "none",
        AckPolicy::All => "all",
        AckPolicy::Explicit => "explicit",
    }
}
