use super::close::CloseReason;
use super::tests::Peer;
use crate::accounts::{Authorization, Secret};
use std::time::Duration;

impl Peer {
    /// Moves time on, timeout by timeout, and returns what was heard.
    fn waits(&mut self, time: Duration) -> String {
        let until = self.now.monotonic + time;
        while let Some(next) = self.client.poll_timeout().filter(|&next| next <= until) {
            self.now.monotonic = self.now.monotonic.max(next);
            self.client.handle_timeout(self.now);
        }
        self.now.monotonic = until;
        self.heard()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_first_ping_comes_about_two_seconds_after_connect() {
    let mut peer = Peer::connected();
    assert_eq!(peer.waits(SECOND * 2 - Duration::from_millis(1)), "");
    assert_eq!(peer.waits(SECOND), "PING\r\n");
}

#[test]
fn a_short_interval_brings_the_first_ping_forward() {
    let mut peer = Peer::with(|settings| settings.ping_interval = SECOND, Authorization::Open);
    peer.says("CONNECT {\"verbose\":false}");
    assert_eq!(peer.waits(SECOND * 6 / 5), "PING\r\n");
}

#[test]
fn a_peer_that_answers_no_ping_is_stale_after_two() {
    let mut peer = Peer::with(|settings| settings.ping_interval = SECOND, Authorization::Open);
    assert_eq!(peer.waits(SECOND), "PING\r\n");
    assert_eq!(peer.waits(SECOND), "PING\r\n");
    assert_eq!(peer.waits(SECOND), "-ERR 'Stale Connection'\r\n");
    assert_eq!(peer.closed(), Some(CloseReason::StaleConnection));
    assert_eq!(peer.client.poll_timeout(), None);
}

#[test]
fn one_pong_answers_all_pings() {
    let mut peer = Peer::with(|settings| settings.ping_interval = SECOND, Authorization::Open);
    peer.waits(SECOND * 2);
    peer.says("PONG");
    assert_eq!(peer.waits(SECOND * 2), "PING\r\nPING\r\n");
    assert_eq!(peer.closed(), None);
}

#[test]
fn a_busy_peer_is_not_pinged_once_its_round_trip_is_known() {
    let mut peer = Peer::connected();
    assert_eq!(peer.waits(SECOND * 3), "PING\r\n");
    peer.says("PONG");
    let mut busy_minutes = |count| {
        let heard = (0..count).map(|_| peer.waits(SECOND * 60) + &peer.says("PUB a 0\r\n"));
        heard.collect::<String>()
    };
    assert_eq!(busy_minutes(58), "");
    assert_eq!(busy_minutes(4), "PING\r\n");
}

#[test]
fn a_late_connect_ends_the_connection() {
    let mut peer = Peer::with(|_| {}, Authorization::Token(Secret::new("t")));
    assert_eq!(peer.waits(SECOND * 2), "-ERR 'Authentication Timeout'\r\n");
    assert_eq!(peer.closed(), Some(CloseReason::AuthenticationTimeout));
}

#[test]
fn a_connect_in_time_ends_the_wait_for_it() {
    let mut peer = Peer::with(|_| {}, Authorization::Token(Secret::new("t")));
    peer.waits(SECOND);
    assert_eq!(peer.says("CONNECT {\"verbose\":false,\"auth_token\":\"t\"}"), "");
    assert_eq!(peer.waits(SECOND), "");
    assert_eq!(peer.closed(), None);
}

#[test]
fn a_write_that_takes_too_long_ends_the_connection_without_a_word() {
    let mut peer = Peer::connected();
    peer.says("SUB a 1");
    peer.holds_pings = true;
    peer.client.handle_lame_duck();
    peer.says("PUB a 2\r\nhi");
    let id = peer.client.subscriptions().find(b"1").unwrap();
    let message = super::Delivery { subject: b"a", reply: b"", headers: b"", payload: b"hi" };
    peer.client.deliver(id, &message);
    let bytes = peer.client.take_output(peer.now, Vec::new());
    peer.client.handle_written(bytes.len() - 1);
    peer.now.monotonic = peer.now.monotonic + SECOND * 10;
    peer.client.handle_timeout(peer.now);
    assert_eq!(peer.closed(), Some(CloseReason::SlowConsumerWriteDeadline));
    assert_eq!(peer.client.output_len(), 0);
}

#[test]
fn a_write_in_time_does_not() {
    let mut peer = Peer::connected();
    peer.says("SUB a 1\r\nPING\r\nPONG");
    peer.waits(SECOND * 20);
    assert_eq!(peer.closed(), None);
}
