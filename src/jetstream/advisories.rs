//! Events of streams and consumers as the messages that tell of them. Source: nats-server, server/jetstream_events.go.

use super::json::encode::Object;
use super::nuid::Nuid;
use shards::shard::answer::Advisory;
use shards::time::WallTime;

/// Subject and JSON text of an event.
pub fn encode(advisory: &Advisory, now: WallTime, nuid: &mut Nuid) -> (Vec<u8>, Vec<u8>) {
    let mut json = Vec::with_capacity(JSON_LEN_USUAL);
    let mut object = Object::begin(&mut json);
    object.string("type", kind(advisory));
    object.text("id", &nuid.id());
    object.time("timestamp", now);
    write_fields(&mut object, advisory);
    object.end();
    (subject(advisory), json)
}

/// Subject of an event, on which alone it depends whether anybody listens.
pub fn subject(advisory: &Advisory) -> Vec<u8> {
    use Advisory as A;
    let (head, stream, consumer) = match advisory {
        A::StreamCreated { stream } => ("ADVISORY.STREAM.CREATED", stream, None),
        A::StreamUpdated { stream } => ("ADVISORY.STREAM.UPDATED", stream, None),
        A::StreamDeleted { stream } => ("ADVISORY.STREAM.DELETED", stream, None),
        A::ConsumerCreated { stream, consumer } => ("ADVISORY.CONSUMER.CREATED", stream, Some(consumer)),
        A::ConsumerDeleted { stream, consumer } => ("ADVISORY.CONSUMER.DELETED", stream, Some(consumer)),
        A::MaxDeliveries { stream, consumer, .. } => {
            ("ADVISORY.CONSUMER.MAX_DELIVERIES", stream, Some(consumer))
        }
        A::MessageNaked { stream, consumer, .. } => ("ADVISORY.CONSUMER.MSG_NAKED", stream, Some(consumer)),
        A::MessageTerminated { stream, consumer, .. } => {
            ("ADVISORY.CONSUMER.MSG_TERMINATED", stream, Some(consumer))
        }
        A::AckSample { stream, consumer, .. } => ("METRIC.CONSUMER.ACK", stream, Some(consumer)),
    };
    let tokens = [Some("$JS.EVENT"), Some(head), Some(stream.as_str()), consumer.map(String::as_str)];
    tokens.into_iter().flatten().collect::<Vec<_>>().join(".").into_bytes()
}

fn kind(advisory: &Advisory) -> &'static str {
    use Advisory as A;
    match advisory {
        A::StreamCreated { .. } | A::StreamUpdated { .. } | A::StreamDeleted { .. } => {
            "io.nats.jetstream.advisory.v1.stream_action"
        }
        A::ConsumerCreated { .. } | A::ConsumerDeleted { .. } => {
            "io.nats.jetstream.advisory.v1.consumer_action"
        }
        A::MaxDeliveries { .. } => "io.nats.jetstream.advisory.v1.max_deliver",
        A::MessageNaked { .. } => "io.nats.jetstream.advisory.v1.nak",
        A::MessageTerminated { .. } => "io.nats.jetstream.advisory.v1.terminated",
        A::AckSample { .. } => "io.nats.jetstream.metric.v1.consumer_ack",
    }
}

fn write_fields(object: &mut Object<'_>, advisory: &Advisory) {
    use Advisory as A;
    let mut stream_action = |stream: &str, action| {
        object.string("stream", stream);
        object.string("action", action);
    };
    match advisory {
        A::StreamCreated { stream } => stream_action(stream, "create"),
        A::StreamUpdated { stream } => stream_action(stream, "modify"),
        A::StreamDeleted { stream } => stream_action(stream, "delete"),
        A::ConsumerCreated { stream, consumer } => {
            write_names(object, stream, consumer);
            object.string("action", "create");
        }
        A::ConsumerDeleted { stream, consumer } => {
            write_names(object, stream, consumer);
            object.string("action", "delete");
        }
        A::MaxDeliveries { stream, consumer, stream_seq, deliveries } => {
            write_names(object, stream, consumer);
            object.number("stream_seq", stream_seq);
            object.number("deliveries", deliveries);
        }
        A::MessageNaked { stream, consumer, consumer_seq, stream_seq, deliveries } => {
            write_names(object, stream, consumer);
            object.number("consumer_seq", consumer_seq);
            object.number("stream_seq", stream_seq);
            object.number("deliveries", deliveries);
        }
        A::MessageTerminated { stream, consumer, consumer_seq, stream_seq, deliveries, reason } => {
            write_names(object, stream, consumer);
            object.number("consumer_seq", consumer_seq);
            object.number("stream_seq", stream_seq);
            object.number("deliveries", deliveries);
            object.string_if("reason", reason);
        }
        A::AckSample { stream, consumer, consumer_seq, stream_seq, ack_time, deliveries } => {
            write_names(object, stream, consumer);
            object.number("consumer_seq", consumer_seq);
            object.number("stream_seq", stream_seq);
            object.number("ack_time", ack_time);
            object.number("deliveries", deliveries);
        }
    }
}

fn write_names(object: &mut Object<'_>, stream: &str, consumer: &str) {
    object.string("stream", stream);
    object.string("consumer", consumer);
}

/// Room that most events fit in. Bytes.
const JSON_LEN_USUAL: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// Subject and text behind the head, which must be there.
    fn encoded(advisory: &Advisory) -> (String, String) {
        let now = WallTime(1_795_278_028_982_162_932);
        let (subject, json) = encode(advisory, now, &mut Nuid::new(7));
        let id = Nuid::new(7).id().map(char::from).iter().collect::<String>();
        let head = format!(r#","id":"{id}","timestamp":"2026-11-21T16:20:28.982162932Z""#);
        let json = String::from_utf8(json).unwrap();
        assert!(json.contains(&head), "{json}");
        (String::from_utf8(subject).unwrap(), json.replace(&head, ""))
    }

    /// Each is compared with what a running nats-server published.
    #[test]
    fn events_read_like_those_of_nats_server() {
        let (stream, consumer) = ("ADV".to_owned(), "c".to_owned());
        assert_eq!(
            encoded(&Advisory::StreamUpdated { stream: stream.clone() }),
            (
                "$JS.EVENT.ADVISORY.STREAM.UPDATED.ADV".into(),
                r#"{"type":"io.nats.jetstream.advisory.v1.stream_action","stream":"ADV","action":"modify"}"#
                    .into()
            )
        );
        let created = Advisory::ConsumerCreated { stream: stream.clone(), consumer: consumer.clone() };
        assert_eq!(
            encoded(&created),
            (
                "$JS.EVENT.ADVISORY.CONSUMER.CREATED.ADV.c".into(),
                r#"{"type":"io.nats.jetstream.advisory.v1.consumer_action","stream":"ADV","consumer":"c","action":"create"}"#
                    .into()
            )
        );
        let terminated = Advisory::MessageTerminated {
            stream: stream.clone(),
            consumer: consumer.clone(),
            consumer_seq: 3,
            stream_seq: 3,
            deliveries: 1,
            reason: "why <not>".into(),
        };
        assert_eq!(
            encoded(&terminated),
            (
                "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.ADV.c".into(),
                r#"{"type":"io.nats.jetstream.advisory.v1.terminated","stream":"ADV","consumer":"c","consumer_seq":3,"stream_seq":3,"deliveries":1,"reason":"why \u003cnot\u003e"}"#
                    .into()
            )
        );
        let sample = Advisory::AckSample {
            stream,
            consumer,
            consumer_seq: 1,
            stream_seq: 1,
            ack_time: 1_897_287,
            deliveries: 1,
        };
        assert_eq!(
            encoded(&sample),
            (
                "$JS.EVENT.METRIC.CONSUMER.ACK.ADV.c".into(),
                r#"{"type":"io.nats.jetstream.metric.v1.consumer_ack","stream":"ADV","consumer":"c","consumer_seq":1,"stream_seq":1,"ack_time":1897287,"deliveries":1}"#
                    .into()
            )
        );
    }
}
