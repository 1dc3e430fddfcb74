//! The publishes of one connection that wait for their acknowledgement. Each slot is one publish at a time and names
//! itself in the reply subject, so that an acknowledgement finds its publish in whatever order it comes.

use crate::wire;

pub struct InFlight {
    /// The bytes of every slot's publish, ready to send; all of one length.
    templates: Vec<u8>,
    publish_len: usize,
    /// Where the message id's digits stand in a publish.
    id_offset: Option<usize>,
    next_id: u64,
    /// Nanoseconds at which a slot's publish was sent.
    sent_at: Vec<Option<u64>>,
    free: Vec<u32>,
}

/// Digits of a slot in the reply subject.
const SLOT_DIGITS: usize = 6;
/// Digits of a number in a message id.
const ID_DIGITS: usize = 16;

impl InFlight {
    /// `slots` publishes, at most 10^6. `subject` tells the subject of a slot; replies go to `inbox.<slot>`; with an `id_prefix`
    /// every message has an id of its own.
    pub fn new(
        slots: usize,
        subject: impl Fn(usize) -> String,
        inbox: &str,
        payload: &[u8],
        id_prefix: Option<&str>,
    ) -> InFlight {
        assert!(slots > 0 && slots <= 10usize.pow(SLOT_DIGITS as u32));
        let headers = id_prefix.map_or(String::new(), |prefix| {
            format!("NATS/1.0\r\nNats-Msg-Id: {prefix}-{:0ID_DIGITS$}\r\n\r\n", 0)
        });
        let publish =
            |slot| wire::publish(&subject(slot), &format!("{inbox}.{slot:0SLOT_DIGITS$}"), &headers, payload);
        let publish_len = publish(0).len();
        let templates: Vec<u8> = (0..slots).flat_map(publish).collect();
        assert_eq!(templates.len(), publish_len * slots, "subjects of all slots have one length");
        let id_offset = id_prefix.map(|_| publish_len - 2 - payload.len() - 4 - ID_DIGITS);
        InFlight {
            templates,
            publish_len,
            id_offset,
            next_id: 0,
            sent_at: vec![None; slots],
            free: (0..slots as u32).rev().collect(),
        }
    }

    /// Publishes that wait for their acknowledgement.
    pub fn len(&self) -> usize {
        self.sent_at.len() - self.free.len()
    }

    /// Appends publishes of up to `max` free slots; returns how many.
    pub fn fill(&mut self, now: u64, max: usize, output: &mut Vec<u8>) -> usize {
        let count = max.min(self.free.len());
        output.reserve(count * self.publish_len);
        for slot in self.free.drain(self.free.len() - count..).rev() {
            let slot = slot as usize;
            let start = output.len();
            let template = slot * self.publish_len;
            output.extend_from_slice(&self.templates[template..template + self.publish_len]);
            if let Some(offset) = self.id_offset {
                write_digits(&mut output[start + offset..start + offset + ID_DIGITS], self.next_id);
                self.next_id += 1;
            }
            self.sent_at[slot] = Some(now);
        }
        count
    }

    /// The slot that a reply subject names, and when its publish was sent; None if no publish waits there.
    pub fn complete(&mut self, subject: &[u8]) -> Option<(usize, u64)> {
        let digits = subject.last_chunk::<SLOT_DIGITS>()?;
        let slot = digits.iter().try_fold(0usize, |slot, byte| {
            byte.is_ascii_digit().then(|| slot * 10 + usize::from(byte - b'0'))
        })?;
        let sent_at = self.sent_at.get_mut(slot)?.take()?;
        self.free.push(slot as u32);
        Some((slot, sent_at))
    }
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_after_its_acknowledgement_and_only_then() {
        let mut in_flight = InFlight::new(2, |_| "s".into(), "_I", b"xy", None);
        let mut output = Vec::new();
        assert_eq!(in_flight.fill(7, 10, &mut output), 2);
        assert_eq!(output, b"PUB s _I.000000 2\r\nxy\r\nPUB s _I.000001 2\r\nxy\r\n");
        assert_eq!(in_flight.fill(8, 10, &mut output), 0);
        assert_eq!(in_flight.complete(b"_I.000001"), Some((1, 7)));
        assert_eq!(in_flight.complete(b"_I.000001"), None);
        assert_eq!(in_flight.complete(b"_I.000009"), None);
        assert_eq!(in_flight.len(), 1);
    }

    #[test]
    fn message_ids_are_distinct() {
        let mut in_flight = InFlight::new(2, |_| "s".into(), "_I", b"xy", Some("c3"));
        let mut output = Vec::new();
        in_flight.fill(0, 2, &mut output);
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains("Nats-Msg-Id: c3-0000000000000000\r\n\r\nxy"), "{text}");
        assert!(text.contains("Nats-Msg-Id: c3-0000000000000001\r\n\r\nxy"), "{text}");
    }
}
