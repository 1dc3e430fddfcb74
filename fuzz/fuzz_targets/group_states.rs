//! What a checkpoint holds of a group (catalog, or stream and consumers) is read without harm.
#![cfg_attr(fuzzing, no_main)]

/// The input is a group's state.
pub fn run(data: &[u8]) {
    let _ = shards::shard::is_group_state(data);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
