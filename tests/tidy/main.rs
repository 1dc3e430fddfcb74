//! Style as an ordinary test: who may import whom, banned names, headers of rooms, sizes of files.

mod banned;
mod documents;
mod rooms;
mod source;

use source::{Source, rust_sources};

/// Lines of a file without its tests. A file near it holds two ideas.
const FILE_LINES_MAX: usize = 800;

/// Crates in which unsafe code is forbidden by their first lines.
const FORBID_UNSAFE: &[&str] = &["src/lib.rs", "src/main.rs", "perf/src/main.rs", "perf/src/lib.rs"];

/// The files that hold unsafe code: the ring between cores, disk buffers, and the counting allocator of a test.
const UNSAFE_FILES: &[&str] = &[
    "shards/src/ring.rs",
    "shards/src/net.rs",
    "shards/src/uring.rs",
    "shards/src/disk/memory.rs",
    "tests/allocations/counting.rs",
];

fn fail_on(mistakes: Vec<String>) {
    assert!(mistakes.is_empty(), "\n{}\n", mistakes.join("\n"));
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    fail_on(rust_sources().iter().flat_map(rooms::forbidden_imports).collect());
}

#[test]
fn every_room_is_in_the_table_and_every_row_is_a_room() {
    fail_on(rooms::table_mistakes(&rust_sources()));
}

#[test]
fn every_room_starts_with_three_lines_about_itself() {
    let mut mistakes = Vec::new();
    for source in rust_sources().iter().filter(|source| source.is_room_root()) {
        let mut lines = source.text.lines();
        let starts = ["//! ", "//! May import: ", "//! Must not know: "];
        let good = starts.iter().all(|start| lines.next().is_some_and(|line| line.starts_with(start)));
        if !good {
            mistakes.push(format!(
                "{}: a room starts with: what lives here, May import, Must not know",
                source.path
            ));
        }
    }
    fail_on(mistakes);
}

#[test]
fn banned_names_appear_only_where_a_reason_is_given() {
    let sources = rust_sources();
    let mut mistakes: Vec<String> = sources.iter().flat_map(banned::found_in).collect();
    mistakes.extend(banned::idle_exceptions(&sources));
    fail_on(mistakes);
}

#[test]
fn unsafe_code_is_forbidden_but_in_a_few_files_where_each_block_says_why_it_is_sound() {
    let mut mistakes = Vec::new();
    for source in rust_sources() {
        let path = source.path.as_str();
        if FORBID_UNSAFE.contains(&path) && !source.text.contains("#![forbid(unsafe_code)]") {
            mistakes.push(format!("{path}: #![forbid(unsafe_code)] is missing"));
        }
        if path == "shards/src/lib.rs" && !source.text.contains("#![deny(unsafe_code)]") {
            mistakes.push(format!("{path}: #![deny(unsafe_code)] is missing"));
        }
        let lines: Vec<&str> = source.text.lines().collect();
        for (i, line) in source.code.lines().enumerate() {
            let opens =
                line.contains("unsafe {") || line.contains("unsafe impl") || line.contains("unsafe fn");
            let argued = lines[i.saturating_sub(8)..=i].iter().any(|line| line.contains("// SAFETY:"));
            if opens && !UNSAFE_FILES.contains(&path) {
                mistakes.push(format!("{path}:{}: unsafe code outside the files that may hold it", i + 1));
            } else if opens && !argued {
                mistakes.push(format!("{path}:{}: no `// SAFETY:` above", i + 1));
            }
        }
    }
    fail_on(mistakes);
}

#[test]
fn files_fit_in_the_head() {
    let too_long = |source: &Source| {
        let lines = source.lines_without_tests();
        (lines > FILE_LINES_MAX && !source.is_test())
            .then(|| format!("{}: {lines} lines without tests, more than {FILE_LINES_MAX}", source.path))
    };
    fail_on(rust_sources().iter().filter_map(too_long).collect());
}

#[test]
fn documents_link_to_files_that_exist() {
    fail_on(documents::broken_links());
}
