use super::action::{Action, Credentials, Next, Publish};
use super::*;
use crate::accounts::{Authorization, Secret, User, Verdict};
use crate::protocol::connect::ServerInfo;
use shards::time::{Instant, WallTime};
use std::net::Ipv4Addr;

/// One client and an owner that knows no other: publishes go to the client's own subscriptions.
pub(super) struct Peer {
    pub client: Client,
    pub now: Now,
    authorization: Authorization,
    rest: Vec<u8>,
    /// Do not confirm PINGs.
    pub holds_pings: bool,
    /// Do not answer `Action::Authenticate`.
    pub holds_authentication: Option<Credentials>,
    /// Every action, as text.
    pub actions: Vec<String>,
}

impl Peer {
    pub fn with(change: impl FnOnce(&mut Settings), authorization: Authorization) -> Peer {
        let mut settings = Settings {
            info: ServerInfo {
                server_id: "NID".into(),
                headers: true,
                max_payload: 1024,
                ..ServerInfo::default()
            },
            max_payload: 1024,
            max_pending: 1 << 20,
            anonymous: authorization.anonymous(),
            ..Settings::default()
        };
        change(&mut settings);
        let now = Now { monotonic: Instant(1_000_000_000_000), wall: WallTime(1) };
        let client = Client::new(Arc::new(settings), 7, (Ipv4Addr::LOCALHOST, 4321).into(), now);
        let (rest, actions) = (Vec::new(), Vec::new());
        let mut peer = Peer {
            client,
            now,
            authorization,
            rest,
            holds_pings: false,
            holds_authentication: None,
            actions,
        };
        assert!(peer.heard().starts_with("INFO {\"server_id\":\"NID\""));
        peer
    }

    pub fn new() -> Peer {
        Peer::with(|_| {}, Authorization::Open)
    }

    /// A peer as client libraries make it: not verbose, with headers.
    pub fn connected() -> Peer {
        let mut peer = Peer::new();
        assert_eq!(
            peer.says(r#"CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}"#),
            ""
        );
        peer
    }

    pub fn says(&mut self, line: &str) -> String {
        self.sends(format!("{line}\r\n").as_bytes())
    }

    pub fn sends(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let chunk = std::mem::take(&mut self.rest);
        let mut at = 0;
        loop {
            match self.client.next_action(self.now, &chunk, &mut at) {
                Next::Do(action) => {
                    self.actions.push(format!("{action:?}"));
                    if action == Action::Close {
                        break;
                    }
                    self.perform(action);
                }
                Next::NeedMore { at_least } => {
                    assert!(at_least > chunk.len() - at);
                    break;
                }
                Next::Wait => break,
            }
        }
        self.rest = chunk[at..].to_vec();
        self.heard()
    }

    fn perform(&mut self, action: Action<'_>) {
        match action {
            Action::Publish(publish) => self.publish(publish),
            Action::Ping if !self.holds_pings => self.client.handle_ping_confirmed(),
            Action::Authenticate(credentials) => match &mut self.holds_authentication {
                Some(held) => *held = credentials,
                None => self.authenticate(&credentials),
            },
            _ => {}
        }
    }

    pub fn authenticate(&mut self, credentials: &Credentials) {
        let result = match self.authorization.check(credentials) {
            Verdict::Accept(identity) => Ok(identity),
            Verdict::Refuse => Err(Refused),
            Verdict::NeedsHash(job) => job.run(),
        };
        self.client.handle_authenticated(result);
    }

    fn publish(&mut self, publish: Publish<'_>) {
        let matches = |held: &Subscription| shards::subject::matches(held.subject(), publish.subject);
        let ids: Vec<_> =
            self.client.subscriptions().iter().filter(|(_, held)| matches(held)).map(|(id, _)| id).collect();
        let Publish { subject, reply, headers, payload, .. } = publish;
        let receivers = if publish.echo { ids } else { vec![] };
        for &id in &receivers {
            self.client.deliver(id, &Delivery { subject, reply, headers, payload });
        }
        if receivers.is_empty() && publish.no_responders {
            self.client.no_responders(subject, reply);
        }
    }

    pub fn heard(&mut self) -> String {
        let bytes = self.client.take_output(self.now, Vec::new());
        self.client.handle_written(bytes.len());
        String::from_utf8(bytes).expect("tests speak UTF-8")
    }

    pub fn closed(&self) -> Option<CloseReason> {
        self.client.close_reason()
    }
}

fn users() -> Authorization {
    Authorization::Users(vec![User::Named { name: "ann".into(), password: Secret::new("pw") }])
}

#[test]
fn before_connect_a_peer_is_verbose_and_pedantic() {
    let mut peer = Peer::new();
    assert_eq!(peer.says("SUB a 1"), "+OK\r\n");
    assert_eq!(peer.says("PUB a 2\r\nhi"), "+OK\r\nMSG a 1 2\r\nhi\r\n");
    assert_eq!(peer.says("PUB a.* 0\r\n"), "-ERR 'Invalid Publish Subject'\r\n+OK\r\n");
    assert_eq!(peer.says("UNSUB 1"), "+OK\r\n");
    assert_eq!(peer.says("PING"), "PONG\r\n");
}

#[test]
fn an_empty_connect_keeps_ok_on() {
    assert_eq!(Peer::new().says("CONNECT {}"), "+OK\r\n");
}

#[test]
fn verbs_of_a_quiet_peer_are_not_answered() {
    let mut peer = Peer::connected();
    assert_eq!(peer.says("SUB a 1\r\nUNSUB 9\r\nPUB b 0\r\n\r\n+OK\r\nPONG"), "");
    assert_eq!(peer.says("PUB b..c 0\r\n"), "");
}

#[test]
fn ok_comes_also_for_a_duplicate_or_an_unknown_sid() {
    let mut peer = Peer::new();
    assert_eq!(peer.says("SUB a 1\r\nSUB b 1\r\nUNSUB 77"), "+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(peer.says("PUB b 0\r\n"), "+OK\r\n");
    assert_eq!(peer.says("PUB a 0\r\n"), "+OK\r\nMSG a 1 0\r\n\r\n");
}

#[test]
fn a_bad_connect_closes_without_a_word() {
    for bad in ["CONNECT {", "CONNECT []", "CONNECT {\"user\":1}", "CONNECT "] {
        let mut peer = Peer::new();
        assert_eq!(peer.says(bad), "", "{bad}");
        assert_eq!(peer.closed(), Some(CloseReason::ProtocolViolation));
    }
}

#[test]
fn connect_checks_the_account_then_the_protocol_then_no_responders() {
    let cases = [
        (r#"{"account":"x","protocol":9}"#, "Authorization Violation", CloseReason::AuthenticationFailure),
        (r#"{"new_account":true}"#, "Authorization Violation", CloseReason::AuthenticationFailure),
        (
            r#"{"protocol":2,"no_responders":true}"#,
            "invalid client protocol",
            CloseReason::BadClientProtocolVersion,
        ),
        (r#"{"protocol":-1}"#, "invalid client protocol", CloseReason::BadClientProtocolVersion),
        (
            r#"{"no_responders":true}"#,
            "no responders requires headers support",
            CloseReason::NoRespondersRequiresHeaders,
        ),
    ];
    for (json, text, reason) in cases {
        let mut peer = Peer::new();
        assert_eq!(peer.says(&format!("CONNECT {json}")), format!("-ERR '{text}'\r\n"), "{json}");
        assert_eq!(peer.closed(), Some(reason));
    }
}

#[test]
fn no_responders_needs_headers_on_the_server_too() {
    let mut peer = Peer::with(|settings| settings.info.headers = false, Authorization::Open);
    let answer = peer.says(r#"CONNECT {"headers":true,"no_responders":true}"#);
    assert_eq!(answer, "-ERR 'no responders requires headers support'\r\n");
}

#[test]
fn anything_but_connect_is_refused_before_authentication() {
    for verb in ["PING", "PONG", "INFO {}", "SUB a 1", "PUB a 0\r\n", "", "+OK", "X"] {
        let mut peer = Peer::with(|_| {}, users());
        assert_eq!(peer.says(verb), "-ERR 'Authorization Violation'\r\n", "{verb}");
        assert_eq!(peer.closed(), Some(CloseReason::AuthenticationFailure));
    }
    let mut peer = Peer::with(|_| {}, users());
    assert_eq!(peer.says("CONNX"), "-ERR 'Unknown Protocol Operation'\r\n");
}

#[test]
fn a_user_with_its_password_gets_in_and_one_without_does_not() {
    let mut peer = Peer::with(|_| {}, users());
    assert_eq!(peer.says("CONNECT {\"user\":\"ann\",\"pass\":\"pw\"}\r\nPING"), "+OK\r\nPONG\r\n");
    assert_eq!(peer.client.identity().map(|identity| &*identity.user), Some("ann"));
    let mut peer = Peer::with(|_| {}, users());
    let answer = peer.says("CONNECT {\"user\":\"ann\",\"pass\":\"px\",\"protocol\":5}\r\nPING");
    assert_eq!(answer, "-ERR 'Authorization Violation'\r\n");
    assert_eq!(peer.closed(), Some(CloseReason::AuthenticationFailure));
}

#[test]
fn nothing_is_read_while_credentials_are_checked() {
    let mut peer = Peer::with(|_| {}, users());
    peer.holds_authentication = Some(Credentials::default());
    assert_eq!(peer.says("CONNECT {\"user\":\"ann\",\"pass\":\"pw\",\"verbose\":false}\r\nPING"), "");
    assert_eq!(peer.sends(b"PING\r\n"), "");
    let credentials = peer.holds_authentication.take().unwrap();
    peer.authenticate(&credentials);
    assert_eq!(peer.sends(b""), "PONG\r\nPONG\r\n");
}

#[test]
fn a_second_connect_takes_the_subscriptions_out_before_it_authenticates() {
    let mut peer = Peer::connected();
    peer.says("SUB a 1\r\nSUB b 2\r\nPUB a 0\r\n");
    peer.actions.clear();
    assert_eq!(peer.says("CONNECT {}\r\nSUB b 1\r\nPUB a 0\r\n\r\nPUB b 0\r\n"), "MSG b 1 0\r\n\r\n");
    let verbs: Vec<_> = peer.actions.iter().map(|action| action.split([' ', '(']).next().unwrap()).collect();
    assert_eq!(verbs, ["Unsubscribe", "Unsubscribe", "Authenticate", "Subscribe", "Publish", "Publish"]);
}

#[test]
fn subscriptions_made_before_the_first_connect_stay() {
    let mut peer = Peer::new();
    assert_eq!(peer.says("SUB a 1\r\nCONNECT {}\r\nPUB a 0\r\n"), "+OK\r\n+OK\r\n+OK\r\nMSG a 1 0\r\n\r\n");
}

#[test]
fn the_first_pong_after_connect_brings_a_second_info_to_who_understands_it() {
    let mut peer = Peer::new();
    assert_eq!(peer.says("PING"), "PONG\r\n");
    peer.says(r#"CONNECT {"verbose":false,"protocol":1}"#);
    let answer = peer.says("PING\r\nPING");
    assert!(answer.starts_with("PONG\r\nINFO {"), "{answer}");
    assert!(answer.contains(r#""connect_info":true,"remote_account":"$G""#), "{answer}");
    assert!(answer.contains(r#""client_ip":"127.0.0.1""#) && answer.ends_with(" \r\nPONG\r\n"), "{answer}");
    assert_eq!(peer.says("PING"), "PONG\r\n");
    assert_eq!(Peer::connected().says("PING"), "PONG\r\n");
}

#[test]
fn a_pong_and_what_follows_it_wait_for_the_confirmation_of_interest() {
    let mut peer = Peer::connected();
    peer.holds_pings = true;
    assert_eq!(
        peer.says("SUB a 1\r\nPUB a 1\r\nx\r\nPING\r\nPUB a 1\r\ny\r\nPING\r\nPUB a 1\r\nz"),
        "MSG a 1 1\r\nx\r\n"
    );
    assert_eq!(peer.heard(), "");
    peer.client.handle_ping_confirmed();
    assert_eq!(peer.heard(), "PONG\r\nMSG a 1 1\r\ny\r\n");
    peer.client.handle_ping_confirmed();
    assert_eq!(peer.heard(), "PONG\r\nMSG a 1 1\r\nz\r\n");
    peer.client.handle_ping_confirmed();
    assert_eq!(peer.heard(), "");
}

#[test]
fn a_flood_of_unconfirmed_pings_stops_the_reading_and_nothing_else() {
    let mut peer = Peer::connected();
    peer.holds_pings = true;
    assert_eq!(peer.sends(&b"PING\r\n".repeat(3000)), "");
    assert_eq!(peer.actions.iter().filter(|action| *action == "Ping").count(), 1024);
    peer.holds_pings = false;
    for _ in 0..1024 {
        peer.client.handle_ping_confirmed();
    }
    assert_eq!(peer.heard().len() + peer.sends(b"").len(), 3000 * 6);
}

#[test]
fn what_waits_for_a_confirmation_is_let_go_when_the_connection_ends() {
    let mut peer = Peer::connected();
    peer.holds_pings = true;
    assert_eq!(peer.says("PING\r\nFOO"), "PONG\r\n-ERR 'Unknown Protocol Operation'\r\n");
}

#[test]
fn errors_of_the_protocol_end_the_connection_with_the_text_that_belongs_to_them() {
    let cases = [
        ("FOO", "-ERR 'Unknown Protocol Operation'\r\n", CloseReason::ProtocolViolation),
        ("", "-ERR 'Unknown Protocol Operation'\r\n", CloseReason::ProtocolViolation),
        ("MSG a 1 0\r\n", "-ERR 'Unknown Protocol Operation'\r\n", CloseReason::ProtocolViolation),
        ("PUB a 1\r\nxy", "-ERR 'Unknown Protocol Operation'\r\n", CloseReason::ProtocolViolation),
        ("PUB a x", "", CloseReason::ProtocolViolation),
        ("SUB a", "", CloseReason::ProtocolViolation),
        ("HPUB a 13 12", "", CloseReason::ProtocolViolation),
        ("INFO x", "", CloseReason::ProtocolViolation),
        ("-ERR 'what'", "", CloseReason::ParseError),
        ("PUB a 1025", "-ERR 'Maximum Payload Violation'\r\n", CloseReason::MaximumMessagePayloadExceeded),
        (
            "HPUB a 12 1025",
            "-ERR 'Maximum Payload Violation'\r\n",
            CloseReason::MaximumMessagePayloadExceeded,
        ),
    ];
    for (line, expected, reason) in cases {
        let mut peer = Peer::connected();
        assert_eq!(peer.says(line), expected, "{line}");
        assert_eq!(peer.closed(), Some(reason), "{line}");
        assert_eq!(peer.actions.last().map(String::as_str), Some("Close"));
        assert_eq!(peer.says("PING"), "");
    }
}

#[test]
fn a_control_line_of_4096_bytes_passes_and_one_more_does_not() {
    let mut peer = Peer::connected();
    assert_eq!(peer.says(&format!("SUB {} 1", "a".repeat(4094))), "");
    assert_eq!(peer.says(&format!("SUB {} 1", "a".repeat(4095))), "-ERR 'maximum control line exceeded'\r\n");
    assert_eq!(peer.closed(), Some(CloseReason::MaximumControlLineExceeded));
}

#[test]
fn the_largest_message_passes() {
    let mut peer = Peer::connected();
    assert_eq!(peer.says(&format!("PUB a 1024\r\n{}", "x".repeat(1024))), "");
    assert_eq!(peer.closed(), None);
}

#[test]
fn hpub_without_negotiated_headers_closes_without_a_word() {
    let mut peer = Peer::new();
    assert_eq!(peer.says("HPUB a 12 12"), "");
    assert_eq!(peer.closed(), Some(CloseReason::ProtocolViolation));
}

#[test]
fn headers_are_cut_off_for_a_subscriber_without_them() {
    let headers = b"NATS/1.0\r\nA: b\r\n\r\n";
    let message = Delivery { subject: b"a", reply: b"r", headers, payload: b"hi" };
    let mut with = Peer::connected();
    with.says("SUB a 1");
    with.client.deliver(SubscriptionId::default(), &message);
    assert_eq!(with.heard(), "HMSG a 1 r 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n");
    let mut without = Peer::new();
    without.says("SUB a 1");
    without.client.deliver(SubscriptionId::default(), &message);
    assert_eq!(without.heard(), "MSG a 1 r 2\r\nhi\r\n");
}

#[test]
fn an_hpub_with_an_empty_header_block_arrives_as_a_plain_message() {
    let mut peer = Peer::connected();
    assert_eq!(peer.says("SUB a 1\r\nHPUB a 0 2\r\nhi"), "MSG a 1 2\r\nhi\r\n");
}

#[test]
fn echo_off_is_passed_on_with_the_publish() {
    let mut peer = Peer::new();
    peer.says(r#"CONNECT {"verbose":false,"echo":false}"#);
    assert_eq!(peer.says("SUB a 1\r\nPUB a 0\r\n"), "");
}

#[test]
fn a_malformed_subscription_is_refused_and_its_sid_stays_free() {
    let mut peer = Peer::new();
    for subject in ["foo..bar", "foo.>.bar", ".a", "a."] {
        assert_eq!(peer.says(&format!("SUB {subject} 1")), "-ERR 'Invalid Subject'\r\n");
    }
    assert_eq!(peer.says("SUB a 1\r\nPUB a 0\r\n"), "+OK\r\n+OK\r\nMSG a 1 0\r\n\r\n");
}

#[test]
fn the_servers_own_queue_name_is_refused() {
    let mut peer = Peer::new();
    assert_eq!(
        peer.says("SUB a..b _sys_ 1"),
        "-ERR 'Permissions Violation for Subscription to \"a..b\" using queue \"_sys_\"'\r\n"
    );
}

#[test]
fn one_subscription_too_many_is_refused_and_the_connection_stays() {
    let mut peer = Peer::with(|settings| settings.max_subscriptions = 2, Authorization::Open);
    assert_eq!(
        peer.says("SUB a 1\r\nSUB b 2\r\nSUB c 3"),
        "+OK\r\n+OK\r\n-ERR 'maximum subscriptions exceeded'\r\n"
    );
    assert_eq!(peer.says("UNSUB 1\r\nSUB c 3"), "+OK\r\n+OK\r\n");
}

#[test]
fn reserved_subjects_and_replies_are_refused() {
    let mut peer = Peer::new();
    for subject in ["_GR_.x", "$GR.x", "$NRG.x"] {
        let expected = format!("-ERR 'Permissions Violation for Publish to \"{subject}\"'\r\n");
        assert_eq!(peer.says(&format!("PUB {subject} 0\r\n")), expected);
    }
    for reply in ["_GR_.x", "$GR.x", "_R_.", "_R_.x", "$JS.ACK.x"] {
        let expected = format!("-ERR 'Permissions Violation for Publish with Reply of \"{reply}\"'\r\n");
        assert_eq!(peer.says(&format!("PUB a {reply} 0\r\n")), expected);
    }
    for free in ["a $GNR.x", "a _R_", "a $JS.ACK.", "$JS.ACK.x", "_R_.x", "$GNR.x", "$KV.a"] {
        assert_eq!(peer.says(&format!("PUB {free} 0\r\n")), "+OK\r\n", "{free}");
    }
}

#[test]
fn a_maximum_counts_from_the_sub_and_the_last_message_removes_the_subscription() {
    let mut peer = Peer::connected();
    peer.says("SUB a 1\r\nPUB a 0\r\n\r\nUNSUB 1 3");
    let id = peer.client.subscriptions().find(b"1").unwrap();
    let message = Delivery { subject: b"a", reply: b"", headers: b"", payload: b"" };
    assert_eq!(peer.client.deliver(id, &message), Delivered::Yes);
    assert!(matches!(peer.client.deliver(id, &message), Delivered::Last(removed) if removed.sid() == b"1"));
    assert_eq!(peer.client.deliver(id, &message), Delivered::Gone);
    assert_eq!(peer.heard().matches("MSG").count(), 2);
}

#[test]
fn a_maximum_that_is_reached_already_removes_at_once_and_a_later_one_replaces_it() {
    let mut peer = Peer::connected();
    peer.says("SUB a 1\r\nPUB a 0\r\n\r\nPUB a 0\r\n");
    peer.says("UNSUB 1 5\r\nUNSUB 1 3");
    assert_eq!(peer.says("PUB a 0\r\n\r\nPUB a 0\r\n"), "MSG a 1 0\r\n\r\n");
    peer.says("SUB a 1\r\nPUB a 0\r\n\r\nUNSUB 1 1");
    assert_eq!(peer.says("PUB a 0\r\n"), "");
    assert!(peer.actions.iter().any(|action| action.starts_with("Unsubscribe")));
}

#[test]
fn a_503_goes_to_a_plain_subscription_on_the_reply_and_to_nothing_else() {
    let mut peer = Peer::connected();
    assert_eq!(peer.says("PUB a r.1 0\r\n"), "");
    assert_eq!(peer.says("SUB r.* q 1\r\nPUB a r.1 0\r\n"), "");
    let expected = "HMSG r.1 2 33 33\r\nNATS/1.0 503\r\nNats-Subject: a\r\n\r\n\r\n";
    assert_eq!(peer.says("SUB r.* 2\r\nPUB a r.1 0\r\n"), expected);
    assert_eq!(peer.says("PUB a 0\r\n"), "");
}

#[test]
fn nobody_is_told_of_missing_responders_who_did_not_ask() {
    let mut peer = Peer::new();
    peer.says(r#"CONNECT {"verbose":false,"headers":true}"#);
    assert_eq!(peer.says("SUB r 2\r\nPUB a r 0\r\n"), "");
}

#[test]
fn more_pending_bytes_than_allowed_end_the_connection_without_a_word() {
    let mut peer = Peer::with(|settings| settings.max_pending = 1000, Authorization::Open);
    peer.says("CONNECT {\"verbose\":false}\r\nSUB a 1");
    let id = peer.client.subscriptions().find(b"1").unwrap();
    let message = Delivery { subject: b"a", reply: b"", headers: b"", payload: &[b'x'; 600] };
    assert_eq!(peer.client.deliver(id, &message), Delivered::Yes);
    // Bytes in the socket's hands count until they are written.
    let bytes = peer.client.take_output(peer.now, Vec::new());
    assert_eq!(peer.client.deliver(id, &message), Delivered::Overflow);
    assert_eq!(peer.closed(), Some(CloseReason::SlowConsumerPendingBytes));
    assert_eq!((bytes.len() > 600, peer.client.output_len()), (true, 0));
    assert_eq!(peer.client.deliver(id, &message), Delivered::Gone);
}

#[test]
fn a_peer_that_closed_its_half_still_gets_what_was_queued_unless_writing_fails() {
    for (reason, len) in [(CloseReason::ClientClosed, 6), (CloseReason::WriteError, 0)] {
        let mut peer = Peer::connected();
        peer.holds_pings = true;
        peer.says("PING");
        peer.client.close(reason);
        assert_eq!((peer.client.output_len(), peer.closed()), (len, Some(reason)));
        peer.client.close(CloseReason::ReadError);
        assert_eq!((peer.client.output_len(), peer.closed()), (0, Some(reason)));
    }
}

#[test]
fn a_lame_duck_is_announced_to_who_understands_it() {
    let mut old = Peer::connected();
    old.client.handle_lame_duck();
    assert_eq!(old.heard(), "");
    let mut new = Peer::new();
    new.says(r#"CONNECT {"verbose":false,"protocol":1}"#);
    new.client.handle_lame_duck();
    assert!(new.heard().contains(r#""ldm":true"#));
}

#[test]
fn an_idle_client_with_one_subscription_is_small_and_holds_no_buffer() {
    let mut peer = Peer::connected();
    peer.says("SUB _INBOX.abcdefghijklmnopqrstuv.* 1\r\nPING");
    assert_eq!((peer.client.output.pending(), peer.client.output.ready_len()), (0, 0));
    assert!(size_of::<Client>() + size_of::<Subscription>() < 700, "{}", size_of::<Client>());
}

/// Verbs in lower case, payloads with line ends in them, headers, errors that do not close, and a PING last.
const CONVERSATION: &[u8] = b"CONNECT {\"verbose\":true,\"headers\":true,\"protocol\":1}\r\nsub a.* 1\r\nSUB a.> q 2\r\n\
    PUB a.b 12\r\nPING\r\nPONG\r\n\r\nPING extra\r\nhpub a.c r 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPUB \t a.. \t 0\r\n\r\n\
    UNSUB 1 3\r\nPUB a.b 1\nx\r\nPUB a.b 1\r\ny\r\nSUB x..y 9\r\nSUB b _sys_ 8\r\n+OK\r\nPONG\r\nINFO {}\r\nPING\r\n";

#[test]
fn a_conversation_cut_anywhere_has_the_same_actions_and_the_same_answers() {
    let mut whole = Peer::new();
    let answers = whole.sends(CONVERSATION);
    assert!(answers.ends_with("PONG\r\n") && whole.rest.is_empty());
    for cut in 1..CONVERSATION.len() {
        let mut peer = Peer::new();
        let heard = peer.sends(&CONVERSATION[..cut]) + &peer.sends(&CONVERSATION[cut..]);
        assert_eq!((heard, &peer.actions), (answers.clone(), &whole.actions), "cut at {cut}");
    }
    let mut bytewise = Peer::new();
    let heard: String = CONVERSATION.iter().map(|&byte| bytewise.sends(&[byte])).collect();
    assert_eq!((heard, bytewise.actions), (answers, whole.actions));
}
