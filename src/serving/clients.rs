//! The server of the core as its connections see it.

use super::trace;
use crate::accounts::nkey::UserKey;
use crate::client::close::CloseReason;
use crate::client::{Client, Software};
use crate::connection::Clients;
use crate::server::{ClientKey, Reading, Server};
use crate::server_log::ServerLog;
use bytes::BytesMut;
use shards::go_duration;
use shards::time::{Instant, Now};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// What a turn keeps about clients for the next one. Lives on: its core.
#[derive(Debug, Default)]
pub struct Afterwards {
    /// May be read again; found after this turn's reading.
    pub resumed: VecDeque<ClientKey>,
    /// Some client has gone, which changes the interest.
    pub has_closed: bool,
    /// When a line was last written about too many connections.
    refused_at: Option<Instant>,
}

/// Least time between two lines about too many connections.
const REFUSED_LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Passes on what connections bring, and logs what becomes of clients.
pub struct ServedClients<'a> {
    server: &'a mut Server,
    afterwards: &'a mut Afterwards,
    log: ServerLog,
}

impl<'a> ServedClients<'a> {
    pub fn new(server: &'a mut Server, afterwards: &'a mut Afterwards, log: ServerLog) -> Self {
        ServedClients { server, afterwards, log }
    }

    /// How a client is called in the log.
    fn peer(&self, key: ClientKey) -> String {
        self.server.client(key).map_or_else(String::new, label)
    }

    fn log_slow_consumer(&self, key: ClientKey, reason: CloseReason) {
        let Some(client) = self.server.client(key) else { return };
        let settings = client.settings();
        let what = match reason {
            CloseReason::SlowConsumerPendingBytes => {
                format!("MaxPending of {} Exceeded", settings.max_pending)
            }
            _ => {
                let deadline = i64::try_from(settings.write_deadline.as_nanos()).unwrap_or(i64::MAX);
                format!("WriteDeadline of {} exceeded", go_duration::text(deadline))
            }
        };
        self.log.info(format_args!("{} - Slow Consumer Detected: {what}", label(client)));
    }

    fn close_reason(&self, key: ClientKey) -> Option<CloseReason> {
        self.server.client(key)?.close_reason()
    }
}

/// `127.0.0.1:4321 - cid:7`, then what the peer says it runs, then who it is; each only where it is known.
/// Source: nats-server, server/client.go (`processConnect`, `getAuthUserLabel`).
fn label(client: &Client) -> String {
    let mut label = format!("{} - cid:{}", client.peer(), client.id());
    let Software { version, lang, name } = client.software();
    let version = if version.is_empty() { String::new() } else { format!("v{version}") };
    let software = [version.as_str(), lang, name].into_iter().filter(|part| !part.is_empty());
    let software = software.collect::<Vec<_>>().join(":");
    if !software.is_empty() {
        label.push_str(&format!(" - {software:?}"));
    }
    if let Some(identity) = client.identity().filter(|identity| !identity.user.is_empty()) {
        let kind = if UserKey::parse(&identity.user).is_some() { "nkey" } else { "user" };
        label.push_str(&format!(" - {:?}", format!("{}/{kind}:{}", identity.account_name, identity.user)));
    }
    label
}

impl Clients for ServedClients<'_> {
    fn accept(&mut self, now: Now, id: u64, peer: SocketAddr, admitted: bool) -> ClientKey {
        if self.log.debugs() {
            self.log.debug(format_args!("{peer} - cid:{id} - Client connection created"));
        }
        let last = self.afterwards.refused_at;
        if !admitted && last.is_none_or(|last| now.monotonic - last >= REFUSED_LOG_INTERVAL) {
            self.afterwards.refused_at = Some(now.monotonic);
            self.log.error(format_args!("{peer} - cid:{id} - maximum connections exceeded"));
        }
        self.server.accept(now, id, peer, admitted)
    }

    fn handle_bytes(&mut self, now: Now, key: ClientKey, buffer: &mut BytesMut) -> Reading {
        if !self.log.traces() {
            return self.server.handle_bytes(now, key, buffer);
        }
        let before = buffer.clone();
        let peer = self.peer(key);
        let reading = self.server.handle_bytes(now, key, buffer);
        trace::trace_in(self.log, &peer, &before[..before.len() - buffer.len()]);
        reading
    }

    fn handle_closed(&mut self, key: ClientKey, reason: CloseReason) {
        let reason = self.close_reason(key).unwrap_or(reason);
        if reason.is_slow_consumer() {
            self.log_slow_consumer(key, reason);
        } else if let Some(complaint) = reason.complaint() {
            self.log.error(format_args!("{} - {complaint}", self.peer(key)));
        }
        if self.log.debugs() {
            self.log.debug(format_args!("{} - Client connection closed: {reason}", self.peer(key)));
        }
        self.server.handle_closed(key, reason);
        self.afterwards.has_closed = true;
    }

    fn poll_dirty(&mut self) -> Option<ClientKey> {
        self.server.poll_dirty()
    }

    fn poll_resumed(&mut self) -> Option<ClientKey> {
        self.afterwards.resumed.pop_front().or_else(|| self.server.poll_resumed())
    }

    fn poll_closing(&mut self) -> Option<ClientKey> {
        self.server.poll_closing()
    }

    fn take_output(&mut self, now: Now, key: ClientKey, spare: Vec<u8>) -> Vec<u8> {
        let output = self.server.take_output(now, key, spare);
        if self.log.traces() {
            trace::trace_out(self.log, &self.peer(key), &output);
        }
        output
    }

    fn handle_written(&mut self, key: ClientKey, bytes: usize) {
        self.server.handle_written(key, bytes);
    }

    fn awaits_confirmation(&self, key: ClientKey) -> bool {
        self.server.client(key).is_some_and(Client::awaits_confirmation)
    }

    fn flushes(&self, key: ClientKey) -> bool {
        self.close_reason(key).is_some_and(CloseReason::flushes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::settings::{Identity, Settings};
    use shards::ids::AccountId;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    /// A client that has sent this CONNECT and is whom it says.
    fn client(user: &str, connect: &str) -> Client {
        let identity = Identity { account: AccountId::GLOBAL, account_name: "$G".into(), user: user.into() };
        let settings = Settings { anonymous: Some(identity.clone()), ..Settings::default() };
        let mut client =
            Client::new(Arc::new(settings), 7, (Ipv4Addr::LOCALHOST, 4321).into(), Now::default());
        let line = format!("CONNECT {connect}\r\n");
        client.next_action(Now::default(), line.as_bytes(), &mut 0);
        client.handle_authenticated(Ok(identity));
        client
    }

    #[test]
    fn a_client_is_called_by_what_is_known_of_it() {
        let called = |user, connect| label(&client(user, connect));
        assert_eq!(called("", "{}"), "127.0.0.1:4321 - cid:7");
        let connect = r#"{"version":"1.2","lang":"go","name":"a \"b\""}"#;
        assert_eq!(called("", connect), r#"127.0.0.1:4321 - cid:7 - "v1.2:go:a \"b\"""#);
        assert_eq!(called("ann", "{}"), r#"127.0.0.1:4321 - cid:7 - "$G/user:ann""#);
        let key = "UASUHOJP6EEVKEKHNLOIG2O3NXOJGNTFUEMXRXNBIBHOCBTMVFKZ3BWH";
        assert_eq!(
            called(key, r#"{"name":"n"}"#),
            format!(r#"127.0.0.1:4321 - cid:7 - "n" - "$G/nkey:{key}""#)
        );
    }
}
