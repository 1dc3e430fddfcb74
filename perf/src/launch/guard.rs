//! A small process that outlives this one if it has to: when this one is gone, whatever ended it, the server and its
//! directory go too.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of a pipe that only this process holds open.
#[derive(Debug)]
pub struct Guard(Child);

const SCRIPT: &str = "read -r _; kill -s KILL -- \"-$1\" 2>/dev/null; rm -rf -- \"$2\"";

impl Guard {
    pub fn over(group: u32, folder: &Path) -> io::Result<Guard> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "guard"]).arg(group.to_string()).arg(folder);
        // Ctrl-C in the terminal is not for it.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command.spawn().map(Guard)
    }

    /// There is nothing left to guard.
    pub fn dismiss(mut self) {
        // Killed before its pipe closes: it does nothing any more. Errors: it is gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
impl Guard {
    /// As if this process were gone; returns when the guard has done its work.
    pub fn lose(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it is a child of this process");
    }
}
