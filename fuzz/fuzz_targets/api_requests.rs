//! Bodies of API requests are read without harm, by every decoder.
#![cfg_attr(fuzzing, no_main)]

use millrace::jetstream::requests;

/// The input is the body of a request, and a header block.
pub fn run(data: &[u8]) {
    requests::decode_as_everything(data);
    let _ = requests::level_is_served(data);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
