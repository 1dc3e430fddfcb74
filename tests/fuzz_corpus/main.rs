//! Every input that a fuzz target keeps is run again, on stable and with every check.

use std::path::Path;

#[path = "../../fuzz/fuzz_targets/client_cuts.rs"]
mod client_cuts;
#[path = "../../fuzz/fuzz_targets/headers.rs"]
mod headers;
#[path = "../../fuzz/fuzz_targets/subjects.rs"]
mod subjects;

#[test]
fn bytes_of_a_client_mean_the_same_however_they_are_cut() {
    replay("client_cuts", client_cuts::run);
}

#[test]
fn header_blocks_are_read_as_a_naive_reader_reads_them() {
    replay("headers", headers::run);
}

#[test]
fn subjects_match_as_trying_out_all_of_them_says() {
    replay("subjects", subjects::run);
}

/// Runs every file of `fuzz/corpus/<target>`, each also cut short and with one byte changed at a few places.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder can be listed").path())
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{} holds the seeds", folder.display());
    for file in files {
        let data = std::fs::read(&file).expect("a file can be read");
        println!("{}", file.display());
        run(&data);
        for place in (0..data.len()).step_by(1 + data.len() / 32) {
            run(&data[..place]);
            let mut changed = data.clone();
            changed[place] ^= 1 << (place % 8);
            run(&changed);
        }
    }
}
