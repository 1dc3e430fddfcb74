use crate::encoding::Malformed;
use crate::rejection::Rejection;
use crate::stream::config::{ConsumerLimits, Discard, ServerLimits, Storage, StreamConfig};
use std::time::Duration;

fn named(change: impl FnOnce(&mut StreamConfig)) -> StreamConfig {
    let mut config = StreamConfig { name: "S".into(), ..StreamConfig::default() };
    change(&mut config);
    config
}

fn complete(change: impl FnOnce(&mut StreamConfig)) -> Result<StreamConfig, Rejection> {
    let mut config = named(change);
    config.complete(&ServerLimits::default(), false)?;
    Ok(config)
}

fn text_of(change: impl FnOnce(&mut StreamConfig)) -> String {
    match complete(change) {
        Err(Rejection::StreamInvalidConfig(text)) => text.into_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_given_gets_its_default() {
    let config = complete(|config| config.max_msgs = -7).unwrap();
    assert_eq!(config.subjects, ["S"]);
    let limits = [
        config.max_msgs,
        config.max_bytes,
        config.max_msgs_per_subject,
        config.max_consumers,
        config.max_msg_size,
    ];
    assert_eq!((limits, config.num_replicas), ([-1; 5], 1));
    assert_eq!(config.duplicate_window, Duration::from_secs(120));
    assert_eq!(config.metadata, [("_nats.req.level".to_owned(), "0".to_owned())]);
    let config = complete(|config| config.max_age = Duration::from_secs(30)).unwrap();
    assert_eq!(config.duplicate_window, Duration::from_secs(30));
    let config = complete(|config| config.allow_msg_ttl = true).unwrap();
    assert_eq!(config.metadata[0].1, "1");
}

#[test]
fn pedantic_mode_refuses_what_would_be_adjusted() {
    let pedantic = |config: &mut StreamConfig, seconds| {
        let limits =
            ServerLimits { duplicate_window: Duration::from_secs(seconds), ..ServerLimits::default() };
        config.complete(&limits, true)
    };
    let answer = |text: &'static str| Err(Rejection::Pedantic(text.into()));
    let below = &mut named(|config| config.max_bytes = -2);
    assert_eq!(pedantic(below, 0), answer("max_bytes must be set to -1"));
    let capped = "duplicate window limits are higher than current limits";
    assert_eq!(pedantic(&mut named(|_| {}), 60), answer(capped));
    let aged = &mut named(|config| config.max_age = Duration::from_secs(1));
    assert_eq!(pedantic(aged, 0), answer("duplicate window cannot be bigger than max age"));
    assert_eq!(pedantic(&mut named(|_| {}), 0), Ok(()));
}

#[test]
fn names_and_texts_have_limits() {
    let text = "stream name is required and can not contain '.', '*', '>', '\\', '/'";
    for bad in ["", "a.b", "a*", ">", "a b", "a/b", "a\\b", "a\t"] {
        assert_eq!(text_of(|config| config.name = bad.into()), text);
    }
    assert!(text_of(|config| config.name = "x".repeat(256)).starts_with("stream name is too long"));
    assert!(text_of(|config| config.description = "x".repeat(4097)).contains("maximum allowed is 4096"));
    let metadata = vec![("k".to_owned(), "v".repeat(131_072))];
    assert!(text_of(|config| config.metadata = metadata).contains("131072 bytes"));
}

#[test]
fn replicas_are_one_here() {
    let replicas = |count| complete(|config| config.num_replicas = count).err();
    assert_eq!(replicas(1), None);
    assert_eq!(replicas(3), Some(Rejection::StreamReplicasNotSupported));
    assert_eq!(replicas(6), Some(Rejection::StreamInvalidConfig("maximum replicas is 5".into())));
    assert_eq!(replicas(-1), Some(Rejection::ReplicasCountCannotBeNegative));
}

#[test]
fn times_have_least_and_greatest_values() {
    let ms = Duration::from_millis;
    assert_eq!(text_of(|config| config.max_age = ms(99)), "max age needs to be >= 100ms");
    assert_eq!(text_of(|config| config.duplicate_window = ms(99)), "duplicates window needs to be >= 100ms");
    let text = text_of(|config| (config.max_age, config.duplicate_window) = (ms(500), ms(600)));
    assert_eq!(text, "duplicates window can not be larger then max age");
    let limits = ServerLimits { duplicate_window: Duration::from_secs(60), ..ServerLimits::default() };
    let answer = named(|config| config.duplicate_window = Duration::from_secs(90)).complete(&limits, false);
    let text = "duplicates window can not be larger then server limit of 1m0s";
    assert_eq!(answer, Err(Rejection::StreamInvalidConfig(text.into())));
}

#[test]
fn flags_must_go_together() {
    let text = text_of(|config| (config.deny_purge, config.allow_rollup_hdrs) = (true, true));
    assert_eq!(text, "roll-ups require the purge permission");
    let text = text_of(|config| config.discard_new_per_subject = true);
    assert_eq!(text, "discard new per subject requires discard new policy to be set");
    let text = text_of(|config| (config.discard_new_per_subject, config.discard) = (true, Discard::New));
    assert_eq!(text, "discard new per subject requires max msgs per subject > 0");
}

#[test]
fn subjects_are_valid_apart_and_not_the_servers_own() {
    let of = |subjects: &[&str]| {
        text_of(|config| config.subjects = subjects.iter().map(|s| (*s).into()).collect())
    };
    assert_eq!(of(&["a..b"]), "invalid subject");
    assert_eq!(of(&["a.*", "a.b"]), "subject \"a.*\" overlaps with \"a.b\"");
    assert_eq!(of(&[">"]), "capturing all subjects requires no-ack to be true");
    assert_eq!(of(&["$JS.API.>"]), "subjects that overlap with jetstream api require no-ack to be true");
    assert_eq!(of(&["*.>"]), "subjects that overlap with jetstream api require no-ack to be true");
    assert_eq!(of(&["$SYS.>"]), "subjects that overlap with system api require no-ack to be true");
    for fine in ["$JS.EVENT.>", "$SYS.ACCOUNT.>", "$KV.B.>"] {
        complete(|config| config.subjects = vec![fine.into()]).unwrap();
    }
    complete(|config| (config.subjects, config.no_ack) = (vec![">".into()], true)).unwrap();
}

#[test]
fn an_update_cannot_take_back_what_is_for_ever() {
    let old = complete(|config| {
        (config.deny_delete, config.deny_purge, config.allow_msg_ttl) = (true, true, true);
    })
    .unwrap();
    let update = |change: &dyn Fn(&mut StreamConfig)| {
        let mut new = old.clone();
        change(&mut new);
        match old.check_update(&mut new) {
            Err(Rejection::StreamInvalidConfig(text)) => text.into_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(update(&|c| c.name = "T".into()), "stream configuration name must match original");
    let text = "stream configuration update can not change storage type";
    assert_eq!(update(&|c| c.storage = Storage::Memory), text);
    let text = "stream configuration update can not cancel deny message deletes";
    assert_eq!(update(&|c| c.deny_delete = false), text);
    let text = "stream configuration update can not cancel deny purge";
    assert_eq!(update(&|c| c.deny_purge = false), text);
    assert_eq!(update(&|c| c.allow_msg_ttl = false), "message TTL status can not be disabled");
}

#[test]
fn sealing_is_for_ever_and_sets_what_goes_with_it() {
    let old = complete(|config| config.max_age = Duration::from_secs(9)).unwrap();
    let mut new = StreamConfig { sealed: true, ..old.clone() };
    old.check_update(&mut new).unwrap();
    assert_eq!((new.max_age, new.discard), (Duration::ZERO, Discard::New));
    assert!(new.deny_delete && new.deny_purge && !new.allow_rollup_hdrs);
    let text = "stream configuration update can not unseal a sealed stream";
    assert_eq!(new.check_update(&mut old.clone()), Err(Rejection::StreamInvalidConfig(text.into())));
}

#[test]
fn the_servers_own_metadata_makes_no_difference() {
    let config = complete(|_| {}).unwrap();
    let mut other = config.clone();
    other.metadata.push(("_nats.ver".into(), "9".into()));
    assert!(config.is_same(&other));
    other.metadata.push(("mine".into(), "9".into()));
    assert!(!config.is_same(&other));
}

#[test]
fn a_configuration_is_read_back_as_written() {
    let config = complete(|config| {
        config.subjects = vec!["a.*".into(), "b".into()];
        config.description = "orders".into();
        config.consumer_limits =
            ConsumerLimits { inactive_threshold: Duration::from_secs(4), max_ack_pending: 7 };
        (config.discard, config.storage, config.allow_direct) = (Discard::New, Storage::Memory, true);
        config.metadata = vec![("k".into(), "v".into())];
    })
    .unwrap();
    let mut bytes = Vec::new();
    config.encode(&mut bytes);
    assert_eq!(StreamConfig::decode(&bytes), Ok(config));
    for len in 0..bytes.len() {
        assert_eq!(StreamConfig::decode(&bytes[..len]), Err(Malformed), "{len}");
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bad = bytes.clone();
            bad[at] = value;
            let _ = StreamConfig::decode(&bad);
        }
    }
}
