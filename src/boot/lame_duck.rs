//! Lame duck mode: clients are told, and closed one by one. Source: nats-server, server/server.go (`lameDuckMode`).

use super::cores::Cores;
use super::{Stopped, identity, now, signals, stopped};
use crate::config::Options;
use crate::server_log::ServerLog;
use crate::serving::letters::{Letter, Notice};
use signal_hook::consts::SIGINT;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Longest between two clients.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Returns when all clients are closed, or SIGINT wants the end at once. The port is closed already.
pub fn run(
    cores: &Cores,
    notices: &Receiver<Notice>,
    options: &Options,
    log: ServerLog,
) -> Result<(), Stopped> {
    let clients = tell_clients(cores, notices, log)?;
    let total: usize = clients.iter().sum();
    if total == 0 || pause(options.lame_duck_grace_period, notices, log)?.is_break() {
        return Ok(());
    }
    log.info("Closing existing clients");
    let span = options.lame_duck_duration - options.lame_duck_grace_period;
    let most = (span / u32::try_from(total).unwrap_or(u32::MAX)).min(PAUSE_MAX);
    let mut order = shuffled(&clients)?.into_iter().peekable();
    while let Some(core) = order.next() {
        cores.tell(core, Letter::CloseOne);
        if order.peek().is_some() && pause(at_least_half(most)?, notices, log)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Clients by core.
fn tell_clients(cores: &Cores, notices: &Receiver<Notice>, log: ServerLog) -> Result<Vec<usize>, Stopped> {
    cores.tell_all(|| Letter::LameDuck);
    let mut clients = Vec::new();
    while clients.len() < cores.count() {
        match notices.recv().map_err(stopped)? {
            Notice::Clients(core, count) => clients.push((core, count)),
            Notice::Failed(reason) => return Err(Stopped(reason)),
            Notice::Signal(signal) => signals::log(signal, log),
            _ => {}
        }
    }
    clients.sort_unstable();
    Ok(clients.into_iter().map(|(_, count)| count).collect())
}

/// Waits so long; SIGTERM changes nothing now, SIGINT breaks.
fn pause(time: Duration, notices: &Receiver<Notice>, log: ServerLog) -> Result<ControlFlow<()>, Stopped> {
    let end = now() + time;
    loop {
        match notices.recv_timeout(end.saturating_duration_since(now())) {
            Ok(Notice::Signal(signal)) => {
                signals::log(signal, log);
                if signal == SIGINT {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(Notice::Failed(reason)) => return Err(Stopped(reason)),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Ok(ControlFlow::Continue(())),
            Err(error) => return Err(stopped(error)),
        }
    }
}

/// A core for each client, in random order.
fn shuffled(clients: &[usize]) -> Result<Vec<usize>, Stopped> {
    let mut order: Vec<usize> =
        clients.iter().enumerate().flat_map(|(core, count)| std::iter::repeat_n(core, *count)).collect();
    let mut random = identity::seed().map_err(stopped)?;
    for i in (1..order.len()).rev() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(i, (random >> 33) as usize % (i + 1));
    }
    Ok(order)
}

fn at_least_half(most: Duration) -> Result<Duration, Stopped> {
    let random = identity::seed().map_err(stopped)?;
    Ok(most / 2 + (most / 2).mul_f64((random % 1000) as f64 / 1000.0))
}
