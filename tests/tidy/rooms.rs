//! Which room may import which: the one table, and the walk that holds every file to it.

use crate::source::Source;
use std::collections::BTreeSet;

/// Source folder, room, rooms of the same crate that it may import. Lower tiers stand first.
const ROOMS: &[(&str, &str, &[&str])] = &[
    // The engine, tiers 0 to 4: no clock, no randomness, no I/O.
    (SHARDS, "ids", &[]),
    (SHARDS, "time", &[]),
    (SHARDS, "limits", &[]),
    (SHARDS, "rejection", &[]),
    (SHARDS, "encoding", &[]),
    (SHARDS, "go_duration", &[]),
    (SHARDS, "decimal", &[]),
    (SHARDS, "hashing", &[]),
    (SHARDS, "headers", &[]),
    (SHARDS, "histogram", &[]),
    (SHARDS, "subject", &["hashing"]),
    (SHARDS, "messages", &["ids", "time", "subject"]),
    (SHARDS, "subscribers", &["ids"]),
    (SHARDS, "clock", &["time", "limits"]),
    (SHARDS, "record", &["ids", "time", "limits", "encoding", "headers", "messages"]),
    (SHARDS, "change", &["ids", "time", "encoding"]),
    (SHARDS, "log", &["ids", "time", "limits", "encoding", "histogram", "record"]),
    (
        SHARDS,
        "stream",
        &[
            "ids",
            "time",
            "limits",
            "subject",
            "headers",
            "rejection",
            "encoding",
            "go_duration",
            "hashing",
            "record",
            "change",
            "messages",
        ],
    ),
    (
        SHARDS,
        "consumer",
        &[
            "ids",
            "time",
            "limits",
            "subject",
            "headers",
            "rejection",
            "encoding",
            "go_duration",
            "decimal",
            "hashing",
            "messages",
            "subscribers",
        ],
    ),
    (SHARDS, "meta", &["ids", "time", "limits", "subject", "rejection", "encoding", "stream"]),
    (
        SHARDS,
        "shard",
        &[
            "ids",
            "time",
            "limits",
            "subject",
            "headers",
            "rejection",
            "encoding",
            "go_duration",
            "hashing",
            "histogram",
            "clock",
            "record",
            "change",
            "log",
            "messages",
            "subscribers",
            "stream",
            "consumer",
            "meta",
        ],
    ),
    (SHARDS, "lanes", &["ids", "shard"]),
    (SHARDS, "core_server", &["ids", "time", "lanes", "shard"]),
    (SHARDS, "core", &["ids", "time", "lanes", "core_server", "log", "shard"]),
    (SHARDS, "ring", &[]),
    // The simulator: every room below tier 5.
    (
        SHARDS,
        "sim",
        &[
            "ids",
            "time",
            "limits",
            "subject",
            "headers",
            "rejection",
            "hashing",
            "log",
            "stream",
            "consumer",
            "lanes",
            "core_server",
            "core",
            "shard",
        ],
    ),
    // The engine, tier 5: the I/O shell.
    (SHARDS, "bell", &[]),
    (SHARDS, "net", &[]),
    (SHARDS, "worker", &[]),
    (SHARDS, "executors", &[]),
    (SHARDS, "uring", &["log"]),
    (SHARDS, "disk", &["ids", "limits", "log", "uring"]),
    (SHARDS, "mailbox", &["ids", "limits", "lanes", "ring", "bell"]),
    (SHARDS, "reactor", &["time", "bell", "mailbox", "net", "disk"]),
    // The server, without I/O.
    (SERVER, "config", &["accounts"]),
    (SERVER, "limits", &[]),
    (SERVER, "protocol", &[]),
    (SERVER, "client", &["protocol", "limits"]),
    (SERVER, "accounts", &["client"]),
    (SERVER, "routing", &["limits"]),
    (SERVER, "jetstream", &["limits", "routing"]),
    (SERVER, "report", &[]),
    (SERVER, "server", &["client", "routing", "jetstream", "protocol", "limits", "report"]),
    (SERVER, "cli", &["config"]),
    // The server's I/O.
    (SERVER, "server_log", &[]),
    (SERVER, "listener", &["server_log"]),
    (SERVER, "connection", &["client", "listener", "server"]),
    (
        SERVER,
        "serving",
        &["accounts", "client", "connection", "listener", "report", "routing", "server", "server_log"],
    ),
    (
        SERVER,
        "boot",
        &[
            "accounts",
            "cli",
            "client",
            "config",
            "listener",
            "protocol",
            "report",
            "server",
            "server_log",
            "serving",
        ],
    ),
];

const SHARDS: &str = "shards/src/";
const SERVER: &str = "src/";

/// `file:line: sentence` for each path into a room that the table does not allow. Tests may import anything.
pub fn forbidden_imports(source: &Source) -> Vec<String> {
    let Some((folder, module)) = source.module().filter(|_| !source.is_test()) else { return Vec::new() };
    let room = module[0];
    let Some((_, _, allowed)) = ROOMS.iter().find(|(f, r, _)| (*f, *r) == (folder, room)) else {
        return Vec::new();
    };
    let mut mistakes = Vec::new();
    for (offset, target) in targets(&source.code, module.len()) {
        let declared = ROOMS.iter().any(|(f, r, _)| *f == folder && *r == target);
        if target != room && !allowed.contains(&target) {
            let what = if declared { "may not import" } else { "imports the unknown room" };
            mistakes.push(format!("{}:{}: {room} {what} {target}", source.path, source.line(offset)));
        }
    }
    mistakes
}

/// Rooms without a row, and rows without a room.
pub fn table_mistakes(sources: &[Source]) -> Vec<String> {
    let rooms: BTreeSet<(&str, &str)> = sources
        .iter()
        .filter(|source| !source.is_test())
        .filter_map(Source::module)
        .map(|(folder, module)| (folder, module[0]))
        .collect();
    let rows: BTreeSet<(&str, &str)> = ROOMS.iter().map(|(folder, room, _)| (*folder, *room)).collect();
    let missing = rooms
        .difference(&rows)
        .map(|(folder, room)| format!("{folder}{room} has no row in tests/tidy/rooms.rs"));
    let stale = rows
        .difference(&rooms)
        .map(|(folder, room)| format!("tests/tidy/rooms.rs: there is no room {folder}{room}"));
    missing.chain(stale).collect()
}

/// Rooms that paths lead to: behind `crate::`, and behind as many `super::` as the module is deep.
fn targets(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let supers = "super::".repeat(depth);
    for start in ["crate::", supers.as_str()] {
        for (offset, _) in code.match_indices(start) {
            let before = code[..offset].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &code[offset + start.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(group_heads(group).into_iter().map(|head| (offset, head))),
                None => found.push((offset, identifier(rest))),
            }
        }
    }
    found.retain(|(_, name)| name.starts_with(|c: char| c.is_lowercase()));
    found
}

/// The first name of each part of `a::b, c::{d, e}}`.
fn group_heads(group: &str) -> Vec<&str> {
    let mut heads = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(identifier(group[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(identifier(group[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn all_forms_of_a_path_are_seen() {
    let code = "use crate::a::B; use crate::{c::D, e::{F, g}}; fn f() { crate::h::i() } pub(crate) fn j() {}";
    let names: Vec<&str> = targets(code, 1).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "c", "e", "h"]);
    let up: Vec<&str> =
        targets("use super::super::k::L; use super::m;", 2).into_iter().map(|(_, name)| name).collect();
    assert_eq!(up, ["k"]);
}
