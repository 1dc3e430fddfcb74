//! The `millrace` program.
#![forbid(unsafe_code)]

fn main() {}
