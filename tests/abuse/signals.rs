//! Signals while clients are connected.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::nats::Client;
use crate::support::{now, wait_for};
use rustix::process::Signal;
use std::net::TcpStream;
use std::time::Duration;

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn a_signal_that_asks_for_what_is_not_served_disturbs_nobody() {
    let folder = Folder::new("signals");
    let mut broker = Broker::start(folder.path(), 1);
    let mut client = Client::connect(broker.port).expect("a running broker");
    for (signal, line) in [
        (Signal::USR1, "File log re-open ignored, not a file logger"),
        (Signal::HUP, "configuration reload is not supported by this server yet"),
    ] {
        broker.signal(signal);
        wait_for(line, Duration::from_secs(5), || broker.log_tail().contains(line).then_some(()));
        broker.must_run();
        client.ping().expect("the client stays");
    }
    broker.terminate();
}

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn a_lame_duck_tells_its_clients_and_closes_them_one_after_the_other() {
    const CLIENTS: usize = 3;
    const GRACE: Duration = Duration::from_secs(1);
    let folder = Folder::new("lame-duck");
    let config = folder.join("config.toml");
    std::fs::write(&config, format!("lame_duck_grace_period = {}\n", GRACE.as_secs()))
        .expect("a configuration");
    let path = config.to_str().expect("a path in UTF-8");
    let mut broker = Broker::start_with(folder.path(), &["-c", path, "--executors", "2"]);
    let connect = |_| Client::login(broker.port, r#","protocol":1"#).expect("a running broker");
    let mut clients: Vec<Client> = (0..CLIENTS).map(connect).collect();

    let start = now();
    broker.signal(Signal::USR2);
    for client in &mut clients {
        wait_for("word of the end", GRACE, || {
            client.next(Duration::from_millis(50)).expect("still served");
            client.info.contains(r#""ldm":true"#).then_some(())
        });
        client.ping().expect("still served");
    }
    assert!(TcpStream::connect(("127.0.0.1", broker.port)).is_err(), "the port is closed");
    broker.signal(Signal::TERM);
    broker.signal(Signal::USR2);

    let mut ends = Vec::new();
    wait_for("the end of all clients", Duration::from_secs(20), || {
        clients.retain_mut(|client| client.next(Duration::from_millis(20)).is_ok());
        ends.resize(CLIENTS - clients.len(), start.elapsed());
        clients.is_empty().then_some(())
    });
    assert!(ends[0] >= GRACE, "SIGTERM ends nothing: {ends:?}");
    assert!(ends[CLIENTS - 1] - ends[0] >= Duration::from_millis(500), "with pauses: {ends:?}");
    let status = broker.wait(Duration::from_secs(5)).expect("the end with the last client");
    assert_eq!(status.code(), Some(0));
}
