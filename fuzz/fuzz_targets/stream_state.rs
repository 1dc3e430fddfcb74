//! A stream in a checkpoint is read without harm, and what is taken has a state that is written and read back as it was.
#![cfg_attr(fuzzing, no_main)]

use shards::stream::Stream;

/// The input is a stream as a checkpoint holds it.
pub fn run(data: &[u8]) {
    let Ok(mut stream) = Stream::decode_checkpoint(data) else { return };
    let _ = stream.state(true, ">", 0, 0);
    let mut again = Vec::new();
    stream.encode_checkpoint(&mut again);
    let read_back = Stream::decode_checkpoint(&again).expect("what was just written can be read");
    assert_eq!(read_back.state_hash(), stream.state_hash());
    stream.for_each_live(&mut |_, _| {});
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
