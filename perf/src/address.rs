//! Where a server is and who logs in.
//! May import: nothing.
//! Must not know: sockets.

/// `nats://[user:pass@|token@]host[:port]`; the scheme may be left out, the port is 4222 by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `host:port`.
    pub host: String,
    pub user: String,
    pub pass: String,
    pub token: String,
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(url: &str) -> Result<Address, String> {
        let rest = url.strip_prefix("nats://").unwrap_or(url).trim_end_matches('/');
        if rest.contains("://") {
            return Err(format!("{url}: only nats:// is spoken here"));
        }
        let (login, host) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, pass, token) = match login.split_once(':') {
            Some((user, pass)) => (user, pass, ""),
            None => ("", "", login),
        };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:4222") };
        Ok(Address { host, user: user.into(), pass: pass.into(), token: token.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_carry_a_login() {
        let address: Address = "nats://u:p@10.0.0.1:4000".parse().unwrap();
        assert_eq!((address.host.as_str(), address.user.as_str()), ("10.0.0.1:4000", "u"));
        let address: Address = "token@localhost".parse().unwrap();
        assert_eq!((address.host.as_str(), address.token.as_str()), ("localhost:4222", "token"));
        assert!("tls://localhost".parse::<Address>().is_err());
    }
}
