//! What is known about the server: product, version, and what its acks promise.
//! May import: peer, measured.
//! Must not know: loads.

use crate::measured::ServerFacts;
use crate::peer::Info;

/// `told` is what the server's owner says its acks promise.
pub fn server_facts(host: &str, info: &Info, told: Option<&str>) -> ServerFacts {
    let (name, version, known) = match &info.millrace {
        Some(version) => ("millrace", version.clone(), "synced before the ack, unless configured otherwise"),
        None => (
            "nats-server",
            info.version.clone(),
            "written, synced by default every 2 minutes; its sync_interval is not known here",
        ),
    };
    let durability = told.unwrap_or(known).to_owned();
    ServerFacts { address: host.to_owned(), name: name.to_owned(), version, durability }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_owner_tells_goes_before_what_is_known() {
        let info = Info { version: "2.15.2".into(), millrace: Some("0.1.0".into()), ..Info::default() };
        let facts = server_facts("h:1", &info, None);
        assert_eq!((facts.name.as_str(), facts.version.as_str()), ("millrace", "0.1.0"));
        assert!(facts.durability.starts_with("synced"));
        assert_eq!(server_facts("h:1", &info, Some("none")).durability, "none");
    }
}
