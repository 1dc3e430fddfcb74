//! Publishes and pub acks that come in runs mean what they mean one by one.

use super::simulated_cores_test::Cores;
use crate::client::Traffic;
use crate::client::close::CloseReason;
use shards::shard::request::ItemKind;

#[test]
fn publishes_of_one_read_go_where_each_subject_says() {
    for options in [r#""headers":true"#, r#""verbose":true,"headers":true"#] {
        let mut cores = Cores::new(2, 1);
        cores.create_stream(1, "S", 0, &["s.*"]);
        cores.create_stream(2, "T", 1, &["t.*"]);
        let (publisher, listener) = (cores.connect_with(0, options), cores.connect(0));
        cores.says(listener, "SUB c 1\r\nSUB s.3 2\r\n");
        let said = "PUB s.1 1\r\n1\r\nPUB s.1 1\r\n2\r\nPUB t.1 1\r\n3\r\nPUB s.2 1\r\n4\r\nPUB c 1\r\n5\r\n\
            PUB s.3 1\r\n6\r\nPUB $JS.ACK.T.C.1.1.1.1.0 1\r\n7\r\nHPUB s.1 12 13\r\nNATS/1.0\r\n\r\n8\r\n\
            PUB nobody 1\r\n9\r\n";
        cores.send(publisher, &format!("{said}{said}"));
        cores.settle();
        let stored = |cores: &Cores, subjects: &[&str]| -> String {
            let wanted = |subject: &String| subjects.iter().any(|start| subject.starts_with(start));
            cores.stored.iter().filter(|item| wanted(&item.1)).map(|item| item.2.as_str()).collect()
        };
        assert_eq!(stored(&cores, &["s."]), "1246812468");
        assert_eq!(stored(&cores, &["t.", "$JS"]), "3737");
        assert_eq!(cores.stored.iter().filter(|item| item.0 == ItemKind::Ack).count(), 2);
        assert_eq!(cores.payloads(listener).concat(), "5656");
        let key = cores.peers[publisher].key;
        let Traffic { in_messages, in_bytes, .. } = cores.servers[0].client(key).unwrap().traffic();
        assert_eq!((in_messages, in_bytes), (18, 18 + 24));
        let counters = cores.servers[0].counters();
        assert_eq!((counters.in_messages, counters.in_bytes), (18, 18 + 24));
    }
}

#[test]
fn a_publish_that_is_refused_is_none_in_a_run_either() {
    let mut cores = Cores::new(1, 1);
    cores.create_stream(1, "S", 0, &["s"]);
    let publisher = cores.connect(0);
    cores.says(publisher, "PUB s 1\r\n1\r\nPUB s $JS.ACK.x 1\r\n2\r\nPUB $NRG.x 1\r\n3\r\nPUB s 1\r\n4\r\n");
    let payloads: Vec<_> = cores.stored.iter().map(|item| item.2.as_str()).collect();
    assert_eq!(payloads, ["1", "4"]);
    assert_eq!(cores.hear(publisher).matches("-ERR 'Permissions Violation for Publish").count(), 2);
}

/// What a client that reads nothing has been sent and what its server counts, after so many publishes with pub acks for it.
fn acked(max_pending: usize, publishes: usize, also: &str) -> (Traffic, u64, Option<CloseReason>) {
    let mut cores = Cores::with(1, 1, |settings| settings.max_pending = max_pending);
    cores.create_stream(1, "S", 0, &["s"]);
    let (publisher, listener) = (cores.connect(0), cores.connect(0));
    cores.says(listener, &format!("SUB acks.* 1\r\n{also}"));
    cores.peers[listener].is_stuck = true;
    cores.says(publisher, &"PUB s acks.1 1\r\n1\r\n".repeat(publishes));
    let key = cores.peers[listener].key;
    let out = cores.servers[0].counters().out_messages;
    let traffic = cores.servers[0].client(key).map(|client| client.traffic()).unwrap_or_default();
    (traffic, out, cores.peers[listener].closed)
}

#[test]
fn a_run_of_pub_acks_is_cut_off_where_single_ones_are() {
    // With a maximum, however large, every message is delivered by itself.
    let single = "UNSUB 1 1000000\r\n";
    for publishes in [1, 9, 10, 11, 12, 13, 40] {
        for max_pending in [499, 500, 501, 1 << 20] {
            assert_eq!(acked(max_pending, publishes, ""), acked(max_pending, publishes, single));
        }
    }
    assert_eq!(acked(500, 40, "").2, Some(CloseReason::SlowConsumerPendingBytes));
    let (traffic, out, closed) = acked(1 << 20, 40, "");
    assert_eq!((traffic.out_messages, out, closed), (40, 40, None));
}

#[test]
fn a_maximum_holds_for_pub_acks() {
    assert_eq!(acked(1 << 20, 40, "UNSUB 1 3\r\n").1, 3);
}

#[test]
fn pub_acks_of_one_entry_reach_everybody_they_are_for() {
    let mut cores = Cores::new(1, 1);
    cores.create_stream(1, "S", 0, &["s"]);
    let (publisher, other, third) = (cores.connect(0), cores.connect(0), cores.connect(0));
    cores.says(publisher, "SUB _INBOX.a.* 1\r\n");
    cores.says(other, "SUB _INBOX.b.* 22\r\nSUB both 3\r\n");
    cores.says(third, "SUB both 4\r\n");
    let to = |reply: &str| format!("PUB s {reply} 1\r\nx\r\n");
    let replies = [
        "_INBOX.a.1",
        "_INBOX.a.2",
        "_INBOX.b.1",
        "both",
        "_INBOX.a.3",
        "nobody",
        "_INBOX.a.4.5",
        "_INBOX.a.5",
    ];
    cores.says(publisher, &(replies.map(to).concat() + "PUB s 1\r\nx\r\n" + &to("_INBOX.b.2")));
    let ack = |seq: u64| format!("{{\"stream\":\"S\",\"seq\":{seq}}}");
    let msg = |reply, sid: u64, seq| format!("MSG {reply} {sid} {}\r\n{}\r\n", ack(seq).len(), ack(seq));
    let expected =
        [msg("_INBOX.a.1", 1, 1), msg("_INBOX.a.2", 1, 2), msg("_INBOX.a.3", 1, 5), msg("_INBOX.a.5", 1, 8)];
    assert_eq!(cores.hear(publisher), expected.concat());
    let expected = [msg("_INBOX.b.1", 22, 3), msg("both", 3, 4), msg("_INBOX.b.2", 22, 10)];
    assert_eq!(cores.hear(other), expected.concat());
    assert_eq!(cores.hear(third), msg("both", 4, 4));
}
