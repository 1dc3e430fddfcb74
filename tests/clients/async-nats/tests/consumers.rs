//! Consumers: 100,000 messages read in every way, and redelivery.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull, push};
use async_nats::jetstream::{AckKind, Message};
use futures_util::TryStreamExt;
use millrace_clients_async_nats::{
    MESSAGES, connect, connect_streams, empty_stream, filled, name, next, publish, take,
};

#[tokio::test]
async fn every_publish_in_flight_gets_the_pub_ack_of_its_sequence() {
    let filled = filled().await;
    assert!(filled.pub_acks.iter().map(|ack| ack.sequence).eq(1..=MESSAGES));
    let state = connect_streams().await.get_stream(&filled.name).await.unwrap().cached_info().state.clone();
    assert_eq!((state.messages, state.first_sequence, state.last_sequence), (MESSAGES, 1, MESSAGES));
}

#[tokio::test]
async fn a_durable_pull_consumer_reads_all_and_acks_each() {
    let filled = filled().await;
    let config = pull::Config {
        durable_name: Some("reader".into()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: 2000,
        ..Default::default()
    };
    let consumer = connect_streams().await.create_consumer_on_stream(config, &filled.name).await.unwrap();
    let mut messages = consumer.stream().max_messages_per_batch(1000).messages().await.unwrap();
    for number in 1..=MESSAGES {
        let message = next(&mut messages).await.unwrap();
        assert_is_message(&message, number);
        if number < MESSAGES {
            message.ack().await.unwrap();
        } else {
            message.double_ack().await.unwrap();
        }
    }
    let info = consumer.get_info().await.unwrap();
    assert_eq!((info.num_pending, info.delivered.stream_sequence), (0, MESSAGES));
    assert_eq!((info.num_ack_pending, info.ack_floor.stream_sequence), (0, MESSAGES));
}

#[tokio::test]
async fn a_push_subscription_reads_all() {
    let filled = filled().await;
    let config = push::Config {
        name: Some("pushed".into()),
        deliver_subject: connect().await.new_inbox(),
        ack_policy: AckPolicy::None,
        flow_control: true,
        idle_heartbeat: Duration::from_secs(5),
        ..Default::default()
    };
    let consumer = connect_streams().await.create_consumer_on_stream(config, &filled.name).await.unwrap();
    let mut messages = consumer.messages().await.unwrap();
    for number in 1..=MESSAGES {
        assert_is_message(&next(&mut messages).await.unwrap(), number);
    }
}

#[tokio::test]
async fn a_push_subscription_with_explicit_acks_reads_one_subject() {
    let filled = filled().await;
    let config = push::Config {
        durable_name: Some("sevens".into()),
        deliver_subject: connect().await.new_inbox(),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: 500,
        filter_subject: format!("{}.7", filled.name),
        ..Default::default()
    };
    let consumer = connect_streams().await.create_consumer_on_stream(config, &filled.name).await.unwrap();
    let mut messages = consumer.messages().await.unwrap();
    for number in (7..=MESSAGES).step_by(10) {
        let message = next(&mut messages).await.unwrap();
        assert_is_message(&message, number);
        message.ack().await.unwrap();
    }
    assert_eq!(consumer.get_info().await.unwrap().num_pending, 0);
}

#[tokio::test]
async fn an_ordered_consumer_reads_all_in_order() {
    let filled = filled().await;
    let config = pull::OrderedConfig { deliver_policy: DeliverPolicy::All, ..Default::default() };
    let consumer = connect_streams().await.create_consumer_on_stream(config, &filled.name).await.unwrap();
    let mut messages = consumer.messages().await.unwrap();
    for number in 1..=MESSAGES {
        assert_is_message(&next(&mut messages).await.unwrap(), number);
    }
}

#[tokio::test]
async fn an_ordered_push_consumer_reads_all_in_order() {
    let filled = filled().await;
    let config = push::OrderedConfig { deliver_subject: connect().await.new_inbox(), ..Default::default() };
    let consumer = connect_streams().await.create_consumer_on_stream(config, &filled.name).await.unwrap();
    let mut messages = consumer.messages().await.unwrap();
    for number in 1..=MESSAGES {
        assert_is_message(&next(&mut messages).await.unwrap(), number);
    }
}

#[tokio::test]
async fn a_nak_brings_the_message_again() {
    let consumer = worker(pull::Config::default()).await;
    let mut messages = consumer.messages().await.unwrap();
    for delivered in 1..=3 {
        let message = next(&mut messages).await.unwrap();
        assert_eq!(message.info().unwrap().delivered, delivered);
        message.ack_with(AckKind::Nak(None)).await.unwrap();
    }
    next(&mut messages).await.unwrap().double_ack().await.unwrap();
    let info = consumer.get_info().await.unwrap();
    assert_eq!((info.num_ack_pending, info.ack_floor.stream_sequence), (0, 1));
}

#[tokio::test]
async fn a_nak_with_a_delay_brings_the_message_after_it() {
    let mut messages = worker(pull::Config::default()).await.messages().await.unwrap();
    let message = next(&mut messages).await.unwrap();
    let start = Instant::now();
    message.ack_with(AckKind::Nak(Some(Duration::from_millis(500)))).await.unwrap();
    assert_eq!(next(&mut messages).await.unwrap().info().unwrap().delivered, 2);
    assert!(start.elapsed() > Duration::from_millis(450));
}

#[tokio::test]
async fn a_message_without_ack_comes_again_after_ack_wait() {
    let config = pull::Config { ack_wait: Duration::from_millis(500), ..Default::default() };
    let consumer = worker(config).await;
    let mut messages = consumer.messages().await.unwrap();
    let start = Instant::now();
    assert_eq!(next(&mut messages).await.unwrap().info().unwrap().delivered, 1);
    let message = next(&mut messages).await.unwrap();
    assert_eq!(message.info().unwrap().delivered, 2);
    assert!(start.elapsed() > Duration::from_millis(450));
    message.double_ack().await.unwrap();
    assert_eq!(consumer.get_info().await.unwrap().num_ack_pending, 0);
}

#[tokio::test]
async fn a_terminated_message_does_not_come_again() {
    let config = pull::Config { ack_wait: Duration::from_millis(200), ..Default::default() };
    let consumer = worker(config).await;
    let [message] = &fetch(&consumer, 1).await[..] else { panic!("one message") };
    message.double_ack_with(AckKind::Term).await.unwrap();
    assert!(fetch(&consumer, 1).await.is_empty());
}

#[tokio::test]
async fn a_message_is_delivered_no_more_than_max_deliver_says() {
    let consumer = worker(pull::Config { max_deliver: 2, ..Default::default() }).await;
    for _ in 0..2 {
        let [message] = &fetch(&consumer, 1).await[..] else { panic!("one message") };
        message.ack_with(AckKind::Nak(None)).await.unwrap();
    }
    assert!(fetch(&consumer, 1).await.is_empty());
}

#[tokio::test]
async fn consumers_are_listed_and_deleted() {
    let (context, name) = (connect_streams().await, name("consumers"));
    let stream = empty_stream(&context, &name).await;
    for durable in ["one", "other"] {
        let config = pull::Config { durable_name: Some(durable.into()), ..Default::default() };
        stream.create_consumer(config).await.unwrap();
    }
    let mut names: Vec<String> = stream.consumer_names().try_collect().await.unwrap();
    names.sort();
    assert_eq!(names, ["one", "other"]);
    let mut listed = stream.consumers();
    assert_eq!(take(&mut listed, 2).await.len(), 2);
    assert!(stream.delete_consumer("other").await.unwrap().success);
    assert!(stream.consumer_info("other").await.is_err());
}

/// A durable pull consumer on a stream with one message.
async fn worker(config: pull::Config) -> PullConsumer {
    let (context, name) = (connect_streams().await, name("consumers"));
    let stream = empty_stream(&context, &name).await;
    publish(&context, format!("{name}.a"), "1").await;
    let config = pull::Config { durable_name: Some("worker".into()), ..config };
    stream.create_consumer(config).await.unwrap()
}

/// What comes of `count` messages within a second.
async fn fetch(consumer: &PullConsumer, count: usize) -> Vec<Message> {
    let batch =
        consumer.batch().max_messages(count).expires(Duration::from_secs(1)).messages().await.unwrap();
    batch.try_collect().await.unwrap()
}

fn assert_is_message(message: &Message, number: u64) {
    assert_eq!(message.info().unwrap().stream_sequence, number);
    assert_eq!(message.payload, number.to_string());
    assert!(message.subject.ends_with(&format!(".{}", number % 10)));
}
