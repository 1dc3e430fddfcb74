//! What a consumer holds that does nothing.

use crate::counting::held_by;
use crate::fixture::cores::Cores;

/// Bytes of the heap, what the allocator needs for itself included.
const CONSUMER_MAX: i64 = 1 << 10;

const CONSUMERS: i64 = 256;

#[test]
fn a_consumer_that_was_never_used_takes_at_most_a_kibibyte() {
    let mut cores = Cores::new(1);
    let client = cores.connect();
    cores.says(client, b"SUB _INBOX.abc.* 1\r\n");
    for n in 0..2 * CONSUMERS {
        let config = format!(r#"{{"name":"S{n}","subjects":["s.{n}"]}}"#);
        let info = cores.request(client, &format!("$JS.API.STREAM.CREATE.S{n}"), &config);
        assert!(info.contains("\"did_create\":true"), "{info}");
    }
    // The first ones fill what has a fixed size and is no part of a consumer.
    let mut create = |from: i64| {
        for n in from..from + CONSUMERS {
            let config = format!(
                r#"{{"stream_name":"S{n}","config":{{"durable_name":"C","ack_policy":"explicit"}}}}"#
            );
            let info = cores.request(client, &format!("$JS.API.CONSUMER.DURABLE.CREATE.S{n}.C"), &config);
            assert!(info.contains("\"num_pending\":0"), "{info}");
        }
    };
    create(0);
    let held = held_by(|| create(CONSUMERS)) / CONSUMERS;
    assert!(held <= CONSUMER_MAX, "{held} bytes each");
}
