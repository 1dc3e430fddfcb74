//! A published message whose every byte follows from its number.

use crate::support::nats::{Client, Message};
use crate::support::random::{Random, mix};

/// The streams under load.
pub const STREAMS: [&str; 3] = ["alpha", "beta", "gamma"];

/// One message that is published once, or again with the same `Nats-Msg-Id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Publication(pub u64);

impl Publication {
    /// Its index in `STREAMS`.
    pub fn stream(self) -> usize {
        (self.0 % STREAMS.len() as u64) as usize
    }

    pub fn subject(self) -> String {
        format!("{}.{}", STREAMS[self.stream()], mix(self.0) % 50)
    }

    /// None for two of three.
    pub fn msg_id(self) -> Option<String> {
        mix(self.0).is_multiple_of(3).then(|| format!("id-{}", self.0))
    }

    /// Mostly small, now and then more than an entry of the log holds.
    pub fn payload(self) -> Vec<u8> {
        let mut random = Random(self.0);
        let len = match random.below(1000) {
            0 => 300_000,
            1..20 => random.below(32 << 10),
            20..200 => random.below(4 << 10),
            _ => random.below(256),
        };
        let mut payload = format!("{} ", self.0).into_bytes();
        while (payload.len() as u64) < len {
            payload.extend_from_slice(&random.next().to_le_bytes());
        }
        payload
    }

    /// With a reply subject that says which it is.
    pub fn publish(self, client: &mut Client) {
        let reply = format!("{}{}", client.inbox, self.0);
        let header = self.msg_id().map(|id| format!("Nats-Msg-Id: {id}"));
        let headers: Vec<&str> = header.iter().map(String::as_str).collect();
        client.publish(&self.subject(), &reply, &headers, &self.payload());
    }

    /// Whose pub ack came to this reply subject.
    pub fn of_reply(subject: &str) -> Option<Publication> {
        subject.rsplit('.').next()?.parse().ok().map(Publication)
    }

    /// Which one was delivered or read. Errors: it is not, byte for byte, what was published.
    pub fn of_message(message: &Message) -> Result<Publication, String> {
        let digits = message.payload.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number =
            std::str::from_utf8(&message.payload[..digits]).ok().and_then(|digits| digits.parse().ok());
        let publication = Publication(number.ok_or("a payload that nobody published")?);
        let same = message.payload == publication.payload()
            && message.subject == publication.subject()
            && message.header("Nats-Msg-Id") == publication.msg_id();
        if same {
            Ok(publication)
        } else {
            Err(format!("other bytes than those of publication {}", publication.0))
        }
    }
}
