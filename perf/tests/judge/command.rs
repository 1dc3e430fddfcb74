//! The program as it is called: exit codes, what it writes, and its end by a signal.

use crate::fake::{Fault, Server};
use crate::streams;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder that ends with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("perf-command-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn program(server: &Server, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-perf"));
    command.args(words).args(["--server", &server.address]);
    command
}

fn call(server: &Server, words: &[&str]) -> Output {
    program(server, words).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn a_file_of_objectives_passes_and_made_stricter_fails() {
    let (server, folder) = (Server::start(Fault::Nothing), Folder::new("slo"));
    let file = |name: &str, p99: &str| {
        let load =
            "[workload]\nkind = \"publish\"\nrate = 200\nduration = 1\nwarmup = 0\nlateness_max = 10000\n";
        folder.file(name, &format!("{load}[objectives]\np99 = \"{p99}\"\n"))
    };
    let good = call(&server, &["slo", &file("good.toml", "9s")]);
    let text = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(code(&good) == 0 && text.contains("PASS: all 2 objectives hold"), "{text}");
    // The device's own time stands beside the verdict.
    assert!(text.contains("write and sync here, without load: p50 "), "{text}");
    let strict = call(&server, &["slo", &file("strict.toml", "1ns")]);
    let text = String::from_utf8_lossy(&strict.stdout).into_owned();
    assert!(code(&strict) == 1 && text.contains("FAIL: 1 of 2 objectives missed: p99 ≤ 1 ns"), "{text}");
    let wrong = call(&server, &["slo", &folder.file("wrong.toml", "[objective]\n")]);
    assert!(code(&wrong) == 14 && String::from_utf8_lossy(&wrong.stderr).contains("wrong.toml:1:2: "));
}

#[test]
fn an_invalid_run_says_so_first_on_its_page() {
    let (server, folder) = (Server::start(Fault::Nothing), Folder::new("invalid"));
    let page = folder.0.join("page.html");
    let words =
        ["publish", "--rate", "200", "--duration", "0.5", "--warmup", "0", "--lateness-max", "0", "--html"];
    let output = call(&server, &[&words[..], &[page.to_str().unwrap()]].concat());
    assert_eq!(code(&output), 12, "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(page).unwrap();
    let verdict = page.find("<p class=\"verdict bad\">the run is invalid: the generator was late").unwrap();
    assert!(verdict < page.find("<table>").unwrap());
}

#[test]
fn an_interrupt_shows_what_was_measured_and_cleans_up() {
    let server = Server::start(Fault::Nothing);
    let words = ["publish", "--duration", "600", "--warmup", "0", "--in-flight", "10"];
    let mut child = program(&server, &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The first line of progress comes when the load has run for some seconds.
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(progress.next().unwrap().unwrap().starts_with("measuring"));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(code(&output) == 130 && text.contains("\ninterrupted  after "), "{text}");
    assert!(text.contains("\nacked  ") && text.contains("\nfaults       none"), "{text}");
    assert_eq!(streams(&server), [""; 0]);
}
