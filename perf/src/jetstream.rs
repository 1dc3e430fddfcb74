//! Requests to the JetStream API: make, look at and delete streams and consumers.
//! May import: failure, peer, wire, workload.
//! Must not know: loads, figures.

use crate::failure::Failure;
use crate::peer::Peer;
use crate::wire;
use crate::workload::{AckKind, Storage, Streams};
use serde_json::{Value, json};

/// A connection for requests alone.
pub struct Api {
    peer: Peer,
    inbox: String,
    /// Requests so far; each has a reply subject of its own, so that a late answer is nobody's.
    requests: u64,
}

/// nats-server's `err_code`s that mean something here.
const NOT_ENABLED: [u64; 2] = [10039, 10076];
const STREAM_NOT_FOUND: u64 = 10059;

/// How a consumer is made.
pub struct ConsumerConfig<'a> {
    pub stream: &'a str,
    pub name: &'a str,
    pub ack: AckKind,
    /// Messages that may be delivered and not acked.
    pub max_ack_pending: u64,
    /// Pull requests that may wait.
    pub max_waiting: u64,
    /// Its state is kept as the stream's messages are.
    pub durable: bool,
}

impl Api {
    /// `inbox` must be this connection's own.
    pub fn new(mut peer: Peer, inbox: String) -> Result<Api, Failure> {
        peer.subscribe(&format!("{inbox}.*"), "", 1);
        peer.settle()?;
        Ok(Api { peer, inbox, requests: 0 })
    }

    /// Errors: NoJetStream without JetStream, Unsuitable where the server refuses.
    pub fn create_stream(&mut self, name: &str, filter: &str, settings: &Streams) -> Result<(), Failure> {
        let storage = match settings.storage {
            Storage::File => "file",
            Storage::Memory => "memory",
        };
        let config = json!({
            "name": name, "subjects": [filter], "retention": "limits", "storage": storage, "discard": "old",
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "num_replicas": settings.replicas,
            "max_msgs_per_subject": settings.max_msgs_per_subject.map_or(-1, |max| max as i64),
        });
        self.ask(&format!("STREAM.CREATE.{name}"), &config).map(drop)
    }

    /// First and last sequence and the number of messages. Errors: MissingStream.
    pub fn stream_state(&mut self, name: &str) -> Result<StreamState, Failure> {
        let answer = self.ask(&format!("STREAM.INFO.{name}"), &Value::Null)?;
        let number = |key: &str| answer["state"][key].as_u64().unwrap_or(0);
        Ok(StreamState { first: number("first_seq"), messages: number("messages") })
    }

    pub fn delete_stream(&mut self, name: &str) -> Result<(), Failure> {
        self.ask(&format!("STREAM.DELETE.{name}"), &Value::Null).map(drop)
    }

    pub fn create_consumer(&mut self, config: &ConsumerConfig<'_>) -> Result<(), Failure> {
        let ConsumerConfig { stream, name, ack, max_ack_pending, max_waiting, durable } = *config;
        let ack_policy = match ack {
            AckKind::None => "none",
            AckKind::Explicit => "explicit",
            AckKind::All => "all",
        };
        let mut inner = json!({
            "name": name, "deliver_policy": "all", "replay_policy": "instant", "ack_policy": ack_policy,
            // Ten minutes: longer than a run's pauses, and what a killed run leaves behind goes by itself.
            "inactive_threshold": 600_000_000_000u64, "max_waiting": max_waiting,
        });
        if durable {
            inner["durable_name"] = json!(name);
        }
        if ack != AckKind::None {
            inner["ack_wait"] = json!(60_000_000_000u64);
            inner["max_ack_pending"] = json!(max_ack_pending);
        }
        let request = json!({"stream_name": stream, "config": inner, "action": "create"});
        self.ask(&format!("CONSUMER.CREATE.{stream}.{name}"), &request).map(drop)
    }

    pub fn delete_consumer(&mut self, stream: &str, name: &str) -> Result<(), Failure> {
        self.ask(&format!("CONSUMER.DELETE.{stream}.{name}"), &Value::Null).map(drop)
    }

    fn ask(&mut self, what: &str, request: &Value) -> Result<Value, Failure> {
        self.requests += 1;
        let reply = format!("{}.{}", self.inbox, self.requests);
        let payload = if request.is_null() { Vec::new() } else { request.to_string().into_bytes() };
        let (status, answer) =
            self.peer.request(&format!("$JS.API.{what}"), &reply, &payload, |message| {
                let own = message.subject == reply.as_bytes();
                own.then(|| (wire::status(message), message.payload.to_vec()))
            })?;
        if status == Some(503) {
            return Err(Failure::NoJetStream("nobody answers its API".into()));
        }
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|error| Failure::Lost(format!("its answer to {what} is no JSON: {error}")))?;
        match answer.get("error") {
            None => Ok(answer),
            Some(error) => Err(refusal(what, error)),
        }
    }
}

/// Of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamState {
    pub first: u64,
    pub messages: u64,
}

fn refusal(what: &str, error: &Value) -> Failure {
    let code = error["err_code"].as_u64().unwrap_or(0);
    let text = error["description"].as_str().unwrap_or("no description").to_owned();
    match code {
        _ if NOT_ENABLED.contains(&code) => Failure::NoJetStream(text),
        STREAM_NOT_FOUND => Failure::MissingStream(what.rsplit('.').next().unwrap_or(what).to_owned()),
        _ => Failure::Unsuitable(format!("{what}: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_api_becomes_the_failure_that_names_it() {
        let error = |code: u64| json!({"code": 1, "err_code": code, "description": "d"});
        assert_eq!(refusal("STREAM.INFO.X", &error(10059)), Failure::MissingStream("X".into()));
        assert_eq!(refusal("STREAM.CREATE.X", &error(10039)), Failure::NoJetStream("d".into()));
        assert_eq!(refusal("S.X", &error(1)), Failure::Unsuitable("S.X: d".into()));
    }
}
