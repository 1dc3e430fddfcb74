//! Every input that a fuzz target keeps is run again, on stable and with every check.

use std::path::Path;

#[path = "../../fuzz/fuzz_targets/api_requests.rs"]
mod api_requests;
#[path = "../../fuzz/fuzz_targets/catalog.rs"]
mod catalog;
#[path = "../../fuzz/fuzz_targets/changes.rs"]
mod changes;
#[path = "../../fuzz/fuzz_targets/client_cuts.rs"]
mod client_cuts;
#[path = "../../fuzz/fuzz_targets/config_toml.rs"]
mod config_toml;
#[path = "../../fuzz/fuzz_targets/consumer_requests.rs"]
mod consumer_requests;
#[path = "../../fuzz/fuzz_targets/consumers.rs"]
mod consumers;
#[path = "../../fuzz/fuzz_targets/group_states.rs"]
mod group_states;
#[path = "../../fuzz/fuzz_targets/headers.rs"]
mod headers;
#[path = "../../fuzz/fuzz_targets/log_formats.rs"]
mod log_formats;
#[path = "../../fuzz/fuzz_targets/log_recovery.rs"]
mod log_recovery;
#[path = "../../fuzz/fuzz_targets/records.rs"]
mod records;
#[path = "../../fuzz/fuzz_targets/stream_config.rs"]
mod stream_config;
#[path = "../../fuzz/fuzz_targets/stream_state.rs"]
mod stream_state;
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

#[test]
fn bodies_of_api_requests_are_decoded_or_refused() {
    replay("api_requests", api_requests::run);
}

#[test]
fn changes_and_checkpoints_of_the_catalog_are_read_or_refused() {
    replay("catalog", catalog::run);
}

#[test]
fn changes_of_a_stream_are_read_or_refused() {
    replay("changes", changes::run);
}

#[test]
fn a_configuration_is_read_or_refused_with_its_place() {
    replay("config_toml", config_toml::run);
}

#[test]
fn ack_subjects_and_pull_requests_are_read_or_refused() {
    replay("consumer_requests", consumer_requests::run);
}

#[test]
fn consumers_and_their_progress_are_read_or_refused() {
    replay("consumers", consumers::run);
}

#[test]
fn states_of_groups_in_checkpoints_are_read_or_refused() {
    replay("group_states", group_states::run);
}

#[test]
fn the_bytes_of_the_log_are_read_or_refused() {
    replay("log_formats", log_formats::run);
}

#[test]
fn a_log_opens_or_says_why_not_whatever_became_of_its_segments() {
    replay("log_recovery", log_recovery::run);
}

#[test]
fn stored_messages_are_read_or_refused() {
    replay("records", records::run);
}

#[test]
fn configurations_of_streams_are_read_or_refused() {
    replay("stream_config", stream_config::run);
}

#[test]
fn streams_in_checkpoints_are_read_or_refused() {
    replay("stream_state", stream_state::run);
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
