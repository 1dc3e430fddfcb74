//! Names that the code does without, and the places where one of them is right.

use crate::source::{Source, repository};

struct Ban {
    name: &'static str,
    why: &'static str,
    /// Where it does not hold: a path or a folder, and the reason.
    except: &'static [(&'static str, &'static str)],
}

const BANS: &[Ban] = &[
    Ban {
        name: "Instant::now",
        why: "time is an input; only the loop of a core reads a clock",
        except: &[
            ("perf/src/", "the judge measures time"),
            ("tests/", "tests bound their waits"),
            ("src/listener.rs", "bounds its own log lines"),
            ("src/boot/mod.rs", "bounds start and stop"),
            ("shards/src/reactor.rs", "the clock of a turn"),
            ("shards/src/disk/detect.rs", "times the device before the start"),
            ("benches/", "a bench measures time"),
        ],
    },
    Ban {
        name: "SystemTime::now",
        why: "time is an input; only the loop of a core reads a clock",
        except: &[
            ("shards/src/reactor.rs", "the clock of a turn"),
            ("perf/src/provenance.rs", "a result has a date"),
        ],
    },
    Ban { name: "thread::sleep", why: "wait on an event or move the virtual clock", except: &[] },
    Ban { name: "Mutex", why: "cores share nothing; send a message", except: &[] },
    Ban { name: "RwLock", why: "cores share nothing; send a message", except: &[] },
    Ban { name: "unbounded", why: "every queue has a limit and a rule for full", except: &[] },
    Ban { name: "mpsc::channel", why: "it is unbounded; use a sync_channel", except: &[] },
    Ban { name: "RandomState", why: "one seed replays everything; use a fixed hasher", except: &[] },
    Ban { name: "HashMap::new", why: "its order is random; use a fixed hasher or a BTreeMap", except: &[] },
    Ban { name: "HashSet::new", why: "its order is random; use a fixed hasher or a BTreeSet", except: &[] },
    Ban {
        name: ".unwrap()",
        why: "handle the error, or say with expect why it cannot happen",
        except: &[("tests/", "tests")],
    },
    Ban {
        name: "io_uring::",
        why: "one room talks to the kernel's rings; use uring",
        except: &[
            ("shards/src/uring.rs", "the room"),
            ("shards/src/executors.rs", "asks once whether it is allowed"),
        ],
    },
];

/// Words that must not stand anywhere, comments included. Spelled in halves, so that this file does not hold them.
const WORDS: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("unimplemented", "!(")];

/// `file:line: sentence` for each banned name outside its exceptions.
pub fn found_in(source: &Source) -> Vec<String> {
    let mut mistakes = Vec::new();
    for ban in BANS {
        if source.path.ends_with("_test.rs")
            || source.path.starts_with("tests/tidy/")
            || ban.excepts(&source.path)
        {
            continue;
        }
        for (offset, _) in source.code.match_indices(ban.name) {
            mistakes.push(format!("{}:{}: {}: {}", source.path, source.line(offset), ban.name, ban.why));
        }
    }
    for (i, line) in source.text.lines().enumerate() {
        for word in WORDS.iter().filter(|word| line.contains(**word)) {
            mistakes.push(format!("{}:{}: {word}: finish it or leave it out", source.path, i + 1));
        }
    }
    mistakes
}

/// Exceptions for what is not there, or no longer needs them.
pub fn idle_exceptions(sources: &[Source]) -> Vec<String> {
    let mut mistakes = Vec::new();
    for ban in BANS {
        for (place, _) in ban.except {
            let used =
                sources.iter().any(|source| source.path.starts_with(place) && source.code.contains(ban.name));
            if !used && !repository().join(place).is_dir() {
                mistakes.push(format!("tests/tidy/banned.rs: {place} does not need {}", ban.name));
            }
        }
    }
    mistakes
}

impl Ban {
    fn excepts(&self, path: &str) -> bool {
        self.except.iter().any(|(place, _)| path == *place || place.ends_with('/') && path.starts_with(place))
    }
}
