use super::*;
use shards::ids::GroupId;

const G: AccountId = AccountId::GLOBAL;
const OWN: CoreId = CoreId(0);
const OTHER: CoreId = CoreId(1);

/// Shards 0 and 2 are here, shard 1 is on the other core.
fn inputs() -> ShardInputs {
    ShardInputs::new(OWN, 2, &[OWN, OTHER, OWN])
}

fn home(shard: u16) -> Home {
    Home { group: GroupId(9), shard: ShardId(shard) }
}

/// Reads a chunk that consists of these payloads, each a publish to the shard.
fn read(inputs: &mut ShardInputs, shard: u16, payloads: &[&str]) {
    let mut buffer = BytesMut::from(payloads.concat().as_bytes());
    let chunk = buffer.to_vec();
    let mut at = 0;
    for payload in payloads {
        let payload = &chunk[at..at + payload.len()];
        at += payload.len();
        let publish = Publish {
            account: G,
            subject: payload,
            reply: b"",
            headers: b"",
            payload,
            echo: true,
            no_responders: false,
        };
        inputs.push_item(ItemKind::Publish, home(shard), Origin::default(), &publish, &chunk);
    }
    inputs.end_chunk(&mut buffer, at);
    assert!(buffer.is_empty());
}

fn payloads(batch: &Batch) -> Vec<String> {
    let text = |item: &Item| item.payload.of(&batch.chunks[item.chunk as usize]).to_vec();
    batch.items.iter().map(|item| String::from_utf8(text(item)).unwrap()).collect()
}

fn batch(input: Option<(ShardId, ShardInput)>) -> Box<Batch> {
    match input {
        Some((_, ShardInput::Batch(batch))) => batch,
        other => panic!("no batch but {other:?}"),
    }
}

fn request(inputs: &mut ShardInputs, shard: u16) {
    inputs.push_request(ShardId(shard), ReplyTo::default(), Request::Usage { account: G });
}

#[test]
fn the_messages_of_several_chunks_share_a_batch_and_keep_their_order() {
    let mut inputs = inputs();
    read(&mut inputs, 0, &["a", "b"]);
    read(&mut inputs, 0, &["c"]);
    inputs.push_own(home(0), G, b"s", b"", b"own");
    read(&mut inputs, 0, &["d", "e"]);
    let batch = batch(inputs.poll_own());
    assert_eq!(payloads(&batch), ["a", "b", "c", "own", "d", "e"]);
    assert_eq!(batch.chunks.len(), 4);
    assert!(inputs.poll_own().is_none() && !inputs.has_own());
}

#[test]
fn a_request_stays_behind_the_messages_before_it_and_before_those_behind_it() {
    let mut inputs = inputs();
    read(&mut inputs, 2, &["a"]);
    request(&mut inputs, 2);
    read(&mut inputs, 2, &["b"]);
    assert_eq!(payloads(&batch(inputs.poll_own())), ["a"]);
    assert!(matches!(inputs.poll_own(), Some((ShardId(2), ShardInput::Request(..)))));
    assert_eq!(payloads(&batch(inputs.poll_own())), ["b"]);
}

#[test]
fn accounts_do_not_share_a_batch() {
    let mut inputs = inputs();
    inputs.push_own(home(0), AccountId(1), b"s", b"", b"one");
    inputs.push_own(home(0), AccountId(2), b"s", b"", b"two");
    assert_eq!(batch(inputs.poll_own()).account, AccountId(1));
    assert_eq!(batch(inputs.poll_own()).account, AccountId(2));
}

#[test]
fn each_core_polls_the_shards_it_carries() {
    let mut inputs = inputs();
    for shard in 0..3 {
        request(&mut inputs, shard);
    }
    assert_eq!(inputs.poll_home(OTHER).map(|(shard, _)| shard), Some(ShardId(1)));
    assert!(inputs.poll_home(OTHER).is_none());
    let mut own: Vec<_> = std::iter::from_fn(|| inputs.poll_own()).map(|(shard, _)| shard).collect();
    own.sort();
    assert_eq!(own, [ShardId(0), ShardId(2)]);
}

#[test]
fn credit_comes_back_with_the_batch() {
    let mut inputs = inputs();
    let payload = "x".repeat(1 << 20);
    while inputs.has_room(OTHER) {
        read(&mut inputs, 1, &[&payload]);
    }
    assert!(inputs.has_room(OWN));
    let batch = batch(inputs.poll_home(OTHER));
    assert!(!inputs.has_room(OTHER));
    inputs.take_back(OTHER, batch);
    assert!(inputs.has_room(OTHER));
}

#[test]
fn a_chunk_that_no_batch_refers_to_is_not_kept() {
    let mut inputs = inputs();
    let mut buffer = BytesMut::from(&b"PING\r\nPU"[..]);
    inputs.end_chunk(&mut buffer, 6);
    assert_eq!(buffer, b"PU"[..]);
    assert!(!inputs.has_own());
}

#[test]
fn a_run_goes_on_with_another_stream_of_its_shard_alone() {
    let mut inputs = inputs();
    let chunk = b"ab";
    let publish = |from: usize| Publish {
        account: G,
        subject: &chunk[from..=from],
        reply: b"",
        headers: b"",
        payload: b"",
        echo: true,
        no_responders: false,
    };
    let there = Home { group: GroupId(4), ..home(0) };
    let mut run = inputs.item_run(ItemKind::Publish, home(0), Origin::default(), G, chunk);
    assert!(run.push(&publish(0)));
    assert!(run.turn_to(ItemKind::Ack, there) && run.push(&publish(1)));
    assert!(!run.turn_to(ItemKind::Publish, home(2)) && run.push(&publish(0)));
    drop(run);
    inputs.end_chunk(&mut BytesMut::from(&chunk[..]), 2);
    let batch = batch(inputs.poll_own());
    let seen: Vec<_> = batch.items.iter().map(|item| (item.kind, item.group)).collect();
    assert_eq!(
        seen,
        [(ItemKind::Publish, GroupId(9)), (ItemKind::Ack, GroupId(4)), (ItemKind::Ack, GroupId(4))]
    );
    assert_eq!((batch.credit_items, batch.credit_bytes), (3, 3));
}
