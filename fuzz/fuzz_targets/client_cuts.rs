//! Bytes of a client mean the same however they are cut and in whichever way publishes are read, and never do harm.
#![cfg_attr(fuzzing, no_main)]

use millrace::client::action::{Action, Next};
use millrace::client::settings::{Identity, Settings};
use millrace::client::subscriptions::SubscriptionId;
use millrace::client::{Client, Delivered, Delivery};
use millrace::protocol::connect::ServerInfo;
use shards::ids::AccountId;
use shards::time::Now;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// First byte: how many bytes say where to cut; then those; then what the client sends.
pub fn run(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let (cuts, bytes) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let mut whole = Peer::new(false);
    whole.reads(bytes);
    let mut cut = Peer::new(true);
    let mut from = 0;
    for step in cuts {
        let until = bytes.len().min(from + usize::from(*step));
        cut.reads(&bytes[from..until]);
        from = until;
    }
    cut.reads(&bytes[from..]);
    assert_eq!(whole.actions, cut.actions);
    assert_eq!(whole.output, cut.output);
    assert_eq!(whole.client.close_reason(), cut.client.close_reason());
    assert_eq!(whole.client.traffic(), cut.client.traffic());
}

/// A client and an owner that delivers every publish to every subscription.
struct Peer {
    client: Client,
    unread: Vec<u8>,
    actions: Vec<String>,
    output: Vec<u8>,
    live: Vec<SubscriptionId>,
    /// Publishes are read with `Client::publisher` where that is possible.
    reads_publishes: bool,
}

impl Peer {
    fn new(reads_publishes: bool) -> Peer {
        let identity = Identity { account: AccountId::GLOBAL, account_name: "$G".into(), user: "".into() };
        let settings = Settings {
            info: ServerInfo { headers: true, ..ServerInfo::default() },
            max_payload: 64,
            max_control_line: 128,
            max_pending: 1 << 16,
            max_subscriptions: 4,
            ping_interval: Duration::from_secs(120),
            ping_max: 2,
            auth_timeout: Duration::from_secs(2),
            write_deadline: Duration::from_secs(10),
            nonce_key: None,
            anonymous: Some(identity),
        };
        let client = Client::new(Arc::new(settings), 1, (Ipv4Addr::LOCALHOST, 4321).into(), Now::default());
        Peer { client, unread: vec![], actions: vec![], output: vec![], live: vec![], reads_publishes }
    }

    fn reads(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let chunk = std::mem::take(&mut self.unread);
        let mut at = 0;
        loop {
            while self.reads_publishes
                && let Some(publisher) = self.client.publisher()
                && let Some((publish, len)) = publisher.parse(&chunk[at..])
            {
                at += len;
                self.client.note_published(Now::default(), 1, publish.len() as u64);
                let action = Action::Publish(publish);
                self.actions.push(format!("{action:?}"));
                self.perform(&action);
                self.writes();
            }
            match self.client.next_action(Now::default(), &chunk, &mut at) {
                Next::Do(Action::Close) => break,
                Next::Do(action) => {
                    self.actions.push(format!("{action:?}"));
                    self.perform(&action);
                }
                Next::NeedMore { at_least } => {
                    assert!(at_least > chunk.len() - at, "what is needed is there");
                    break;
                }
                Next::Wait => panic!("there is nothing to wait for"),
            }
            self.writes();
        }
        self.writes();
        self.unread = chunk[at..].to_vec();
        assert!(self.client.close_reason().is_some() || self.unread.len() <= 128 + 64 + 128 + 16);
    }

    fn perform(&mut self, action: &Action<'_>) {
        match *action {
            Action::Publish(publish) => {
                let (subject, reply) = (publish.subject, publish.reply);
                let message = Delivery { subject, reply, headers: publish.headers, payload: publish.payload };
                let client = &mut self.client;
                self.live.retain(|&id| client.deliver(id, &message) == Delivered::Yes);
                client.no_responders(subject, reply);
            }
            Action::Subscribe { id, .. } => self.live.push(id),
            Action::Unsubscribe { id, .. } => self.live.retain(|&live| live != id),
            Action::Authenticate(_) => {
                let identity = self.client.identity().cloned().expect("nobody is refused here");
                self.client.handle_authenticated(Ok(identity));
            }
            Action::Ping => self.client.handle_ping_confirmed(),
            Action::Close => {}
        }
        assert!(self.client.close_reason().is_some() || self.live.len() == self.client.subscriptions().len());
    }

    fn writes(&mut self) {
        let bytes = self.client.take_output(Now::default(), Vec::new());
        self.client.handle_written(bytes.len());
        self.output.extend(bytes);
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
