//! Key-value: buckets are streams, and their functions are the client's.

use async_nats::jetstream::kv::{Config, CreateErrorKind, Operation, Store, UpdateErrorKind};
use futures_util::TryStreamExt;
use millrace_clients_async_nats::{connect_streams, name, next};

#[tokio::test]
async fn a_key_is_put_and_got() {
    let bucket = create_bucket().await;
    assert_eq!(bucket.put("color", "red".into()).await.unwrap(), 1);
    assert_eq!(bucket.put("color", "blue".into()).await.unwrap(), 2);
    let entry = bucket.entry("color").await.unwrap().unwrap();
    assert_eq!((entry.key.as_str(), &entry.value[..], entry.revision), ("color", &b"blue"[..], 2));
    assert_eq!(bucket.entry_for_revision("color", 1).await.unwrap().unwrap().value, "red");
    assert_eq!(bucket.get("size").await.unwrap(), None);
}

#[tokio::test]
async fn a_key_is_created_once() {
    let bucket = create_bucket().await;
    assert_eq!(bucket.create("color", "red".into()).await.unwrap(), 1);
    let refused = bucket.create("color", "blue".into()).await.unwrap_err();
    assert_eq!(refused.kind(), CreateErrorKind::AlreadyExists);
    bucket.delete("color").await.unwrap();
    assert_eq!(bucket.create("color", "green".into()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_key_is_updated_only_from_its_last_revision() {
    let bucket = create_bucket().await;
    let first = bucket.create("color", "red".into()).await.unwrap();
    let second = bucket.update("color", "blue".into(), first).await.unwrap();
    let refused = bucket.update("color", "green".into(), first).await.unwrap_err();
    assert_eq!(refused.kind(), UpdateErrorKind::WrongLastRevision);
    assert_eq!(bucket.entry("color").await.unwrap().unwrap().revision, second);
}

#[tokio::test]
async fn a_deleted_key_has_no_value_and_keeps_its_history() {
    let bucket = create_bucket().await;
    bucket.put("color", "red".into()).await.unwrap();
    bucket.delete("color").await.unwrap();
    assert_eq!(bucket.get("color").await.unwrap(), None);
    assert_eq!(operations(&bucket, "color").await, [Operation::Put, Operation::Delete]);
    bucket.purge("color").await.unwrap();
    assert_eq!(operations(&bucket, "color").await, [Operation::Purge]);
}

#[tokio::test]
async fn keys_are_listed_without_the_deleted() {
    let bucket = create_bucket().await;
    for key in ["a", "b", "c.d"] {
        bucket.put(key, "".into()).await.unwrap();
    }
    bucket.delete("b").await.unwrap();
    let mut keys: Vec<String> = bucket.keys().await.unwrap().try_collect().await.unwrap();
    keys.sort();
    assert_eq!(keys, ["a", "c.d"]);
}

#[tokio::test]
async fn a_watch_shows_what_is_there_and_then_what_changes() {
    let bucket = create_bucket().await;
    bucket.put("color", "red".into()).await.unwrap();
    bucket.put("color", "blue".into()).await.unwrap();
    let mut watch = bucket.watch_with_history("color").await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap().value, "blue", "the last of what is there");

    bucket.put("size", "7".into()).await.unwrap();
    bucket.put("color", "green".into()).await.unwrap();
    bucket.delete("color").await.unwrap();
    let changed = [next(&mut watch).await.unwrap(), next(&mut watch).await.unwrap()];
    assert_eq!(
        changed.map(|entry| (entry.operation, entry.revision)),
        [(Operation::Put, 4), (Operation::Delete, 5)]
    );
}

#[tokio::test]
async fn a_history_holds_the_last_values_of_a_key() {
    let bucket = create_bucket().await;
    for number in 0..7 {
        bucket.put("count", number.to_string().into()).await.unwrap();
        bucket.put("other", "".into()).await.unwrap();
    }
    let entries: Vec<_> = bucket.history("count").await.unwrap().try_collect().await.unwrap();
    assert!(entries.iter().map(|entry| &entry.value[..]).eq([b"2", b"3", b"4", b"5", b"6"]));
}

#[tokio::test]
async fn a_bucket_is_deleted() {
    let context = connect_streams().await;
    let bucket = create_bucket().await;
    bucket.put("color", "red".into()).await.unwrap();
    let opened_later = context.get_key_value(&bucket.name).await.unwrap();
    assert_eq!(opened_later.status().await.unwrap().values(), 1);
    context.delete_key_value(&bucket.name).await.unwrap();
    assert!(context.get_key_value(&bucket.name).await.is_err());
}

async fn create_bucket() -> Store {
    let config = Config { bucket: name("bucket"), history: 5, ..Default::default() };
    connect_streams().await.create_key_value(config).await.unwrap()
}

async fn operations(bucket: &Store, key: &str) -> Vec<Operation> {
    let entries: Vec<_> = bucket.history(key).await.unwrap().try_collect().await.unwrap();
    entries.into_iter().map(|entry| entry.operation).collect()
}
