//! A `config.toml` is read without harm, and every refusal names a place in it.
#![cfg_attr(fuzzing, no_main)]

use millrace::config;
use std::path::Path;

/// The input is the text of the file.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match config::from_toml(Path::new("config.toml"), text) {
        Ok(options) => assert!(options.check().is_ok(), "what was read is within its limits"),
        Err(error) => assert!(error.to_string().starts_with("config.toml:"), "{error}"),
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
