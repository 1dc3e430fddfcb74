//! What clients send to consumers on the hot path, ack subjects and pull requests, is read without harm.
#![cfg_attr(fuzzing, no_main)]

use shards::consumer::ack_subject::{AckSubject, AckSubjectWriter};
use shards::consumer::fetch_request::{self, FetchRequest};

/// The input is both an ack subject and the payload of a pull request or a delay.
pub fn run(data: &[u8]) {
    if let Some(ack) = AckSubject::parse(data) {
        let (Ok(stream), Ok(consumer)) = (std::str::from_utf8(ack.stream), std::str::from_utf8(ack.consumer))
        else {
            return;
        };
        let mut writer = AckSubjectWriter::default();
        writer.begin(stream, consumer);
        let numbers = [ack.delivery_count, ack.stream_seq, ack.consumer_seq, 1, 2];
        let again = AckSubject::parse(writer.write(numbers)).expect("what was just written can be read");
        assert_eq!(again, AckSubject { scope: None, ..ack });
    }
    if let Err(reason) = FetchRequest::parse(data) {
        assert!(!reason.is_empty());
    }
    let _ = fetch_request::delay(data);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
