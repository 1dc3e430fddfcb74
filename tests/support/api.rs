//! Requests to JetStream, and reading a whole stream.

use crate::support::nats::{ANSWER_TIME_MAX, Client, Event, Message};
use serde_json::{Value, json};

impl Client {
    /// The answer to `$JS.API.<endpoint>`. Panics if there is none.
    pub fn api(&mut self, endpoint: &str, request: &Value) -> Value {
        let payload = if request.is_null() { String::new() } else { request.to_string() };
        let answer = self.request(&format!("$JS.API.{endpoint}"), payload.as_bytes()).expect("an answer");
        serde_json::from_slice(&answer.payload).expect("an answer in JSON")
    }

    /// As `api`. Panics on a refusal.
    pub fn must(&mut self, endpoint: &str, request: &Value) -> Value {
        let answer = self.api(endpoint, request);
        assert!(answer["error"].is_null(), "{endpoint} {request}: {}", answer["error"]);
        answer
    }

    pub fn create_stream(&mut self, name: &str, more: &Value) -> Value {
        let mut config = json!({ "name": name, "subjects": [format!("{name}.>")], "storage": "file" });
        merge(&mut config, more);
        self.must(&format!("STREAM.CREATE.{name}"), &config)
    }

    /// Its `state`.
    pub fn stream_state(&mut self, name: &str) -> Value {
        self.must(&format!("STREAM.INFO.{name}"), &Value::Null)["state"].clone()
    }

    pub fn create_durable(&mut self, stream: &str, name: &str, more: &Value) -> Value {
        let mut config = json!({ "durable_name": name, "name": name, "ack_policy": "explicit" });
        merge(&mut config, more);
        let request = json!({ "stream_name": stream, "config": config });
        self.must(&format!("CONSUMER.CREATE.{stream}.{name}"), &request)
    }

    pub fn consumer_info(&mut self, stream: &str, name: &str) -> Value {
        self.must(&format!("CONSUMER.INFO.{stream}.{name}"), &Value::Null)
    }

    /// Publishes one message and waits for its pub ack.
    pub fn publish_and_wait(&mut self, subject: &str, payload: &[u8]) -> Value {
        let answer = self.request(subject, payload).expect("a pub ack");
        serde_json::from_slice(&answer.payload).unwrap_or_else(|_| panic!("no pub ack: {answer:?}"))
    }

    /// Asks a pull consumer for messages; they come to `reply`.
    pub fn pull(&mut self, stream: &str, consumer: &str, reply: &str, request: &Value) {
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        self.publish(&subject, reply, &[], request.to_string().as_bytes());
    }

    /// Reads every message of a stream from `first` on, in order, through a consumer of its own.
    pub fn read_stream(&mut self, stream: &str, first: u64, mut each: impl FnMut(u64, Message)) {
        let last = number(&self.stream_state(stream)["last_seq"]);
        if last < first {
            return;
        }
        let config = json!({
            "ack_policy": "none", "mem_storage": true, "deliver_policy": "by_start_sequence",
            "opt_start_seq": first.max(1), "inactive_threshold": 60_000_000_000u64,
        });
        let request = json!({ "stream_name": stream, "config": config });
        let created = self.must(&format!("CONSUMER.CREATE.{stream}"), &request);
        let name = created["name"].as_str().expect("a consumer's name").to_owned();
        let mut left = number(&created["num_pending"]);
        let reply = format!("{}read", self.inbox);
        while left > 0 {
            let mut batch = left.min(READ_BATCH);
            self.pull(stream, &name, &reply, &json!({ "batch": batch, "expires": 15_000_000_000u64 }));
            self.flush().expect("an open connection");
            while batch > 0 {
                match self.next(ANSWER_TIME_MAX).expect("an open connection") {
                    Some(Event::Message(message))
                        if message.subject == reply || message.delivery().is_some() =>
                    {
                        let delivery = message.delivery().unwrap_or_else(|| {
                            panic!("{left} messages of {stream} do not come: {message:?}")
                        });
                        each(delivery.stream_seq, message);
                        batch -= 1;
                        left -= 1;
                    }
                    Some(other) => panic!("{other:?} among the messages of {stream}"),
                    None => panic!("{left} messages of {stream} do not come"),
                }
            }
        }
        self.must(&format!("CONSUMER.DELETE.{stream}.{name}"), &Value::Null);
    }
}

/// A number of an answer; what is absent is 0.
pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn merge(config: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
}

/// Messages asked for at a time.
const READ_BATCH: u64 = 5_000;
