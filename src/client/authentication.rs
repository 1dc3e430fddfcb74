//! CONNECT: from its JSON to an identity.

use super::action::{Action, Credentials};
use super::close::CloseReason;
use super::settings::Identity;
use super::{Client, Refused, Stage};
use crate::protocol::connect::ConnectOptions;
use crate::protocol::write;
use shards::time::Now;

impl Client {
    /// First half, up to the credentials. The order of the steps is visible to peers. Source: nats-server,
    /// server/client.go (`processConnect`).
    pub(super) fn handle_connect(&mut self, now: Now, json: &[u8]) {
        let mut wanted = ConnectOptions {
            verbose: self.options.verbose,
            pedantic: self.options.pedantic,
            echo: self.options.echo,
            headers: self.options.headers,
            no_responders: self.options.no_responders,
            protocol: self.options.protocol.into(),
            ..ConnectOptions::default()
        };
        self.timers.connected(now, self.settings.ping_interval, self.id);
        if wanted.update(json).is_err() {
            self.close(CloseReason::ProtocolViolation);
            return;
        }
        self.options.verbose = wanted.verbose;
        self.options.pedantic = wanted.pedantic;
        self.options.echo = wanted.echo;
        self.options.headers = wanted.headers;
        self.headers = wanted.headers && self.settings.info.headers;
        self.connecting = Some(Box::new(wanted));
        self.stage = Stage::Reconnecting;
    }

    /// A second CONNECT takes the subscriptions of the first out, one by one, before it authenticates. The first has none,
    /// unless the peer may subscribe without CONNECT.
    pub(super) fn reconnect(&mut self) -> Action<'static> {
        let account = self.identity.as_ref().map(|identity| identity.account);
        if self.is_connected
            && let Some(account) = account
            && let Some((id, removed)) = self.subscriptions.pop()
        {
            return Action::Unsubscribe { account, id, removed };
        }
        self.is_connected = true;
        self.stage = Stage::Authenticating;
        let nonce = self.nonce().unwrap_or_default();
        let credentials = self.connecting.as_mut().map_or_else(Credentials::default, |wanted| Credentials {
            user: std::mem::take(&mut wanted.user),
            pass: std::mem::take(&mut wanted.pass),
            auth_token: std::mem::take(&mut wanted.auth_token),
            nkey: std::mem::take(&mut wanted.nkey),
            sig: std::mem::take(&mut wanted.sig),
            nonce,
        });
        Action::Authenticate(credentials)
    }

    /// The answer to `Action::Authenticate`, and the second half of CONNECT.
    pub fn handle_authenticated(&mut self, result: Result<Identity, Refused>) {
        let Some(wanted) = self.connecting.take() else { return };
        self.stage = Stage::Serving;
        let Ok(identity) = result else {
            self.refuse();
            return;
        };
        if wanted.names_account {
            self.refuse();
            return;
        }
        self.identity = Some(identity);
        let Some(protocol) = u8::try_from(wanted.protocol).ok().filter(|&protocol| protocol <= 1) else {
            self.fail("invalid client protocol", CloseReason::BadClientProtocolVersion);
            return;
        };
        self.options.protocol = protocol;
        if wanted.no_responders && !self.headers {
            self.fail("no responders requires headers support", CloseReason::NoRespondersRequiresHeaders);
            return;
        }
        self.options.no_responders = wanted.no_responders;
        self.software = super::Software {
            name: wanted.name.into_boxed_str(),
            lang: wanted.lang.into_boxed_str(),
            version: wanted.version.into_boxed_str(),
        };
        if self.options.verbose {
            self.queue(write::OK);
        }
    }

    /// Not let in.
    pub(super) fn refuse(&mut self) {
        self.fail("Authorization Violation", CloseReason::AuthenticationFailure);
    }
}
