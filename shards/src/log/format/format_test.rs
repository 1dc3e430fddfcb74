use super::*;
use crate::encoding::Write;
use crate::ids::{EntryIndex, GroupId, Position};
use crate::limits::BLOCK_LEN;
use crate::log::entry::EntryView;

fn identity() -> Identity {
    Identity { log_id: 0x1234_5678_9abc, life: 77, serial: 5, epoch: 3 }
}

fn envelope() -> Envelope {
    Envelope {
        flags: 0,
        items: 2,
        identity: identity(),
        position: Position(8192),
        synced_mark: Position(4096),
        len: 4096,
        used: 200,
        previous_checksum: 99,
    }
}

fn header() -> SegmentHeader {
    let checkpoint = CheckpointRef {
        number: 4,
        begin: Position(100),
        end_write: Position(200),
        end: Position(300),
        tail_start: Position(50),
    };
    SegmentHeader {
        envelope: Envelope { flags: FLAG_SEGMENT, items: 0, len: 8192, ..envelope() },
        len: 64 << 20,
        previous_end: Position(8000),
        previous_serial: 4,
        checkpoints: [Some(checkpoint), None],
    }
}

#[test]
fn an_envelope_reads_back_and_any_flipped_bit_is_found() {
    let mut bytes = [0; ENVELOPE_LEN];
    let checksum = envelope().encode(&mut bytes);
    assert_eq!(Envelope::decode(&bytes), Some((envelope(), checksum)));
    for bit in 0..ENVELOPE_LEN * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Envelope::decode(&bytes), None, "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_segment_header_survives_the_loss_of_either_block() {
    let mut bytes = vec![0; SEGMENT_HEADER_LEN];
    let checksum = header().encode(&mut bytes);
    assert_eq!(SegmentHeader::decode(&bytes), Ok((header(), checksum)));
    for block in 0..2 {
        let mut torn = bytes.clone();
        torn[block * BLOCK_LEN..][..BLOCK_LEN].fill(0xa5);
        assert_eq!(SegmentHeader::decode(&torn), Ok((header(), checksum)));
    }
    assert_eq!(SegmentHeader::decode(&[0; SEGMENT_HEADER_LEN]), Err(HeaderError::None));
}

#[test]
fn a_later_version_is_told_apart_from_damage() {
    let mut bytes = vec![0; SEGMENT_HEADER_LEN];
    header().encode(&mut bytes);
    bytes[8] = 2;
    bytes[BLOCK_LEN + 8] = 2;
    assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::LaterVersion));
}

#[test]
fn a_frame_is_valid_at_its_place_only() {
    let seal = Seal::of(&identity());
    let frame = Frame { kind: 10, len: 3, checksum: crc32c::crc32c(b"pad"), previous: Position(0) };
    let mut bytes = [0; FRAME_LEN];
    frame.encode(seal, Position(8288), &mut bytes);
    assert_eq!(Frame::decode(&bytes, seal, Position(8288)), Some(frame));
    assert_eq!(Frame::decode(&bytes, seal, Position(8296)), None);
    let reused = Seal::of(&Identity { serial: 6, ..identity() });
    assert_eq!(Frame::decode(&bytes, reused, Position(8288)), None);
    let next_life = Seal::of(&Identity { life: 78, ..identity() });
    assert_eq!(Frame::decode(&bytes, next_life, Position(8288)), None);
}

#[test]
fn the_parts_of_a_checkpoint_read_back() {
    let mut out = Vec::new();
    let begin = CheckpointBegin { number: 3, tail_start: Position(77) };
    begin.encode(&mut out);
    assert_eq!(CheckpointBegin::decode(&out), Ok(begin));

    out.clear();
    let piece = CheckpointPiece {
        number: 3,
        group: GroupId(9),
        covers: EntryIndex(12),
        total: 10,
        offset: 4,
        bytes: b"statex",
    };
    piece.encode(&mut out);
    assert_eq!(CheckpointPiece::decode(&out), Ok(piece));
    out.put_u8(0);
    assert!(CheckpointPiece::decode(&out).is_err(), "longer than the state");

    out.clear();
    let pins =
        vec![Pin { serial: 1, start: Position(0), len: 10 }, Pin { serial: 2, start: Position(10), len: 5 }];
    let end = CheckpointEnd { number: 3, groups: 1, bytes: 10, pins };
    end.encode(&mut out);
    assert_eq!(CheckpointEnd::decode(&out), Ok(end));
}

/// Small, seeded, and the same in every run.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) ^ state
    }
}

#[test]
fn no_decoder_panics_on_arbitrary_bytes() {
    let mut next = noise(8123);
    let mut valid = vec![0; SEGMENT_HEADER_LEN];
    header().encode(&mut valid);
    for round in 0..20_000 {
        let mut bytes = if round % 2 == 0 {
            let len = next() as usize % 300;
            (0..len).map(|_| next() as u8).collect::<Vec<_>>()
        } else {
            let mut bytes = valid.clone();
            let at = next() as usize % HEADER_COPY_LEN;
            bytes[at] = next() as u8;
            bytes
        };
        let _ = Envelope::decode(&bytes);
        let _ = SegmentHeader::decode(&bytes);
        let _ = Frame::decode(&bytes, Seal::default(), Position(0));
        let _ = CheckpointBegin::decode(&bytes);
        let _ = CheckpointPiece::decode(&bytes);
        let _ = CheckpointEnd::decode(&bytes);
        let _ = EntryView::parse(&bytes);
        if bytes.len() >= 72 {
            // A header whose checksum is right and whose lengths are not.
            let checksum = crc32c::crc32c(&bytes[4..72]);
            bytes[..4].copy_from_slice(&checksum.to_le_bytes());
            bytes[60..64].fill(0);
            let _ = EntryView::parse(&bytes);
        }
        let wild = Envelope { items: next() as u32, used: next() as u32, ..envelope() };
        Items::new(&bytes, &wild).for_each(drop);
    }
}
