use super::simulated_cores_test::Cores;
use super::*;
use shards::core_server::CoreServer;
use shards::shard::request::ItemKind;

const SEEDS: std::ops::Range<u64> = 1..9;

/// For 1, 2 and 8 cores and some seeds.
fn everywhere(mut test: impl FnMut(Cores)) {
    for seed in SEEDS {
        for cores in [1, 2, 8] {
            test(Cores::new(cores, seed));
        }
    }
}

fn wait_for_pong(cores: &mut Cores, peer: usize) {
    while !cores.peers[peer].heard.ends_with(b"PONG\r\n") {
        cores.step();
    }
}

#[test]
fn after_sub_and_pong_a_publish_on_any_core_arrives() {
    everywhere(|mut cores| {
        let count = cores.servers.len();
        let publishers: Vec<_> = (0..count).map(|core| cores.connect(core)).collect();
        let subscriber = cores.connect(count - 1);
        cores.send(subscriber, "SUB foo.* 1\r\nPING\r\n");
        wait_for_pong(&mut cores, subscriber);
        for &publisher in &publishers {
            cores.publish(publisher, "foo.bar", "", &publisher.to_string());
        }
        cores.settle();
        let mut payloads = cores.payloads(subscriber);
        payloads.sort();
        assert_eq!(payloads, publishers.iter().map(ToString::to_string).collect::<Vec<_>>());
    });
}

#[test]
fn a_second_subscription_to_a_subject_waits_for_the_news_of_the_first() {
    for seed in SEEDS {
        let mut cores = Cores::new(8, seed);
        let publisher = cores.connect(0);
        let (first, second) = (cores.connect(3), cores.connect(3));
        cores.send(first, "SUB foo 1\r\n");
        cores.send(second, "SUB foo 1\r\nPING\r\n");
        wait_for_pong(&mut cores, second);
        cores.publish(publisher, "foo", "", "hi");
        cores.settle();
        assert_eq!(cores.payloads(second), ["hi"]);
    }
}

#[test]
fn after_unsub_and_pong_nothing_arrives() {
    everywhere(|mut cores| {
        let publisher = cores.connect(0);
        let subscriber = cores.connect(cores.servers.len() - 1);
        cores.says(subscriber, "SUB foo 1\r\n");
        for n in 0..5 {
            cores.publish(publisher, "foo", "", &n.to_string());
            cores.step();
        }
        cores.send(subscriber, "UNSUB 1\r\nPING\r\n");
        wait_for_pong(&mut cores, subscriber);
        cores.hear(subscriber);
        for n in 5..10 {
            cores.publish(publisher, "foo", "", &n.to_string());
        }
        cores.settle();
        assert_eq!(cores.hear(subscriber), "");
    });
}

#[test]
fn a_pong_means_that_earlier_messages_are_queued_for_every_subscriber() {
    everywhere(|mut cores| {
        let publisher = cores.connect(0);
        let subscribers: Vec<_> = (0..cores.servers.len()).map(|core| cores.connect(core)).collect();
        for &subscriber in &subscribers {
            cores.says(subscriber, "SUB foo 1\r\n");
        }
        cores.publish(publisher, "foo", "", "hi");
        cores.step();
        cores.send(publisher, "PING\r\n");
        wait_for_pong(&mut cores, publisher);
        // What is queued for a client leaves in the shell's part of the same round.
        cores.step();
        for subscriber in subscribers {
            assert_eq!(cores.payloads(subscriber), ["hi"]);
        }
    });
}

#[test]
fn every_ping_is_answered_in_order_with_other_output() {
    everywhere(|mut cores| {
        let peer = cores.connect(0);
        cores.hear(peer);
        cores.says(peer, "SUB a 1\r\nPING\r\nPUB a 1\r\nx\r\nPING\r\nSUB b 2\r\nPUB a 1\r\ny\r\nPING\r\n");
        let heard = cores.hear(peer);
        let events: Vec<_> = heard.lines().filter(|line| matches!(*line, "PONG" | "x" | "y")).collect();
        assert_eq!(events, ["PONG", "x", "PONG", "y", "PONG"]);
    });
}

#[test]
fn messages_of_one_connection_arrive_in_order() {
    everywhere(|mut cores| {
        let count = cores.servers.len();
        let publisher = cores.connect(0);
        let subscribers: Vec<_> = (0..count).map(|core| cores.connect(core)).collect();
        for &subscriber in &subscribers {
            cores.says(subscriber, "SUB foo 1\r\nSUB > 2\r\n");
        }
        for n in 0..200 {
            cores.publish(publisher, "foo", "", &n.to_string());
            if n % 7 == 0 {
                cores.step();
            }
        }
        cores.settle();
        for subscriber in subscribers {
            let payloads = cores.payloads(subscriber);
            assert_eq!(payloads.len(), 400);
            let numbers: Vec<u32> = payloads.iter().map(|payload| payload.parse().unwrap()).collect();
            assert!(numbers.is_sorted(), "{numbers:?}");
        }
    });
}

#[test]
fn a_queue_group_is_served_uniformly_over_all_members_of_all_cores() {
    for (core_count, members_on) in
        [(1, vec![0; 6]), (2, vec![0, 1, 1, 1]), (8, vec![1, 2, 2, 3, 7, 7, 7, 7])]
    {
        let mut cores = Cores::new(core_count, 3);
        let publisher = cores.connect(0);
        let members: Vec<_> = members_on.iter().map(|&core| cores.connect(core)).collect();
        for &member in &members {
            cores.says(member, "SUB foo q 1\r\n");
        }
        let total = 8000;
        for n in 0..total {
            cores.publish(publisher, "foo", "", &n.to_string());
            if n % 100 == 0 {
                cores.settle();
            }
        }
        cores.settle();
        let shares: Vec<_> = members.iter().map(|&member| cores.payloads(member).len()).collect();
        assert_eq!(shares.iter().sum::<usize>(), total);
        let expected = total as f64 / members.len() as f64;
        let chi_square: f64 = shares.iter().map(|&n| (n as f64 - expected).powi(2) / expected).sum();
        // The 99.99 % bound for 7 degrees of freedom is 29.9; for fewer it is lower.
        assert!(chi_square < 30.0, "{shares:?}");
    }
}

#[test]
fn a_queue_group_and_plain_subscriptions_get_their_copies_side_by_side() {
    everywhere(|mut cores| {
        let count = cores.servers.len();
        let publisher = cores.connect(0);
        let peers: Vec<_> = (0..count).map(|core| cores.connect(core)).collect();
        for &peer in &peers {
            cores.says(peer, "SUB foo 1\r\nSUB foo q 2\r\nSUB f* q 3\r\nSUB * r 4\r\n");
        }
        cores.publish(publisher, "foo", "", "x");
        cores.settle();
        let copies: usize = peers.iter().map(|&peer| cores.payloads(peer).len()).sum();
        assert_eq!(copies, count + 2);
    });
}

#[test]
fn a_message_for_members_that_have_just_gone_goes_to_others() {
    for seed in SEEDS {
        let mut cores = Cores::new(3, seed);
        let publisher = cores.connect(0);
        let (leaver, stayer) = (cores.connect(1), cores.connect(2));
        cores.says(leaver, "SUB foo q 1\r\n");
        cores.says(stayer, "SUB foo q 1\r\n");
        // Published before the publisher's core can know that the member on core 1 has gone.
        cores.send(leaver, "UNSUB 1\r\n");
        for n in 0..20 {
            cores.publish(publisher, "foo", "", &n.to_string());
        }
        cores.settle();
        assert_eq!(cores.payloads(stayer).len(), 20);
        assert_eq!(cores.payloads(leaver).len(), 0);
    }
}

#[test]
fn a_client_without_echo_does_not_hear_itself_and_its_queue_group_goes_on() {
    everywhere(|mut cores| {
        let peer = cores.connect_with(0, r#""echo":false"#);
        let other = cores.connect(cores.servers.len() - 1);
        cores.says(peer, "SUB foo 1\r\nSUB foo q 2\r\n");
        cores.says(other, "SUB foo q 1\r\n");
        for n in 0..10 {
            cores.publish(peer, "foo", "", &n.to_string());
        }
        cores.settle();
        assert_eq!(cores.payloads(peer), [] as [&str; 0]);
        assert_eq!(cores.payloads(other).len(), 10);
    });
}

#[test]
fn a_request_that_nobody_receives_is_answered_with_503() {
    everywhere(|mut cores| {
        let asker = cores.connect(0);
        cores.says(asker, "SUB _INBOX.a.* 7\r\n");
        cores.hear(asker);
        cores.publish(asker, "help", "_INBOX.a.1", "?");
        cores.settle();
        let expected = "HMSG _INBOX.a.1 7 36 36\r\nNATS/1.0 503\r\nNats-Subject: help\r\n\r\n\r\n";
        assert_eq!(cores.hear(asker), expected);
        cores.publish(asker, "help", "elsewhere", "?");
        cores.settle();
        assert_eq!(cores.hear(asker), "");
        let helper = cores.connect(cores.servers.len() - 1);
        cores.says(helper, "SUB help 1\r\nPING\r\n");
        cores.publish(asker, "help", "_INBOX.a.1", "?");
        cores.settle();
        assert_eq!(cores.hear(asker), "");
        cores.publish(helper, "_INBOX.a.1", "", "!");
        cores.settle();
        assert_eq!(cores.payloads(asker), ["!"]);
    });
}

#[test]
fn unsub_with_a_maximum_takes_exactly_that_many() {
    everywhere(|mut cores| {
        let publisher = cores.connect(0);
        let subscriber = cores.connect(cores.servers.len() - 1);
        cores.says(subscriber, "SUB foo 1\r\nUNSUB 1 3\r\n");
        for n in 0..6 {
            cores.publish(publisher, "foo", "", &n.to_string());
        }
        cores.settle();
        assert_eq!(cores.payloads(subscriber), ["0", "1", "2"]);
        cores.says(publisher, "SUB _INBOX.p.* 1\r\n");
        cores.publish(publisher, "foo", "_INBOX.p.1", "?");
        cores.settle();
        assert!(cores.hear(publisher).contains("503"), "the interest has gone too");
    });
}

#[test]
fn a_closed_client_leaves_no_interest_behind() {
    everywhere(|mut cores| {
        let asker = cores.connect(0);
        let helper = cores.connect(cores.servers.len() - 1);
        cores.says(asker, "SUB _INBOX.a.* 7\r\n");
        cores.says(helper, "SUB help 1\r\nSUB help q 2\r\nSUB > 3\r\n");
        let (core, key) = (cores.peers[helper].core, cores.peers[helper].key);
        cores.servers[core].handle_closed(key, CloseReason::ClientClosed);
        cores.settle();
        cores.publish(asker, "help", "_INBOX.a.1", "?");
        cores.settle();
        assert!(cores.hear(asker).contains("503"));
        let again = cores.connect(core);
        assert_ne!(cores.peers[again].key, key);
        assert_eq!(
            cores.servers[core].handle_bytes(cores.now, key, &mut bytes::BytesMut::new()),
            Reading::Closed
        );
    });
}

#[test]
fn after_the_news_of_a_stream_a_publish_on_any_core_is_captured_and_acknowledged() {
    everywhere(|mut cores| {
        let count = cores.servers.len();
        cores.create_stream(1, "S", count as u16 - 1, &["orders.>"]);
        for core in 0..count {
            let publisher = cores.connect(core);
            cores.says(publisher, "SUB _INBOX.p.* 1\r\n");
            cores.publish(publisher, "orders.eu", "_INBOX.p.1", "one");
            cores.publish(publisher, "orders.us", "_INBOX.p.2", "two");
            cores.settle();
            let acks = cores.payloads(publisher);
            assert_eq!(acks.len(), 2, "{acks:?}");
            assert!(acks[0].starts_with(r#"{"stream":"S","seq":"#), "{acks:?}");
            assert_eq!(cores.stored.split_off(0).len(), 2);
            cores.says(publisher, "UNSUB 1\r\n");
        }
    });
}

#[test]
fn a_message_cut_anywhere_is_stored_whole() {
    let mut cores = Cores::new(2, 1);
    cores.create_stream(1, "S", 1, &["a"]);
    let publisher = cores.connect(0);
    let text = "PUB a 5\r\nhello\r\nHPUB a 12 17\r\nNATS/1.0\r\n\r\nworld\r\n";
    for cut in 0..text.len() {
        cores.send(publisher, &text[..cut]);
        cores.settle();
        cores.send(publisher, &text[cut..]);
        cores.settle();
        let payloads: Vec<_> = cores.stored.split_off(0).into_iter().map(|(_, _, payload)| payload).collect();
        assert_eq!(payloads, ["hello", "world"]);
    }
}

#[test]
fn a_pub_ack_goes_to_whoever_subscribed_to_its_reply_subject() {
    everywhere(|mut cores| {
        let count = cores.servers.len();
        cores.create_stream(1, "S", 0, &["a"]);
        let (publisher, listener) = (cores.connect(0), cores.connect(count - 1));
        cores.says(listener, "SUB acks.> 1\r\n");
        cores.publish(publisher, "a", "acks.x", "one");
        cores.settle();
        assert_eq!(cores.payloads(listener), [r#"{"stream":"S","seq":1}"#]);
    });
}

#[test]
fn a_pub_ack_that_another_stream_captures_is_stored_there_without_an_ack_of_its_own() {
    let mut cores = Cores::new(2, 1);
    cores.create_stream(1, "S", 0, &["a"]);
    cores.create_stream(2, "ACKS", 1, &["acks.>"]);
    let publisher = cores.connect(0);
    cores.publish(publisher, "a", "acks.x", "one");
    cores.settle();
    let subjects: Vec<_> = cores.stored.iter().map(|(_, subject, _)| subject.as_str()).collect();
    assert_eq!(subjects, ["a", "acks.x"]);
}

#[test]
fn acks_pulls_and_flow_control_go_to_the_shard_of_their_stream() {
    everywhere(|mut cores| {
        let shard = cores.servers.len() as u16 - 1;
        cores.create_stream(1, "S", shard, &["a"]);
        let peer = cores.connect(0);
        for subject in
            ["$JS.ACK.S.c.1.1.1.1700000000000000000.0", "$JS.API.CONSUMER.MSG.NEXT.S.c", "$JS.FC.S.c.xyz1"]
        {
            cores.publish(peer, subject, "_INBOX.p.1", "x");
        }
        cores.settle();
        let kinds: Vec<_> = cores.stored.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, [ItemKind::Ack, ItemKind::Fetch, ItemKind::FlowControl]);
    });
}

#[test]
fn the_api_has_interest_but_pulls_and_direct_gets_of_unknown_streams_have_none() {
    let mut cores = Cores::new(2, 1);
    let peer = cores.connect(0);
    cores.says(peer, "SUB _INBOX.p.* 1\r\n");
    for (subject, answer) in [
        ("$JS.API.FOO", ""),
        ("$JS.API.STREAM.INFO.NOPE", "10059"),
        ("$JS.API.CONSUMER.MSG.NEXT.NOPE.c", "503"),
        ("$JS.API.DIRECT.GET.NOPE", "503"),
        ("$SYS.REQ.USER.INFO", "503"),
    ] {
        cores.hear(peer);
        cores.publish(peer, subject, "_INBOX.p.1", "");
        cores.settle();
        let heard = cores.hear(peer);
        assert!(
            if answer.is_empty() { heard.is_empty() } else { heard.contains(answer) },
            "{subject}: {heard}"
        );
    }
}

#[test]
fn a_publisher_is_not_read_while_the_shard_is_full_and_nothing_is_lost() {
    for core_count in [1, 2] {
        let mut cores = Cores::new(core_count, 1);
        cores.create_stream(1, "S", core_count as u16 - 1, &["a"]);
        cores.shards_are_stuck = true;
        let publisher = cores.connect(0);
        let other = cores.connect(0);
        cores.says(other, "SUB b 1\r\n");
        let payload = "x".repeat(100_000);
        for _ in 0..400 {
            cores.publish(publisher, "a", "", &payload);
        }
        cores.settle();
        assert_eq!(cores.peers[publisher].reading, Reading::Pause);
        assert!(cores.peers[publisher].unread.len() > 20_000_000);
        cores.publish(other, "b", "", "still served");
        cores.settle();
        assert_eq!(cores.payloads(other), ["still served"]);
        cores.free_shards();
        cores.settle();
        assert_eq!(cores.stored.len(), 400);
        assert!(cores.peers[publisher].unread.is_empty());
    }
}

#[test]
fn full_lanes_between_all_cores_lose_nothing_and_come_to_an_end() {
    for seed in SEEDS.take(2) {
        let mut cores = Cores::new(4, seed);
        cores.lane_len = 2;
        let peers: Vec<_> = (0..4).map(|core| cores.connect(core)).collect();
        for &peer in &peers {
            cores.says(peer, "SUB all 1\r\n");
        }
        let payload = "x".repeat(200_000);
        for &peer in &peers {
            for _ in 0..60 {
                cores.publish(peer, "all", "", &payload);
            }
        }
        assert!(peers.iter().any(|&peer| cores.peers[peer].reading == Reading::Pause));
        cores.settle();
        for &peer in &peers {
            assert_eq!(cores.payloads(peer).len(), 4 * 60);
            assert!(cores.peers[peer].unread.is_empty());
        }
    }
}

#[test]
fn a_consumer_is_told_when_the_way_to_its_subscriber_is_full_and_when_not_any_more() {
    use shards::shard::outputs::{Delivery, Interest, Subscribers};
    let mut cores = Cores::new(2, 1);
    let subscriber = cores.connect(1);
    cores.says(subscriber, "SUB deliver.here 1\r\n");
    let (account, subject) = (shards::ids::AccountId::GLOBAL, &b"deliver.here"[..]);
    assert_eq!(cores.servers[0].interest(account, b"deliver.there"), Interest::None);
    let payload = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while cores.servers[0].interest(account, subject) == Interest::Ready {
        let delivery = Delivery {
            account,
            to: subject,
            subject: b"stored",
            reply: b"ack",
            headers: b"",
            payload: &payload,
        };
        let interest = cores.servers[0].deliver(delivery);
        assert_eq!(interest, cores.servers[0].interest(account, subject));
        sent += 1;
    }
    assert_eq!(cores.servers[0].interest(account, subject), Interest::Full);
    assert!((8..=9).contains(&sent));
    cores.subscribers_changed = 0;
    cores.settle();
    assert!(cores.subscribers_changed > 0);
    assert_eq!(cores.servers[0].interest(account, subject), Interest::Ready);
    let heard = cores.hear(subscriber);
    assert_eq!(heard.matches("MSG stored 1 ack 1048576\r\n").count(), sent);
}

#[test]
fn shards_hear_of_subscribers_that_come_or_go_once_a_turn() {
    let mut cores = Cores::new(2, 1);
    let peer = cores.connect(0);
    cores.settle();
    cores.subscribers_changed = 0;
    cores.send(peer, "SUB a 1\r\nSUB b 2\r\nSUB c 3\r\n");
    cores.settle();
    assert_eq!(cores.subscribers_changed, 2, "once on each core");
    cores.subscribers_changed = 0;
    cores.send(peer, "UNSUB 1\r\nUNSUB 2\r\n");
    cores.settle();
    assert_eq!(cores.subscribers_changed, 2, "once on each core");
}

#[test]
fn a_client_that_does_not_read_is_closed_and_others_go_on() {
    let mut cores = Cores::with(2, 1, |settings| settings.max_pending = 1 << 20);
    let publisher = cores.connect(0);
    let (slow, quick) = (cores.connect(1), cores.connect(1));
    for peer in [slow, quick] {
        cores.says(peer, "SUB a 1\r\n");
    }
    cores.peers[slow].is_stuck = true;
    let payload = "x".repeat(100_000);
    for _ in 0..30 {
        cores.publish(publisher, "a", "", &payload);
        cores.settle();
    }
    assert_eq!(cores.peers[slow].closed, Some(CloseReason::SlowConsumerPendingBytes));
    assert_eq!(cores.servers[1].counters().slow_consumers, 1);
    assert_eq!(cores.payloads(quick).len(), 30);
    assert_eq!(cores.servers[1].client_count(), 1);
}

#[test]
fn a_publisher_gives_a_crowded_subscriber_a_moment_once_per_read() {
    let mut cores = Cores::with(1, 1, |settings| settings.max_pending = 1 << 20);
    let (publisher, slow) = (cores.connect(0), cores.connect(0));
    cores.says(slow, "SUB a 1\r\n");
    cores.peers[slow].is_stuck = true;
    let operation = format!("PUB a 100000\r\n{}\r\n", "x".repeat(100_000));
    cores.send(publisher, &operation.repeat(10));
    assert_eq!(cores.peers[publisher].reading, Reading::Pause);
    assert_eq!(cores.peers[publisher].unread.len(), 2 * operation.len());
    cores.now.monotonic = cores.now.monotonic + crate::limits::STALL_TIME;
    cores.settle();
    assert!(cores.peers[publisher].unread.is_empty());
    assert_eq!(cores.peers[slow].closed, None);
}

#[test]
fn an_idle_client_is_pinged_and_then_stale() {
    let mut cores = Cores::new(1, 1);
    let peer = cores.connect(0);
    for _ in 0..60 {
        let due = cores.servers[0].poll_timeout();
        let Some(due) = due else { break };
        cores.now.monotonic = due;
        cores.settle();
    }
    assert_eq!(cores.peers[peer].closed, Some(CloseReason::StaleConnection));
    let heard = cores.hear(peer);
    assert!(heard.contains("PING\r\n") && heard.contains("-ERR 'Stale Connection'\r\n"), "{heard}");
    assert_eq!(cores.servers[0].poll_timeout(), None);
}

#[test]
fn too_many_connections_are_told_so() {
    let mut cores = Cores::new(1, 1);
    let server = &mut cores.servers[0];
    let key = server.accept(cores.now, 9, (std::net::Ipv4Addr::LOCALHOST, 4321).into(), false);
    assert_eq!(server.poll_closing(), Some(key));
    let output = server.take_output(cores.now, key, Vec::new());
    let text = String::from_utf8(output).unwrap();
    assert!(text.starts_with("INFO ") && text.ends_with("-ERR 'maximum connections exceeded'\r\n"), "{text}");
    server.handle_closed(key, CloseReason::ClientClosed);
    assert_eq!(server.client_count(), 0);
}

#[test]
fn every_client_ends_when_the_server_stops() {
    let mut cores = Cores::new(1, 1);
    let peers: Vec<_> = (0..3).map(|_| cores.connect(0)).collect();
    cores.servers[0].handle_lame_duck();
    cores.servers[0].shut_down();
    cores.settle();
    assert!(peers.iter().all(|&peer| cores.peers[peer].closed == Some(CloseReason::ServerShutdown)));
}
