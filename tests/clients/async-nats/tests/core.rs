//! Core NATS: subjects, queue groups, requests and headers.

use async_nats::{Client, HeaderMap, RequestErrorKind, Subscriber};
use futures_util::StreamExt;
use futures_util::future::join_all;
use millrace_clients_async_nats::{connect, name, next};

#[tokio::test]
async fn a_wildcard_subscription_gets_what_matches_and_nothing_else() {
    let (subscriber, publisher, subject) = (connect().await, connect().await, name("core"));
    let mut one_token = subscriber.subscribe(format!("{subject}.*.end")).await.unwrap();
    let mut the_rest = subscriber.subscribe(format!("{subject}.a.>")).await.unwrap();
    reaches(&publisher, &subscriber).await;

    for rest in ["a.end", "b.end", "a.b.end", "a", "a.b.c", "last.end", "a.last"] {
        publisher.publish(format!("{subject}.{rest}"), rest.into()).await.unwrap();
    }
    assert_eq!(until(&mut one_token, "last.end").await, ["a.end", "b.end", "last.end"]);
    assert_eq!(until(&mut the_rest, "a.last").await, ["a.end", "a.b.end", "a.b.c", "a.last"]);
}

#[tokio::test]
async fn an_unsubscribe_with_a_maximum_delivers_that_many() {
    let (client, subject) = (connect().await, name("core"));
    let mut limited = client.subscribe(subject.clone()).await.unwrap();
    let mut unlimited = client.subscribe(subject.clone()).await.unwrap();
    limited.unsubscribe_after(2).await.unwrap();
    for number in 0..5 {
        client.publish(subject.clone(), number.to_string().into()).await.unwrap();
    }
    assert_eq!(until(&mut unlimited, "4").await, ["0", "1", "2", "3", "4"]);
    assert_eq!(limited.by_ref().count().await, 2);
}

/// The members sit on several connections, and so on several executors. The message to all of them at the end tells each
/// that nothing more will come.
#[tokio::test]
async fn one_member_of_a_queue_group_gets_each_message() {
    let (publisher, subject) = (connect().await, name("core"));
    let mut members = Vec::new();
    for _ in 0..4 {
        let client = connect().await;
        let member = client.queue_subscribe(subject.clone(), "workers".into()).await.unwrap();
        let end = client.subscribe(format!("{subject}.end")).await.unwrap();
        reaches(&publisher, &client).await;
        members.push((client, member, end));
    }
    for number in 0..400 {
        publisher.publish(subject.clone(), number.to_string().into()).await.unwrap();
    }
    publisher.publish(format!("{subject}.end"), "".into()).await.unwrap();

    let mut received = Vec::new();
    for (_client, mut member, mut end) in members {
        next(&mut end).await;
        // What came before the end is in the client already; the drained subscription ends behind it.
        member.drain().await.unwrap();
        let part: Vec<usize> = member.map(|message| number(&message.payload)).collect().await;
        assert!(!part.is_empty(), "every member gets a part");
        received.extend(part);
    }
    received.sort_unstable();
    assert_eq!(received, (0..400).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_request_is_answered_by_its_responder() {
    let (responder, client, subject) = (connect().await, connect().await, name("core"));
    let mut requests = responder.subscribe(subject.clone()).await.unwrap();
    reaches(&client, &responder).await;
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let answer = text(&request.payload).to_uppercase();
            responder.publish(request.reply.unwrap(), answer.into()).await.unwrap();
        }
    });
    let replies =
        join_all((0..50).map(|n| client.request(subject.clone(), format!("question {n}").into()))).await;
    for (number, reply) in replies.into_iter().enumerate() {
        assert_eq!(text(&reply.unwrap().payload), format!("QUESTION {number}"));
    }
}

#[tokio::test]
async fn a_request_without_responders_fails_at_once() {
    let refused = connect().await.request(name("core"), "anyone?".into()).await.unwrap_err();
    assert_eq!(refused.kind(), RequestErrorKind::NoResponders);
}

#[tokio::test]
async fn headers_arrive_as_they_were_sent() {
    let (subscriber, client, subject) = (connect().await, connect().await, name("core"));
    let mut subscription = subscriber.subscribe(subject.clone()).await.unwrap();
    reaches(&client, &subscriber).await;
    let mut headers = HeaderMap::new();
    headers.insert("Trace", "a b: c");
    headers.append("Many", "one");
    headers.append("Many", "two");
    headers.insert("lower-case", "kept");
    for payload in ["payload", ""] {
        client.publish_with_headers(subject.clone(), headers.clone(), payload.into()).await.unwrap();
    }
    for payload in ["payload", ""] {
        let message = next(&mut subscription).await;
        assert_eq!(message.headers.as_ref(), Some(&headers));
        assert_eq!(text(&message.payload), payload);
    }
}

#[tokio::test]
async fn a_large_payload_arrives_whole() {
    let (subscriber, client, subject) = (connect().await, connect().await, name("core"));
    let payload: Vec<u8> = (0..client.server_info().max_payload).map(|index| (index % 251) as u8).collect();
    let mut subscription = subscriber.subscribe(subject.clone()).await.unwrap();
    reaches(&client, &subscriber).await;
    client.publish(subject, payload.clone().into()).await.unwrap();
    assert_eq!(next(&mut subscription).await.payload, payload);
}

/// Waits until `publisher` reaches what `subscriber` has subscribed to. This client's `flush` only empties its own buffer, so
/// the publisher asks the subscriber until there is somebody who answers.
async fn reaches(publisher: &Client, subscriber: &Client) {
    let subject = subscriber.new_inbox();
    let mut question = subscriber.subscribe(subject.clone()).await.unwrap();
    let answer = async {
        let reply = next(&mut question).await.reply.unwrap();
        subscriber.publish(reply, "".into()).await.unwrap();
    };
    let ask = async {
        while let Err(refused) = publisher.request(subject.clone(), "".into()).await {
            assert_eq!(refused.kind(), RequestErrorKind::NoResponders);
        }
    };
    tokio::join!(answer, ask);
}

/// The payloads up to `last`.
async fn until(subscription: &mut Subscriber, last: &str) -> Vec<String> {
    let mut payloads = Vec::new();
    while payloads.last().is_none_or(|payload| payload != last) {
        payloads.push(text(&next(subscription).await.payload).to_owned());
    }
    payloads
}

fn number(payload: &[u8]) -> usize {
    text(payload).parse().expect("a number")
}

fn text(payload: &[u8]) -> &str {
    std::str::from_utf8(payload).expect("text")
}
