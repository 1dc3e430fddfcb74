//! A consumer in a checkpoint and the progress behind it are read without harm; replaying progress twice changes nothing.
#![cfg_attr(fuzzing, no_main)]

use shards::consumer::Consumer;
use shards::consumer::config::ConsumerConfig;
use shards::encoding::Reader;
use shards::ids::AccountId;

/// The input is a length of one byte, a consumer of that many bytes (0: of the default configuration), then progress.
pub fn run(data: &[u8]) {
    let Some((&len, data)) = data.split_first() else { return };
    let (consumer, progress) = data.split_at(usize::from(len).min(data.len()));
    let mut reader = Reader::new(consumer);
    if let Ok(config) = ConsumerConfig::decode(&mut reader) {
        let mut again = Vec::new();
        config.encode(&mut again);
        assert_eq!(ConsumerConfig::decode(&mut Reader::new(&again)), Ok(config));
    }
    let fresh = fresh();
    let consumer = if consumer.is_empty() { &fresh } else { consumer };
    let Ok(mut consumer) = Consumer::decode(AccountId::GLOBAL, "S", consumer) else { return };
    assert_eq!(read_back(&consumer).state_hash(), consumer.state_hash());
    if consumer.replay(progress).is_ok() {
        let once = consumer.state_hash();
        assert_eq!(read_back(&consumer).state_hash(), once);
        assert_eq!(consumer.replay(progress), Ok(()));
        assert_eq!(consumer.state_hash(), once, "what is known already changes nothing");
    }
}

/// A consumer with the default configuration that has delivered nothing.
fn fresh() -> Vec<u8> {
    let mut bytes = Vec::new();
    ConsumerConfig::default().encode(&mut bytes);
    // Creation time, two pairs of sequences, resume, changes, nothing pending, nothing redelivered.
    bytes.extend_from_slice(&[0; 8 + 8]);
    bytes
}

fn read_back(consumer: &Consumer) -> Consumer {
    let mut bytes = Vec::new();
    consumer.encode(&mut bytes);
    Consumer::decode(AccountId::GLOBAL, "S", &bytes).expect("what was just written can be read")
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
