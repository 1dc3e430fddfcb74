//! Envelopes, segment headers, frames, entries and parts of checkpoints are read without harm, also with right checksums
//! over wrong bytes.
#![cfg_attr(fuzzing, no_main)]

use shards::ids::Position;
use shards::log::entry::{self, EntryView};
use shards::log::format::{
    CheckpointBegin, CheckpointEnd, CheckpointPiece, ENVELOPE_LEN, Envelope, FRAME_LEN, Frame,
    HEADER_COPY_LEN, Items, Seal, SegmentHeader,
};

/// The input is each of them in turn, as it is and with its checksum put right.
pub fn run(data: &[u8]) {
    segment_header(data);
    segment_header(&sealed(data, HEADER_COPY_LEN));
    write(data);
    write(&sealed(data, ENVELOPE_LEN));
    entry(data);
    entry(&sealed_entry(data));
    if let Ok(begin) = CheckpointBegin::decode(data) {
        let mut again = Vec::new();
        begin.encode(&mut again);
        assert_eq!(again, data);
    }
    if let Ok(piece) = CheckpointPiece::decode(data) {
        let mut again = Vec::new();
        piece.encode(&mut again);
        assert_eq!(again, data);
    }
    if let Ok(end) = CheckpointEnd::decode(data) {
        let mut again = Vec::new();
        end.encode(&mut again);
        assert_eq!(again, data);
    }
}

fn segment_header(data: &[u8]) {
    if let Ok((header, _)) = SegmentHeader::decode(data) {
        assert!(header.end() > header.start());
    }
}

/// An envelope with what lies behind it: frames are sealed where they lie, their bodies are as they come.
fn write(data: &[u8]) {
    let Some((envelope, _)) = Envelope::decode(data) else { return };
    // The scan of a segment believes no position that the segment does not have.
    if envelope.position.0 > 1 << 62 {
        return;
    }
    let mut data = data.to_vec();
    let seal = Seal::of(&envelope.identity);
    let mut at = ENVELOPE_LEN;
    while let Some(frame) = data.get_mut(at..at + FRAME_LEN) {
        let len = u32::from_le_bytes([frame[8], frame[9], frame[10], frame[11]]);
        let field =
            |range: std::ops::Range<usize>| frame[range].iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
        let (checksum, previous) = (field(12..16) as u32, Position(field(16..24)));
        let resealed = Frame { kind: frame[4], len, checksum, previous };
        resealed.encode(seal, Position(envelope.position.0 + at as u64), frame);
        at += shards::log::format::framed_len(len as usize);
    }
    let mut count = 0u64;
    for item in Items::new(&data, &envelope) {
        count += 1;
        if let Ok(item) = item {
            assert!(item.frame.covers(item.body));
        }
    }
    assert!(count <= u64::from(envelope.items) && count <= data.len() as u64);
}

fn entry(data: &[u8]) {
    let Ok(view) = EntryView::parse(data) else { return };
    assert_eq!(view.bytes(), data);
    let whole = view.changes().filter(|change| change.is_ok()).count();
    assert_eq!(whole == view.len(), view.is_whole());
    for i in 0..view.len() {
        let (offset, len) = view.row(i);
        assert!(offset + len <= data.len());
    }
}

/// With the checksum of the bytes from 4 to `len` before them.
fn sealed(data: &[u8], len: usize) -> Vec<u8> {
    let mut data = data.to_vec();
    if data.len() >= len {
        let checksum = crc32c::crc32c(&data[4..len]);
        data[..4].copy_from_slice(&checksum.to_le_bytes());
    }
    data
}

fn sealed_entry(data: &[u8]) -> Vec<u8> {
    let changes = data.get(60..64).map_or(0, |n| u32::from_le_bytes([n[0], n[1], n[2], n[3]]));
    let table =
        (changes as usize).checked_mul(entry::ROW_LEN).and_then(|len| len.checked_add(entry::HEADER_LEN));
    sealed(data, table.unwrap_or(usize::MAX))
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
