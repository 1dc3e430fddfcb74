//! Changes of a stream's group are read without harm; what is read is written back as the same bytes.
#![cfg_attr(fuzzing, no_main)]

use shards::change::{Change, ChangeKind};

/// The first byte is the kind, the rest the body.
pub fn run(data: &[u8]) {
    let Some((&kind, body)) = data.split_first() else { return };
    let Ok(kind) = ChangeKind::try_from(kind) else { return };
    let Ok(change) = Change::decode(kind, body) else { return };
    assert_eq!(change.kind(), kind);
    if let Change::ExpireList(list) = change {
        let mut previous = 0;
        for seq in list.iter() {
            assert!(seq.0 > previous, "sequences ascend");
            previous = seq.0;
        }
        // A number may be written longer than it has to be.
        return;
    }
    let mut again = Vec::new();
    change.encode(&mut again);
    assert_eq!(again, body);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
