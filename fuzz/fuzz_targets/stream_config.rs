//! The configuration of a stream is read without harm; what is read is written and read back as it was.
#![cfg_attr(fuzzing, no_main)]

use shards::stream::config::StreamConfig;

/// The input is an encoded configuration.
pub fn run(data: &[u8]) {
    let Ok(config) = StreamConfig::decode(data) else { return };
    let mut again = Vec::new();
    config.encode(&mut again);
    assert_eq!(StreamConfig::decode(&again), Ok(config));
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
