//! What the tests share: connections to the broker at `NATS_URL`, names of their own, and a stream of 100,000 messages.

use std::collections::VecDeque;
use std::future::IntoFuture;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::{self, Context, publish::PublishAck, stream};
use async_nats::{Client, ConnectOptions};
use futures_util::{Stream, StreamExt};
use tokio::sync::OnceCell;

pub const MESSAGES: u64 = 100_000;
const IN_FLIGHT: usize = 4000;

/// One more connection; the broker deals connections to its executors in turn. By default this client drops what a
/// subscription has not read, without a word, from the 65,536th message on; a push subscription may be that far behind.
pub async fn connect() -> Client {
    let url = std::env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".into());
    ConnectOptions::new()
        .request_timeout(Some(Duration::from_secs(30)))
        .subscription_capacity(2 * MESSAGES as usize)
        .connect(url)
        .await
        .expect("a connection")
}

pub async fn connect_streams() -> Context {
    let mut context = jetstream::new(connect().await);
    context.set_timeout(Duration::from_secs(30));
    context
}

/// A name that no other test of the same run uses; `file` tells the tests of one file from the others.
pub fn name(file: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    format!("rs-{file}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// An empty stream on the subjects `<name>.>`.
pub async fn empty_stream(context: &Context, name: &str) -> stream::Stream {
    let config = stream::Config {
        name: name.into(),
        subjects: vec![format!("{name}.>")],
        allow_direct: true,
        ..Default::default()
    };
    context.create_stream(config).await.expect("a stream")
}

/// Publishes and waits for the pub ack.
pub async fn publish(context: &Context, subject: String, payload: &str) -> PublishAck {
    context.publish(subject, payload.to_owned().into()).await.expect("sent").await.expect("a pub ack")
}

/// A stream whose message of sequence n has the subject `<name>.<n % 10>` and the payload n.
pub struct Filled {
    pub name: String,
    pub pub_acks: Vec<PublishAck>,
}

/// Published once by the test that comes first, with up to 4,000 pub acks in flight.
pub async fn filled() -> &'static Filled {
    static FILLED: OnceCell<Filled> = OnceCell::const_new();
    FILLED.get_or_init(fill).await
}

async fn fill() -> Filled {
    let context = connect_streams().await;
    let name = name("filled");
    empty_stream(&context, &name).await;
    let mut in_flight = VecDeque::new();
    let mut pub_acks = Vec::new();
    for number in 1..=MESSAGES {
        if in_flight.len() == IN_FLIGHT {
            let oldest: jetstream::context::PublishAckFuture =
                in_flight.pop_front().expect("some are in flight");
            pub_acks.push(oldest.into_future().await.expect("a pub ack"));
        }
        let subject = format!("{name}.{}", number % 10);
        in_flight.push_back(context.publish(subject, number.to_string().into()).await.expect("sent"));
    }
    for pub_ack in in_flight {
        pub_acks.push(pub_ack.await.expect("a pub ack"));
    }
    Filled { name, pub_acks }
}

/// The next of a stream. Panics when it ended, or nothing came for 20 s.
pub async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> T {
    tokio::time::timeout(Duration::from_secs(20), stream.next())
        .await
        .expect("something within 20 s")
        .expect("no end")
}

/// The next `count` of a stream of results.
pub async fn take<T, E: std::fmt::Debug>(
    stream: &mut (impl Stream<Item = Result<T, E>> + Unpin),
    count: usize,
) -> Vec<T> {
    let mut taken = Vec::with_capacity(count);
    while taken.len() < count {
        taken.push(next(stream).await.expect("an item"));
    }
    taken
}
