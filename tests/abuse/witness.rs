//! A well-behaved client that measures how the broker answers it while others misbehave.

use crate::support::nats::Client;
use crate::support::now;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Requests and replies between two connections, one at a time.
pub struct Witness {
    requester: Client,
    stop: Arc<AtomicBool>,
    responder: JoinHandle<()>,
}

impl Witness {
    /// `login`: more fields of CONNECT.
    pub fn start(port: u16, login: &str) -> Witness {
        let mut responder = Client::login(port, login).expect("a running broker");
        responder.subscribe("witness", 2);
        responder.ping().expect("a running broker");
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let respond = move || {
            while !told.load(Ordering::Acquire) {
                let event = responder.next(Duration::from_millis(50)).expect("the witness is not thrown out");
                if let Some(crate::support::nats::Event::Message(message)) = event {
                    responder.publish(&message.reply, "", &[], &message.payload);
                    responder.flush().expect("the witness is not thrown out");
                }
            }
        };
        let requester = Client::login(port, login).expect("a running broker");
        Witness { requester, stop, responder: std::thread::spawn(respond) }
    }

    /// The 99th percentile of round trips over this time.
    pub fn p99(&mut self, time: Duration) -> Duration {
        let end = now() + time;
        let mut trips = Vec::new();
        while now() < end || trips.len() < 200 {
            let start = now();
            self.requester.request("witness", b"how are you").expect("the witness is answered");
            trips.push(start.elapsed());
        }
        trips.sort_unstable();
        trips[trips.len() * 99 / 100]
    }

    pub fn end(self) {
        self.stop.store(true, Ordering::Release);
        self.responder.join().expect("a responder that ends well");
    }
}

/// Others may at most double it. On machines where the quiet p99 is shorter than what the system itself takes to run two more
/// threads, that is what is allowed instead.
pub fn assert_at_most_doubled(what: &str, quiet: Duration, disturbed: Duration) {
    println!("{what}: p99 of a round trip {quiet:.0?} before, {disturbed:.0?} meanwhile");
    let allowed = (2 * quiet).max(FLOOR);
    assert!(disturbed <= allowed, "{what}: p99 {quiet:?} became {disturbed:?}");
}

const FLOOR: Duration = Duration::from_millis(4);
