//! Streams: creation, publishing, purge, deletion and direct get.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DirectGetErrorKind, LastRawMessageErrorKind, StorageType};
use futures_util::TryStreamExt;
use millrace_clients_async_nats::{connect_streams, empty_stream, name, publish};

#[tokio::test]
async fn a_stream_is_created_with_what_was_asked_for() {
    let context = connect_streams().await;
    for storage in [StorageType::File, StorageType::Memory] {
        let name = name("streams");
        let config = Config {
            name: name.clone(),
            description: Some("for a test".into()),
            subjects: vec![format!("{name}.a"), format!("{name}.b.*")],
            storage,
            max_messages: 1000,
            max_bytes: 1_000_000,
            max_age: Duration::from_secs(3600),
            max_messages_per_subject: 10,
            duplicate_window: Duration::from_secs(60),
            metadata: HashMap::from([("owner".to_owned(), "tests".to_owned())]),
            ..Default::default()
        };
        let state = &context.create_stream(config.clone()).await.unwrap().get_info().await.unwrap().state;
        assert_eq!((state.messages, state.first_sequence, state.last_sequence), (0, 0, 0));

        let found = context.get_stream(&name).await.unwrap().cached_info().config.clone();
        assert_eq!(found.description, config.description);
        assert_eq!(found.subjects, config.subjects);
        assert_eq!(found.storage, config.storage);
        assert_eq!((found.max_messages, found.max_bytes, found.max_age), (1000, 1_000_000, config.max_age));
        assert_eq!((found.max_messages_per_subject, found.duplicate_window), (10, config.duplicate_window));
        assert_eq!(found.metadata["owner"], "tests");
        assert_eq!(context.stream_by_subject(format!("{name}.b.c")).await.unwrap(), name);
        assert!(context.stream_names().try_collect::<Vec<_>>().await.unwrap().contains(&name));
    }
}

#[tokio::test]
async fn a_stream_on_taken_subjects_is_refused() {
    let (context, taken) = (connect_streams().await, name("streams"));
    empty_stream(&context, &taken).await;
    let config = Config { name: name("streams"), subjects: vec![format!("{taken}.x")], ..Default::default() };
    let CreateStreamErrorKind::JetStream(refused) = context.create_stream(config).await.unwrap_err().kind()
    else {
        panic!("not refused by the broker");
    };
    assert_eq!(refused.error_code(), ErrorCode::STREAM_SUBJECT_OVERLAP);
}

#[tokio::test]
async fn a_stream_is_updated() {
    let (context, name) = (connect_streams().await, name("streams"));
    let stream = empty_stream(&context, &name).await;
    let mut config = stream.cached_info().config.clone();
    config.subjects.push(format!("{name}-more"));
    config.max_messages = 2;
    context.update_stream(config).await.unwrap();
    for number in 1..=3 {
        assert_eq!(publish(&context, format!("{name}-more"), "").await.sequence, number);
    }
    let state = stream.get_info().await.unwrap().state;
    assert_eq!((state.messages, state.first_sequence, state.last_sequence), (2, 2, 3));
}

#[tokio::test]
async fn a_publish_that_no_stream_takes_fails_at_once() {
    let context = connect_streams().await;
    let refused = context.publish(name("streams"), "".into()).await.unwrap().await.unwrap_err();
    assert_eq!(refused.kind(), PublishErrorKind::StreamNotFound);
}

#[tokio::test]
async fn a_message_published_twice_is_stored_once() {
    let (context, name) = (connect_streams().await, name("streams"));
    let stream = empty_stream(&context, &name).await;
    for duplicate in [false, true] {
        let message = PublishMessage::build().payload("once".into()).message_id("1");
        let ack = context.send_publish(format!("{name}.a"), message).await.unwrap().await.unwrap();
        assert_eq!((ack.sequence, ack.duplicate), (1, duplicate));
    }
    assert_eq!(stream.get_info().await.unwrap().state.messages, 1);
}

#[tokio::test]
async fn a_publish_that_expects_another_last_sequence_is_refused() {
    let (context, name) = (connect_streams().await, name("streams"));
    let stream = empty_stream(&context, &name).await;
    publish(&context, format!("{name}.a"), "").await;
    let message = PublishMessage::build().expected_last_sequence(7);
    let refused = context.send_publish(format!("{name}.a"), message).await.unwrap().await.unwrap_err();
    assert_eq!(refused.kind(), PublishErrorKind::WrongLastSequence);
    assert_eq!(stream.get_info().await.unwrap().state.messages, 1);
}

#[tokio::test]
async fn a_purge_removes_the_messages_it_names() {
    let (context, name) = (connect_streams().await, name("streams"));
    let stream = empty_stream(&context, &name).await;
    for number in 1..=10 {
        publish(&context, format!("{name}.{}", number % 2), &number.to_string()).await;
    }
    assert_eq!(stream.purge().filter(format!("{name}.0")).await.unwrap().purged, 5);
    assert_eq!(stream.purge().sequence(4).await.unwrap().purged, 2);
    assert_eq!(stream.purge().keep(1).await.unwrap().purged, 2);
    assert_eq!(stream.purge().await.unwrap().purged, 1);
    let state = stream.get_info().await.unwrap().state;
    assert_eq!((state.messages, state.first_sequence, state.last_sequence), (0, 11, 10));
}

#[tokio::test]
async fn a_deleted_message_is_gone_and_the_others_stay() {
    let (context, name) = (connect_streams().await, name("streams"));
    let stream = empty_stream(&context, &name).await;
    for number in 1..=3 {
        publish(&context, format!("{name}.a"), &number.to_string()).await;
    }
    assert!(stream.delete_message(2).await.unwrap());
    assert_eq!(stream.direct_get(2).await.unwrap_err().kind(), DirectGetErrorKind::NotFound);
    assert_eq!(stream.get_raw_message(2).await.unwrap_err().kind(), LastRawMessageErrorKind::NoMessageFound);
    assert_eq!(stream.get_raw_message(3).await.unwrap().payload, "3");
    let state = stream.get_info().await.unwrap().state;
    assert_eq!((state.messages, state.first_sequence, state.last_sequence), (2, 1, 3));
    assert_eq!(state.deleted_count, Some(1));
}

#[tokio::test]
async fn a_deleted_stream_is_gone_and_its_subjects_are_free() {
    let (context, name) = (connect_streams().await, name("streams"));
    empty_stream(&context, &name).await;
    publish(&context, format!("{name}.a"), "").await;
    assert!(context.delete_stream(&name).await.unwrap().success);
    let GetStreamErrorKind::JetStream(gone) = context.get_stream(&name).await.unwrap_err().kind() else {
        panic!("not refused by the broker");
    };
    assert_eq!(gone.error_code(), ErrorCode::STREAM_NOT_FOUND);

    assert_eq!(empty_stream(&context, &name).await.cached_info().state.messages, 0);
    assert_eq!(publish(&context, format!("{name}.a"), "").await.sequence, 1);
}

#[tokio::test]
async fn a_direct_get_finds_messages_by_sequence_and_by_subject() {
    let (context, name) = (connect_streams().await, name("streams"));
    let stream = empty_stream(&context, &name).await;
    let message = PublishMessage::build().payload("first".into()).header("Kind", "one");
    context.send_publish(format!("{name}.a"), message).await.unwrap().await.unwrap();
    publish(&context, format!("{name}.b"), "second").await;
    publish(&context, format!("{name}.a"), "third").await;

    let first = stream.direct_get(1).await.unwrap();
    assert_eq!((first.sequence, first.subject.as_str()), (1, format!("{name}.a").as_str()));
    assert_eq!((&first.payload[..], first.headers.get("Kind").unwrap().as_str()), (&b"first"[..], "one"));
    let subject = format!("{name}.a");
    assert_eq!(stream.direct_get_last_for_subject(&subject).await.unwrap().sequence, 3);
    assert_eq!(stream.direct_get_first_for_subject(&subject).await.unwrap().sequence, 1);
    assert_eq!(stream.direct_get_next_for_subject(&subject, Some(2)).await.unwrap().sequence, 3);
    assert_eq!(stream.direct_get(4).await.unwrap_err().kind(), DirectGetErrorKind::NotFound);
}
