//! Publishes of one client that follow one another in a chunk: what they have in common is settled once.

use super::Server;
use super::clients::ClientKey;
use super::waits::Full;
use crate::client::Publisher;
use crate::client::action::Publish;
use shards::ids::CoreId;

/// What a run of publishes stopped at.
enum RunEnd<'a> {
    /// Something else, or the end of the chunk.
    Operation,
    /// This one, which was read, does not go to a shard alone.
    Publish(Publish<'a>),
    /// The shards of this core may not be asked for more.
    Full(CoreId),
}

impl Server {
    /// Performs the publishes with which `chunk[*at..]` begins, as far as they need nothing of the client. Some: what is
    /// full now.
    pub(super) fn read_publishes(&mut self, key: ClientKey, chunk: &[u8], at: &mut usize) -> Option<Full> {
        loop {
            let publisher = self.clients.get(key)?.client.publisher()?;
            match self.store_publishes(key, &publisher, chunk, at) {
                RunEnd::Operation => return None,
                RunEnd::Full(core) => return Some(Full::Shards(core)),
                RunEnd::Publish(publish) => {
                    if let Some(full) = self.publish(key, &publish, chunk) {
                        return Some(full);
                    }
                }
            }
        }
    }

    /// The part that goes to shards and to nobody else. Nothing that happens here changes the interest or the client, so that
    /// neither has to be asked for each message.
    fn store_publishes<'a>(
        &mut self,
        key: ClientKey,
        publisher: &Publisher,
        chunk: &'a [u8],
        at: &mut usize,
    ) -> RunEnd<'a> {
        let origin = self.origin(key);
        let Server { interest, inputs, .. } = self;
        let (mut from, mut messages, mut bytes) = (*at, 0, 0);
        let end = 'run: loop {
            let Some((first, len)) = publisher.parse(&chunk[from..]) else { break RunEnd::Operation };
            let (account, mut subject) = (first.account, first.subject);
            let Some((kind, home)) = interest.shard(account, subject) else {
                from += len;
                messages += 1;
                bytes += first.len() as u64;
                break RunEnd::Publish(first);
            };
            // Begins with the first one once more: to carry it over would cost every message of the run something.
            let mut items = inputs.item_run(kind, home, origin, account, chunk);
            while let Some((publish, len)) = publisher.parse_hot(&chunk[from..]) {
                if publish.subject != subject {
                    // Streams of one shard that are written to in turn are one run.
                    match interest.shard(account, publish.subject) {
                        Some((kind, home)) if items.turn_to(kind, home) => subject = publish.subject,
                        _ => break,
                    }
                }
                from += len;
                messages += 1;
                bytes += publish.len() as u64;
                if !items.push(&publish) {
                    break 'run RunEnd::Full(items.core);
                }
            }
        };
        *at = from;
        self.counters.in_messages += messages;
        self.counters.in_bytes += bytes;
        if messages > 0
            && let Some(connected) = self.clients.get_mut(key)
        {
            connected.client.note_published(self.now, messages, bytes);
        }
        end
    }
}
