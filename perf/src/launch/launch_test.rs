use super::*;
use crate::watch::Unwatched;

/// A server for one greeting at a time: it says INFO to whoever connects.
const SERVER: &str = "import socket,sys,signal,os\n\
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('127.0.0.1',int(sys.argv[1]))); s.listen()\n\
open(os.path.join(sys.argv[2],'file'),'w').write(open(sys.argv[3]).read())\n\
while True:\n c,_=s.accept(); c.sendall(b'INFO {}\\r\\n'); c.close()\n";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("perf-launch-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("server.py"), SERVER).unwrap();
        Folder(path)
    }

    fn recipe(&self) -> Recipe {
        let command = format!("python3 {}/server.py {{port}} {{dir}} {{config}}", self.0.display());
        Recipe { command, config: Some("port: {port}".into()), ..Recipe::default() }
    }

    fn entries(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn a_server_is_started_with_what_it_was_given_and_leaves_nothing() {
    let folder = Folder::new("whole");
    let running = folder.recipe().start(&folder.0, &Unwatched).unwrap();
    let (pid, port) = (running.pid(), running.port);
    assert!(is_alive(pid) && greets(port));
    assert_eq!(fs::read_to_string(running.data_dir().join("file")).unwrap(), format!("port: {port}"));
    drop(running);
    assert!(!is_alive(pid) && !greets(port));
    assert_eq!(folder.entries(), 1, "only the script is left");
}

#[test]
fn what_a_server_said_before_it_ended_is_told() {
    let folder = Folder::new("ends");
    let recipe = Recipe { command: "sh -c 'echo no room on {port} >&2; exit 3'".into(), ..Recipe::default() };
    let failure = recipe.start(&folder.0, &Unwatched).unwrap_err();
    let Failure::NotStarted(text) = &failure else { panic!("{failure:?}") };
    assert!(text.contains("no room on "), "{text}");
    assert_eq!(folder.entries(), 1);
}

#[test]
fn whoever_wants_to_stop_does_not_wait_for_a_server() {
    struct Stop;
    impl Watch for Stop {
        fn progress(&mut self, _: &crate::watch::Progress<'_>) {}
        fn wants_stop(&self) -> bool {
            true
        }
    }
    let folder = Folder::new("stop");
    let recipe = Recipe { command: "sleep 1000 {port}".into(), ..Recipe::default() };
    let begin = Instant::now();
    // `sleep` adds the port to its seconds.
    assert_eq!(recipe.start(&folder.0, &Stop).unwrap_err(), Failure::Interrupted);
    assert!(begin.elapsed() < STOP_MAX);
    assert_eq!(folder.entries(), 1);
}

#[test]
fn a_missing_program_says_how_to_get_it() {
    let failure = |command: &str, get: Option<&str>| {
        let how_to_get = get.map(str::to_owned);
        Recipe { command: command.into(), how_to_get, ..Recipe::default() }.check().unwrap_err()
    };
    let nats = failure("/nowhere/nats-server -p {port}", None);
    assert_eq!(nats.exit_code(), 15);
    assert!(nats.to_string().contains("go install github.com/nats-io/nats-server/v2@v2.15.2"), "{nats}");
    assert!(failure("no-such-broker {port}", Some("buy one")).to_string().ends_with("to get it: buy one"));
    assert_eq!(failure("sh", None).exit_code(), 2);
    assert_eq!(failure("sh {port} {config}", None).exit_code(), 2);
}

#[test]
fn the_guard_ends_a_server_whose_starter_is_gone() {
    let folder = Folder::new("guard");
    let victim = folder.0.join("victim");
    fs::create_dir(&victim).unwrap();
    let mut server = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
    let guard = Guard::over(server.id(), &victim).unwrap();
    guard.lose();
    // Not waited for without end: a guard that does nothing fails the test and does not hang it.
    let ended = pidfd_open(pid_of(&server), PidfdFlags::empty()).unwrap();
    let timeout = Timespec { tv_sec: 5, tv_nsec: 0 };
    poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&timeout)).unwrap();
    let ended_by_guard = server.try_wait().unwrap();
    let _ = server.kill();
    server.wait().unwrap();
    assert!(ended_by_guard.is_some_and(|status| !status.success()));
    assert!(!victim.exists());
}

#[test]
fn a_build_that_fails_is_told_before_anything_starts() {
    let build = |build: &str| Recipe { build: Some(build.into()), ..Recipe::default() }.build();
    assert_eq!(build("true"), Ok(()));
    for wrong in ["false", "no-such-program-anywhere"] {
        assert_eq!(build(wrong).unwrap_err().exit_code(), 16, "{wrong}");
    }
}
