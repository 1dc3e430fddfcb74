use super::*;

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let path = std::env::temp_dir().join(format!("millrace-test-{}", random_id().unwrap()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn open(&self, shards: usize) -> Result<DataDirectory, Unusable> {
        DataDirectory::open(Some(&self.0), shards)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_first_start_makes_one_shard_per_executor() {
    let scratch = Scratch::new();
    let directory = scratch.open(3).unwrap();
    assert!(directory.is_new());
    assert_eq!(directory.path(), fs::canonicalize(&scratch.0).unwrap().join("millrace"));
    assert_eq!(directory.shards().len(), 3);
    assert!(directory.shards().all(|shard| shard.path.is_dir()));
}

#[test]
fn shards_are_added_and_never_lost() {
    let scratch = Scratch::new();
    let first: Vec<_> = scratch.open(2).unwrap().shards().collect();
    let fewer: Vec<_> = scratch.open(1).unwrap().shards().collect();
    assert_eq!(fewer, first);
    let more: Vec<_> = scratch.open(4).unwrap().shards().collect();
    assert_eq!((&more[..2], more.len()), (&first[..], 4));
}

#[test]
fn a_second_process_finds_the_directory_in_use() {
    let scratch = Scratch::new();
    let held = scratch.open(1).unwrap();
    assert!(scratch.open(1).unwrap_err().to_string().contains("is in use by another process; stop that, or"));
    drop(held);
    assert!(scratch.open(1).is_ok());
}

#[test]
fn files_of_another_server_stay_untouched() {
    let scratch = Scratch::new();
    let theirs = scratch.0.join("jetstream");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("meta.inf"), "{}").unwrap();
    drop(scratch.open(1).unwrap());
    assert_eq!(fs::read_to_string(theirs.join("meta.inf")).unwrap(), "{}");
    let mut names: Vec<_> =
        fs::read_dir(&scratch.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["jetstream", "millrace"]);
}

#[test]
fn a_missing_shard_is_damage_and_not_a_new_shard() {
    let scratch = Scratch::new();
    drop(scratch.open(2).unwrap());
    fs::remove_dir(scratch.0.join("millrace/shard-1")).unwrap();
    assert!(scratch.open(2).unwrap_err().to_string().ends_with("is damaged: shard-1 is missing"));
}

#[test]
fn a_log_without_the_node_file_is_damage() {
    let scratch = Scratch::new();
    drop(scratch.open(1).unwrap());
    fs::write(scratch.0.join("millrace/shard-0/00000000.segment"), "x").unwrap();
    fs::remove_file(scratch.0.join("millrace/node")).unwrap();
    assert!(scratch.open(1).unwrap_err().to_string().contains("shard-0 holds a log"));
}

#[test]
fn a_first_start_that_was_cut_short_is_started_again() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.0.join("millrace/shard-0")).unwrap();
    assert!(scratch.open(2).unwrap().is_new());
}

#[test]
fn another_format_is_not_opened() {
    let scratch = Scratch::new();
    drop(scratch.open(1).unwrap());
    let node = scratch.0.join("millrace/node");
    fs::write(&node, fs::read_to_string(&node).unwrap().replace("format = 1", "format = 9")).unwrap();
    assert!(scratch.open(1).unwrap_err().to_string().contains("has format 9"));
}
