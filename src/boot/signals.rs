//! Signals, as notices for the thread that waits for them.

use crate::server_log::ServerLog;
use crate::serving::letters::{Notice, Notices};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use std::io;

/// From here on these signals end nothing by themselves. Errors: no thread can be started.
pub fn listen(notices: Notices) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2])?;
    let wait = move || {
        for signal in signals.forever() {
            notices.send(Notice::Signal(signal));
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map(|_| ())
}

/// As nats-server says it; and why nothing comes of a signal that asks for what is not served.
pub fn log(signal: i32, log: ServerLog) {
    let name = match signal {
        SIGHUP => "hangup",
        SIGINT => "interrupt",
        SIGTERM => "terminated",
        SIGUSR1 => "user defined signal 1",
        _ => "user defined signal 2",
    };
    log.info(format_args!("Trapped \"{name}\" signal"));
    match signal {
        SIGHUP => log.warn("configuration reload is not supported by this server yet"),
        SIGUSR1 => log.info("File log re-open ignored, not a file logger"),
        _ => {}
    }
}
