use super::Next;
use crate::consumer::ack_subject::AckSubjectWriter;
use crate::consumer::config::ConsumerConfig;
use crate::consumer::fixture::*;
use crate::ids::StreamSeq;
use crate::messages::MessageView;

#[test]
fn the_ack_subject_tells_count_sequences_time_and_what_is_left() {
    let mut bench = Bench::filled(3, explicit());
    bench.fetch("1", "r");
    assert_eq!(bench.take()[0].reply, "$JS.ACK.S.C.1.1.1.1700000000000000000.2");
}

#[test]
fn headers_only_tells_the_size_behind_the_other_headers() {
    let mut bench = Bench::filled(0, ConsumerConfig { headers_only: true, ..explicit() });
    store(&mut bench.stream, bench.now, "s", b"12345");
    store(&mut bench.stream, bench.now, "s", b"");
    bench.stream.messages.get_mut(&2).unwrap().headers = b"NATS/1.0\r\nA: b\r\n\r\n".to_vec();
    bench.fetch("2", "r");
    let got = bench.take();
    assert_eq!(got[0].headers, "NATS/1.0\r\nNats-Msg-Size: 5\r\n\r\n");
    assert_eq!(got[1].headers, "NATS/1.0\r\nA: b\r\nNats-Msg-Size: 0\r\n\r\n");
    assert!(got[0].payload.is_empty());
}

#[test]
fn max_ack_pending_stops_new_messages_until_an_ack() {
    let mut bench = Bench::filled(10, ConsumerConfig { max_ack_pending: 5, ..explicit() });
    bench.fetch(r#"{"batch":10,"expires":1000000000}"#, "r");
    assert_eq!(bench.messages().len(), 5);
    bench.ack(3, "");
    assert_eq!(bench.messages(), [6]);
    bench.pass_ms(1000);
    assert!(bench.statuses()[0].contains("Nats-Pending-Messages: 4\r\n"));
}

/// Takes a step of delivery in parts: `between` happens while the bytes are being read. Then it is asked again what is next,
/// and only a message that is there is handed over.
fn interrupted(bench: &mut Bench, between: impl FnOnce(&mut Bench)) {
    let Next::Message(seq) = bench.next() else { panic!() };
    between(bench);
    let again = bench.next();
    if bench.stream.messages.contains_key(&seq.0) {
        let message = MessageView { seq, time: bench.now.wall, subject: b"s", headers: b"", payload: b"" };
        let mut writer = AckSubjectWriter::default();
        let mut round = bench.consumer.round(&mut writer);
        bench.consumer.deliver(bench.now, &mut round, message, &bench.stream, &mut bench.world);
    } else {
        assert_ne!(again, Next::Message(seq));
    }
}

fn queue_fetch(bench: &mut Bench) {
    bench.consumer.handle_fetch(bench.now, b"1", b"", b"r", &bench.stream, &mut bench.world);
}

#[test]
fn an_ack_that_overtakes_a_redelivery_wins() {
    let mut bench = Bench::filled(1, explicit());
    bench.fetch("1", "r");
    bench.ack(1, "-NAK");
    bench.take();
    queue_fetch(&mut bench);
    interrupted(&mut bench, |bench| {
        bench.handle_ack(b"$JS.ACK.S.C.1.1.1.0.0", b"", true);
    });
    assert_eq!((bench.take().len(), bench.info().num_waiting), (0, 1));
}

#[test]
fn other_acks_do_not_disturb_a_delivery_whose_bytes_are_being_read() {
    let mut bench = Bench::filled(2, explicit());
    bench.fetch("1", "r");
    bench.take();
    queue_fetch(&mut bench);
    interrupted(&mut bench, |bench| {
        bench.handle_ack(b"$JS.ACK.S.C.1.1.1.0.0", b"", true);
    });
    assert_eq!(bench.messages(), [2]);
}

#[test]
fn a_message_that_is_removed_while_it_is_read_is_not_delivered() {
    let mut bench = Bench::filled(2, explicit());
    queue_fetch(&mut bench);
    interrupted(&mut bench, |bench| {
        bench.stream.messages.remove(&1);
    });
    assert_eq!(bench.messages(), []);
    bench.run();
    assert_eq!(bench.messages(), [2]);
}

#[test]
fn what_can_not_be_read_is_skipped() {
    let mut bench = Bench::filled(3, explicit());
    queue_fetch(&mut bench);
    let next = bench.next();
    assert_eq!(next, Next::Message(StreamSeq(1)));
    bench.consumer.gone(StreamSeq(1), &mut bench.world);
    bench.run();
    assert_eq!(bench.deliveries(), [(1, 2, 1)]);
    bench.ack_by([1, 2, 1, 0, 0], "-NAK");
    queue_fetch(&mut bench);
    bench.next();
    bench.consumer.gone(StreamSeq(2), &mut bench.world);
    bench.run();
    assert_eq!(bench.deliveries(), [(1, 3, 2)]);
}

#[test]
fn asking_again_gives_the_same_answer() {
    let mut bench = Bench::filled(2, explicit());
    queue_fetch(&mut bench);
    for _ in 0..3 {
        let next = bench.next();
        assert_eq!(next, Next::Message(StreamSeq(1)));
    }
}
