//! Changes and checkpoints of the catalog are read without harm, and a catalog of whatever was read is sound.
#![cfg_attr(fuzzing, no_main)]

use shards::meta::Catalog;
use shards::meta::change::{self, CatalogChange};

/// The first byte says what the rest is: 0 a checkpoint, anything else changes, each with its kind and a length before
/// it.
pub fn run(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let mut catalog = if first == 0 {
        let Ok(catalog) = Catalog::decode_checkpoint(rest) else { return };
        catalog
    } else {
        let mut catalog = Catalog::default();
        let mut rest = rest;
        while let [kind, len, more @ ..] = rest {
            let (body, behind) = more.split_at(usize::from(*len).min(more.len()));
            rest = behind;
            let Ok(change) = CatalogChange::decode(*kind, body) else { continue };
            let mut again = Vec::new();
            change.encode(&mut again);
            assert_eq!(CatalogChange::decode(change.kind(), &again), Ok(change.clone()));
            catalog.apply(change);
        }
        catalog
    };
    catalog.check();
    let mut again = Vec::new();
    catalog.encode_checkpoint(&mut again);
    let read_back = Catalog::decode_checkpoint(&again).expect("what was just written can be read");
    read_back.check();
    assert_eq!(read_back.streams().count(), catalog.streams().count());
    for group in catalog.streams().map(|stream| stream.group).collect::<Vec<_>>() {
        catalog.apply(CatalogChange::decode(change::REMOVE, &group.0.to_le_bytes()).expect("a whole body"));
        catalog.check();
    }
    assert_eq!(catalog.streams().count(), 0);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
