//! A stored message is read in place without harm, and only what a writer writes is taken for one.
#![cfg_attr(fuzzing, no_main)]

use shards::record::{Record, RecordView, StoredHeaders};

/// The input is a record.
pub fn run(data: &[u8]) {
    let Ok(view) = RecordView::parse(data) else { return };
    let message = view.message();
    assert_eq!((message.seq, message.subject, message.payload), (view.seq, view.subject, view.payload));
    let record = Record {
        seq: view.seq,
        time: view.time,
        subject: view.subject,
        headers: StoredHeaders::of(view.headers),
        payload: view.payload,
        rollup: view.rollup,
        ttl: view.ttl,
        has_msg_id: view.has_msg_id,
    };
    // An inline status in the headers is stored apart: then the record is another one.
    if record.headers.len() == view.headers.len() {
        let mut again = vec![0xaa; record.encoded_len()];
        record.write_to(&mut again);
        assert_eq!(RecordView::parse(&again), Ok(view));
        assert_eq!(again.len(), data.len());
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
