//! The data directory: whose it is, how many shards it holds, and that only one process uses it.

use super::identity::random;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A data directory that this process holds. The lock goes with it.
#[derive(Debug)]
pub struct DataDirectory {
    /// Absolute.
    path: PathBuf,
    node: Node,
    /// It was empty before.
    is_new: bool,
    /// Held until the process ends.
    _lock: File,
}

/// One shard's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardDirectory {
    pub path: PathBuf,
    /// The identity of the log in it.
    pub log_id: u128,
}

/// The file `node`, as TOML.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Node {
    /// Of the directory's layout. Another one is not opened.
    format: u32,
    /// 128 random bits as hexadecimal digits.
    node_id: String,
    /// The identity of each shard's log, by shard number. Shards are added, never removed.
    log_ids: Vec<String>,
}

/// Why a data directory cannot be used: one sentence.
#[derive(Debug, PartialEq)]
pub struct Unusable(String);

const FORMAT: u32 = 1;
const DEFAULT_NAME: &str = "millrace-data";
/// Within a directory that other servers may use too.
const SHARED_NAME: &str = "millrace";

impl DataDirectory {
    /// Takes `./millrace-data`, or `millrace/` in `store_dir`, and makes sure that it holds at least `shards` shards: one per
    /// executor, so that each has work. What is there stays. Errors: it is in use, cannot be written, or is damaged.
    pub fn open(store_dir: Option<&Path>, shards: usize) -> Result<DataDirectory, Unusable> {
        let path = match store_dir {
            Some(dir) => dir.join(SHARED_NAME),
            None => PathBuf::from(DEFAULT_NAME),
        };
        let wrong = |what: &str, error: io::Error| {
            let path = std::path::absolute(&path).unwrap_or(path.clone());
            Unusable(format!("{what} {}: {error}; choose another place with -sd", path.display()))
        };
        fs::create_dir_all(&path).map_err(|error| wrong("cannot make the data directory", error))?;
        let path = fs::canonicalize(&path).map_err(|error| wrong("cannot find the data directory", error))?;
        let lock = lock(&path)?;
        let unwritable = |error: io::Error| {
            Unusable(format!("cannot write in the data directory {}: {error}", path.display()))
        };
        let (mut node, is_new) = match read_node(&path)? {
            Some(node) => (node, false),
            None => (
                Node { format: FORMAT, node_id: random_id().map_err(unwritable)?, log_ids: Vec::new() },
                true,
            ),
        };
        for shard in 0..node.log_ids.len() {
            if !shard_path(&path, shard).is_dir() {
                return Err(damaged(&path, &format!("shard-{shard} is missing")));
            }
        }
        if node.log_ids.len() < shards {
            add_shards(&path, &mut node, shards, unwritable)?;
        }
        Ok(DataDirectory { path, node, is_new, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// By shard number.
    pub fn shards(&self) -> impl ExactSizeIterator<Item = ShardDirectory> + '_ {
        self.node.log_ids.iter().enumerate().map(|(shard, log_id)| ShardDirectory {
            path: shard_path(&self.path, shard),
            log_id: parse_id(log_id).expect("read_node checks every id"),
        })
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn damaged(path: &Path, what: &str) -> Unusable {
    Unusable(format!("the data directory {} is damaged: {what}", path.display()))
}

fn shard_path(path: &Path, shard: usize) -> PathBuf {
    path.join(format!("shard-{shard}"))
}

fn lock(path: &Path) -> Result<File, Unusable> {
    let unwritable = |error: io::Error| {
        Unusable(format!("cannot write in the data directory {}: {error}", path.display()))
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join("lock"))
        .map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Unusable(format!(
            "the data directory {} is in use by another process; stop that, or choose another place with -sd",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

/// None in a directory that was never used.
fn read_node(path: &Path) -> Result<Option<Node>, Unusable> {
    let text = match fs::read_to_string(path.join("node")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match first_segment(path) {
                Some(shard) => {
                    Err(damaged(path, &format!("{shard} holds a log, but the file node is missing")))
                }
                None => Ok(None),
            };
        }
        Err(error) => return Err(damaged(path, &format!("the file node cannot be read: {error}"))),
    };
    let node: Node = toml::from_str(&text)
        .map_err(|error| damaged(path, &format!("the file node: {}", error.message())))?;
    if node.format != FORMAT {
        let found = node.format;
        return Err(Unusable(format!(
            "the data directory {} has format {found}; this version reads format {FORMAT}",
            path.display()
        )));
    }
    if node.log_ids.is_empty() || node.log_ids.iter().chain([&node.node_id]).any(|id| parse_id(id).is_none())
    {
        return Err(damaged(path, "the file node lacks a good id"));
    }
    Ok(Some(node))
}

/// A shard's directory with something in it: an unfinished first start leaves only empty ones.
fn first_segment(path: &Path) -> Option<String> {
    let entries = fs::read_dir(path).ok()?;
    entries.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_used = name.starts_with("shard-") && fs::read_dir(entry.path()).ok()?.next().is_some();
        is_used.then_some(name)
    })
}

/// The directories first, then the file that counts them.
fn add_shards(
    path: &Path,
    node: &mut Node,
    shards: usize,
    unwritable: impl Fn(io::Error) -> Unusable,
) -> Result<(), Unusable> {
    for shard in node.log_ids.len()..shards {
        fs::create_dir_all(shard_path(path, shard)).map_err(&unwritable)?;
        node.log_ids.push(random_id().map_err(&unwritable)?);
    }
    let text = toml::to_string(node).expect("numbers and texts are always TOML");
    write_whole(&path.join("node"), text.as_bytes()).map_err(&unwritable)
}

/// Replaces a file: after a crash it holds the old bytes or the new ones, whole.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// 128 bits as 32 hexadecimal digits.
fn random_id() -> io::Result<String> {
    Ok(format!("{:032x}", u128::from_be_bytes(random()?)))
}

fn parse_id(text: &str) -> Option<u128> {
    if text.len() == 32 { u128::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
#[path = "data_directory_test.rs"]
mod tests;
