//! Subscriptions, streams and consumers, with one fault.

use super::Fault;
use super::operation::{Operation, Publish};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

pub struct Broker {
    fault: Fault,
    subscriptions: Vec<Subscription>,
    streams: BTreeMap<String, Stream>,
    output: BTreeMap<usize, Vec<u8>>,
    /// Publishes to streams so far: every hundredth meets the fault.
    stored: u64,
    /// Next member of a queue group.
    turn: usize,
}

struct Subscription {
    client: usize,
    subject: String,
    queue: String,
    sid: String,
}

#[derive(Default)]
struct Stream {
    filter: String,
    /// By sequence less one; None: not stored.
    messages: Vec<Option<Publish>>,
    consumers: BTreeMap<String, Consumer>,
}

#[derive(Default)]
struct Consumer {
    /// Messages delivered.
    next: usize,
    /// Reply subjects and what is left of each pull request.
    pulls: VecDeque<(String, u64)>,
}

impl Broker {
    pub fn new(fault: Fault) -> Broker {
        Broker {
            fault,
            subscriptions: Vec::new(),
            streams: BTreeMap::new(),
            output: BTreeMap::new(),
            stored: 0,
            turn: 0,
        }
    }

    pub fn info(&self) -> String {
        let jetstream = self.fault != Fault::NoJetStream;
        let info =
            json!({"server_name": "fake", "version": "0.0.0", "jetstream": jetstream, "max_payload": 65536});
        format!("INFO {info}\r\n")
    }

    pub fn take_output(&mut self) -> BTreeMap<usize, Vec<u8>> {
        std::mem::take(&mut self.output)
    }

    pub fn forget(&mut self, client: usize) {
        self.subscriptions.retain(|subscription| subscription.client != client);
    }

    pub fn handle(&mut self, client: usize, operation: Operation) {
        match operation {
            Operation::Connect | Operation::Pong => {}
            Operation::Ping => self.output.entry(client).or_default().extend_from_slice(b"PONG\r\n"),
            Operation::Subscribe { subject, queue, sid } => {
                self.subscriptions.push(Subscription { client, subject, queue, sid });
            }
            Operation::Publish(publish) => self.handle_publish(publish),
        }
    }

    fn handle_publish(&mut self, publish: Publish) {
        if let Some(rest) = publish.subject.strip_prefix("$JS.ACK.") {
            assert!(rest.split('.').count() == 7 && publish.payload == b"+ACK");
            return self.send(&publish.reply, &publish.reply, b"", b"", "");
        }
        if let Some(call) = publish.subject.strip_prefix("$JS.API.CONSUMER.MSG.NEXT.") {
            return self.pull(call, &publish);
        }
        if let Some(call) = publish.subject.strip_prefix("$JS.API.") {
            let answer = self.answer(call, &publish.payload).to_string();
            return self.send(&publish.reply, &publish.reply, b"", answer.as_bytes(), "");
        }
        let stream = self.streams.iter().find(|(_, stream)| matches(&stream.filter, &publish.subject));
        match stream.map(|(name, _)| name.clone()) {
            Some(name) => self.store(&name, publish),
            None => self.send(
                &publish.subject,
                &publish.subject,
                &publish.headers,
                &publish.payload,
                &publish.reply,
            ),
        }
    }

    fn store(&mut self, name: &str, mut publish: Publish) {
        self.stored += 1;
        let fault = if self.stored.is_multiple_of(100) { self.fault } else { Fault::Nothing };
        let reply = publish.reply.clone();
        let stream = self.streams.get_mut(name).unwrap();
        if let (Fault::WrongByte, Some(last)) = (fault, publish.payload.last_mut()) {
            *last ^= 1;
        }
        stream.messages.push((fault != Fault::NotStored).then_some(publish));
        let seq = stream.messages.len() - usize::from(fault == Fault::SameSequence);
        if fault != Fault::LostAck {
            let ack = format!("{{\"stream\":\"{name}\",\"seq\":{seq}}}");
            self.send(&reply, &reply, b"", ack.as_bytes(), "");
        }
        let consumers: Vec<String> = self.streams[name].consumers.keys().cloned().collect();
        consumers.iter().for_each(|consumer| self.deliver(name, consumer));
    }

    fn answer(&mut self, call: &str, payload: &[u8]) -> Value {
        let request: Value = serde_json::from_slice(payload).unwrap_or(Value::Null);
        let words: Vec<&str> = call.split('.').collect();
        let missing = json!({"error": {"code": 404, "err_code": 10059, "description": "stream not found"}});
        match words[..] {
            ["STREAM", "CREATE", name] => {
                let filter = request["subjects"][0].as_str().unwrap().to_owned();
                self.streams.insert(name.to_owned(), Stream { filter, ..Stream::default() });
                json!({})
            }
            ["STREAM", "INFO", name] => self.streams.get(name).map_or(
                missing,
                |stream| json!({"state": {"first_seq": 1, "messages": stream.messages.len()}}),
            ),
            ["STREAM", "DELETE", name] => self.streams.remove(name).map_or(missing, |_| json!({})),
            ["STREAM", "NAMES"] => json!({"streams": self.streams.keys().collect::<Vec<_>>()}),
            ["CONSUMER", "CREATE", stream, name] => self.streams.get_mut(stream).map_or(missing, |stream| {
                stream.consumers.insert(name.to_owned(), Consumer::default());
                json!({})
            }),
            ["CONSUMER", "DELETE", stream, name] => self.streams.get_mut(stream).map_or(missing, |stream| {
                stream.consumers.remove(name);
                json!({})
            }),
            _ => panic!("{call}"),
        }
    }

    fn pull(&mut self, call: &str, publish: &Publish) {
        let request: Value = serde_json::from_slice(&publish.payload).unwrap();
        let (stream, consumer) = call.split_once('.').unwrap();
        let pulls = &mut self.streams.get_mut(stream).unwrap().consumers.get_mut(consumer).unwrap().pulls;
        pulls.push_back((publish.reply.clone(), request["batch"].as_u64().unwrap()));
        self.deliver(stream, consumer);
        if request["no_wait"] == true {
            let consumer = self.streams.get_mut(stream).unwrap().consumers.get_mut(consumer).unwrap();
            if consumer.pulls.pop_back().is_some() {
                self.send(&publish.reply, &publish.reply, b"NATS/1.0 404 No Messages\r\n\r\n", b"", "");
            }
        }
    }

    /// As much as is there and asked for.
    fn deliver(&mut self, stream_name: &str, consumer_name: &str) {
        loop {
            let stream = self.streams.get_mut(stream_name).unwrap();
            let consumer = stream.consumers.get_mut(consumer_name).unwrap();
            let Some((reply, left)) =
                consumer.pulls.front_mut().filter(|_| consumer.next < stream.messages.len())
            else {
                return;
            };
            consumer.next += 1;
            let seq = consumer.next;
            let Some(message) = stream.messages[seq - 1].clone() else { continue };
            let inbox = reply.clone();
            *left -= 1;
            if *left == 0 {
                consumer.pulls.pop_front();
            }
            let ack = format!("$JS.ACK.{stream_name}.{consumer_name}.1.{seq}.{seq}.1700000000000000000.0");
            let times = if self.fault == Fault::Twice && seq.is_multiple_of(100) { 2 } else { 1 };
            for _ in 0..times {
                self.send(&inbox, &message.subject, &message.headers, &message.payload, &ack);
            }
        }
    }

    /// To whoever listens to `to`; the message says `subject`.
    fn send(&mut self, to: &str, subject: &str, headers: &[u8], payload: &[u8], reply: &str) {
        if to.is_empty() {
            return;
        }
        let mut queues: BTreeMap<&str, Vec<&Subscription>> = BTreeMap::new();
        let mut receivers = Vec::new();
        for subscription in
            self.subscriptions.iter().filter(|subscription| matches(&subscription.subject, to))
        {
            match subscription.queue.as_str() {
                "" => receivers.push(subscription),
                queue => queues.entry(queue).or_default().push(subscription),
            }
        }
        self.turn += 1;
        receivers.extend(queues.into_values().map(|members| members[self.turn % members.len()]));
        let blank = if reply.is_empty() { "" } else { " " };
        for Subscription { client, sid, .. } in receivers {
            let out = self.output.entry(*client).or_default();
            let (headers_len, total) = (headers.len(), headers.len() + payload.len());
            let line = match headers_len {
                0 => format!("MSG {subject} {sid} {reply}{blank}{total}\r\n"),
                _ => format!("HMSG {subject} {sid} {reply}{blank}{headers_len} {total}\r\n"),
            };
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(headers);
            out.extend_from_slice(payload);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Whether a subject is one of a filter: the same, or `….*` or `….>` at the end.
fn matches(filter: &str, subject: &str) -> bool {
    if let Some(prefix) = filter.strip_suffix('>') {
        return subject.starts_with(prefix);
    }
    match filter.strip_suffix('*') {
        Some(prefix) => subject.strip_prefix(prefix).is_some_and(|rest| !rest.contains('.')),
        None => filter == subject,
    }
}
