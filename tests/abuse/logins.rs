//! Wrong passwords, many at once, against hashes that are slow on purpose.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::nats::Client;
use crate::witness::{Witness, assert_at_most_doubled};
use std::io::ErrorKind;
use std::time::Duration;

const WRONG: usize = 50;

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn fifty_wrong_logins_at_once_are_refused_and_slow_nobody_down() {
    let folder = Folder::new("logins");
    let config = folder.join("config.toml");
    let hash = bcrypt::hash("secret", 10).expect("a hash");
    let text = format!(
        "[authorization]\ntimeout = \"30s\"\nusers = [{{ user = \"ann\", password = \"{hash}\" }}]\n"
    );
    std::fs::write(&config, text).expect("a configuration");
    let path = config.to_str().expect("a path in UTF-8");
    let mut broker = Broker::start_with(folder.path(), &["-c", path, "--executors", "2"]);
    let login = r#","user":"ann","pass":"secret""#;
    let mut witness = Witness::start(broker.port, login);
    witness.p99(Duration::from_millis(500));
    let quiet = witness.p99(Duration::from_secs(2));
    let memory = broker.memory();
    let port = broker.port;
    let attempts: Vec<_> = (0..WRONG)
        .map(|number| {
            let wrong = format!(r#","user":"ann","pass":"wrong{number}""#);
            std::thread::spawn(move || Client::login(port, &wrong).err())
        })
        .collect();
    let disturbed = witness.p99(Duration::from_secs(3));
    for attempt in attempts {
        let error = attempt.join().expect("an attempt that ends").expect("a wrong password is refused");
        let refused =
            error.kind() == ErrorKind::PermissionDenied && error.to_string() == "Authorization Violation";
        assert!(refused || error.kind() == ErrorKind::ConnectionReset, "{error:?}");
    }
    broker.must_run();
    let grown = broker.memory().saturating_sub(memory);
    println!("{WRONG} wrong logins; memory grew by {} KiB", grown >> 10);
    assert!(grown < 32 << 20, "memory grew by {grown} bytes");
    assert_at_most_doubled("wrong logins", quiet, disturbed);
    Client::login(port, login).expect("the right password still works");
    witness.end();
    broker.terminate();
}
