//! File systems on loop devices: disks of their own that can be cut off and copied.

use crate::support::wait_for;
use std::fs::{self, File};
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A file as a disk with a mounted file system on it. Unmounted and detached with the value; the file stays.
pub struct LoopDevice {
    device: String,
    mounted: PathBuf,
}

/// Why there are no loop devices here. None: there are.
pub fn unavailable() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("it needs root".into());
    }
    for tool in ["losetup", "mkfs.ext4", "mount", "umount"] {
        let asked = Command::new(tool).arg("--version").output();
        let asked = asked.or_else(|_| Command::new(tool).arg("-V").output());
        if asked.is_err() {
            return Some(format!("there is no {tool} on the PATH"));
        }
    }
    run("losetup", &["--find"]).err()
}

/// Makes `image` a file of `len` bytes with an empty ext4 on it.
pub fn format(image: &Path, len: u64) -> Result<(), String> {
    let file = File::create(image).map_err(|error| error.to_string())?;
    file.set_len(len).map_err(|error| error.to_string())?;
    let options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
    run("mkfs.ext4", &["-q", "-F", "-m", "0", "-E", options, &text(image)]).map(drop)
}

impl LoopDevice {
    /// Mounts the image on the new directory `mounted`. What the file system does not sync itself, it keeps to itself for ten
    /// minutes.
    pub fn mount(image: &Path, mounted: &Path) -> Result<LoopDevice, String> {
        fs::create_dir_all(mounted).map_err(|error| error.to_string())?;
        let device = run("losetup", &["--find", "--show", &text(image)])?;
        let loop_device = LoopDevice { device, mounted: mounted.to_owned() };
        let options = "noatime,nodiscard,commit=600";
        run("mount", &["-t", "ext4", "-o", options, &loop_device.device, &text(mounted)])?;
        Ok(loop_device)
    }

    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Waits until the device works on nothing: every write that was handed to it is done.
    pub fn await_idle(&self) {
        let path = format!("/sys/block/{}/inflight", self.device.trim_start_matches("/dev/"));
        wait_for("an idle loop device", Duration::from_secs(20), || {
            let text = fs::read_to_string(&path).expect("the counters of a loop device");
            text.split_whitespace().all(|count| count == "0").then_some(())
        });
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        // A process that was killed a moment ago may hold a file for a moment more.
        for _ in 0..50 {
            if run("umount", &[&text(&self.mounted)]).is_ok() || !is_mounted(&self.mounted) {
                break;
            }
            crate::support::pause(Duration::from_millis(100));
        }
        if let Err(error) = run("losetup", &["--detach", &self.device]) {
            eprintln!("{} is left: {error}", self.device);
        }
    }
}

/// Flushes that the device under `path` was asked for since it came up. None: it does not count them.
pub fn flushes(path: &Path) -> Option<u64> {
    let device = fs::metadata(path).ok()?.st_dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let stat = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    stat.split_whitespace().nth(15)?.parse().ok()
}

fn is_mounted(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1) == Some(&text(path)))
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Its output. Errors: what it said.
fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}
