//! Every connection of a load with its role, spread over the threads.

use super::fetcher::{Delivered, Fetcher};
use super::plan::{Plan, Shared};
use super::responder::Responder;
use super::sender::Sender;
use super::subscriber::Subscriber;
use super::tally::Tally;
use crate::address::Address;
use crate::failure::Failure;
use crate::peer::Peer;
use crate::wire::Operation;
use crate::workload::Kind;

pub struct Connection<'a> {
    pub peer: Peer,
    pub role: Role<'a>,
    /// The socket takes bytes, as far as is known.
    pub writable: bool,
    /// More may be there to read.
    pub readable: bool,
}

pub enum Role<'a> {
    Sender(Sender<'a>),
    Subscriber(Subscriber<'a>),
    Responder(Responder),
    Fetcher(Box<Fetcher<'a>>),
}

/// Queue group of the responders.
const RESPONDERS: &str = "responders";

impl Connection<'_> {
    /// One read; false if nothing is left to read.
    pub fn read(&mut self, now: u64, tally: &mut Tally, delivered: &mut Delivered) -> Result<bool, Failure> {
        let role = &mut self.role;
        self.peer.read(|operation, out| {
            let Operation::Message(message) = operation else { return };
            match role {
                Role::Sender(sender) => sender.handle(&message, tally),
                Role::Subscriber(subscriber) => subscriber.handle(&message, tally),
                Role::Responder(responder) => responder.handle(&message, out, tally),
                Role::Fetcher(fetcher) => fetcher.handle(&message, now, out, tally, delivered),
            }
        })
    }
}

/// By thread. All subscriptions are in force when this returns, and nothing is published or pulled.
pub fn connect<'a>(
    plan: &'a Plan<'a>,
    address: &Address,
    shared: &'a Shared,
) -> Result<Vec<Vec<Connection<'a>>>, Failure> {
    let mut threads: Vec<Vec<Connection<'a>>> = (0..plan.threads()).map(|_| Vec::new()).collect();
    let count = threads.len() as u32;
    let inbox = |letter: char, n: u32| format!("{}{letter}{n:05}", plan.names.inbox);
    let mut place = |thread: u32, peer: Peer, role: Role<'a>| {
        threads[(thread % count) as usize].push(Connection { peer, role, writable: true, readable: false });
    };
    // Whoever listens comes first, so that nothing is published to nobody.
    let subjects = format!("{}.>", plan.names.prefix);
    let listeners = match plan.workload.kind {
        Kind::PubSub | Kind::Request => plan.workload.subscribers,
        Kind::Publish | Kind::Consume | Kind::Mixed => 0,
    };
    for n in 0..listeners {
        let mut peer = Peer::connect(address)?;
        let groups = plan.workload.queue_groups;
        let (queue, role) = match plan.workload.kind {
            Kind::Request => (RESPONDERS.to_owned(), Role::Responder(Responder)),
            _ if groups > 0 => {
                (format!("group{}", n % groups), Role::Subscriber(Subscriber::new(plan, shared)))
            }
            _ => (String::new(), Role::Subscriber(Subscriber::new(plan, shared))),
        };
        peer.subscribe(&subjects, &queue, 1);
        peer.settle()?;
        place(plan.senders() + n, peer, role);
    }
    for (n, consumers) in fetchers(plan).into_iter().enumerate() {
        let mut peer = Peer::connect(address)?;
        let fetcher = Fetcher::new(plan, shared, &consumers, &inbox('f', n as u32));
        for (subject, sid) in fetcher.subscriptions() {
            peer.subscribe(&subject, "", sid);
        }
        peer.settle()?;
        // All connections of a consumer are one thread's, which sees what comes twice.
        place(consumers[0], peer, Role::Fetcher(Box::new(fetcher)));
    }
    for n in 0..plan.senders() {
        let mut peer = Peer::connect(address)?;
        let inbox = inbox('s', n);
        if plan.answers() > 0 {
            peer.subscribe(&format!("{inbox}.*"), "", 1);
            peer.settle()?;
        }
        place(n, peer, Role::Sender(Sender::new(plan, shared, n, &inbox)));
    }
    Ok(threads)
}

/// The consumers of each fetching connection: several connections share one, or one connection serves several.
fn fetchers(plan: &Plan<'_>) -> Vec<Vec<u32>> {
    let consumers = plan.consumer_count();
    let connections = match plan.workload.kind {
        Kind::Consume => plan.workload.connections,
        Kind::Mixed => consumers,
        Kind::Publish | Kind::PubSub | Kind::Request => return Vec::new(),
    };
    let of = |n: u32| match connections < consumers {
        true => (n..consumers).step_by(connections as usize).collect(),
        false => vec![n % consumers],
    };
    (0..connections).map(of).collect()
}
