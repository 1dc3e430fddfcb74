//! Bytes on their way to one peer, and the part of them that an unconfirmed PING holds back.

use std::collections::VecDeque;

/// What is queued for the socket. Holds no memory while nothing is queued.
///
/// A PONG tells the peer that its subscriptions are known on every core. Until that is confirmed, the PONG and everything
/// queued after its PING wait; what was queued before may leave.
#[derive(Debug, Default)]
pub struct Output {
    /// May be written now.
    ready: Vec<u8>,
    /// PINGs that are not confirmed.
    unconfirmed: u32,
    /// What was queued since the first of them; none while nothing was.
    held: Option<Box<Held>>,
    /// Taken for writing and not reported as written.
    in_flight: usize,
}

#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// For every unconfirmed PING but the first: how many of `bytes` come before its PONG.
    pongs: VecDeque<usize>,
}

impl Output {
    /// Where the next bytes go.
    #[inline]
    pub fn end(&mut self) -> &mut Vec<u8> {
        match self.unconfirmed {
            0 => &mut self.ready,
            _ => &mut self.held.get_or_insert_default().bytes,
        }
    }

    /// A PING was read: from now on everything waits.
    pub fn hold(&mut self) {
        if self.unconfirmed > 0 {
            let held = self.held.get_or_insert_default();
            held.pongs.push_back(held.bytes.len());
        }
        self.unconfirmed += 1;
    }

    /// The oldest unconfirmed PING is confirmed: writes what `pong` writes and lets go what waited for it alone. False if
    /// there is none.
    pub fn release(&mut self, pong: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.unconfirmed == 0 {
            return false;
        }
        self.unconfirmed -= 1;
        pong(&mut self.ready);
        let Some(held) = &mut self.held else { return true };
        let until = held.pongs.pop_front().unwrap_or(held.bytes.len());
        self.ready.extend_from_slice(&held.bytes[..until]);
        if self.unconfirmed == 0 {
            self.held = None;
            return true;
        }
        held.bytes.drain(..until);
        held.pongs.iter_mut().for_each(|place| *place -= until);
        true
    }

    /// PINGs that wait for confirmation.
    pub fn unconfirmed(&self) -> u32 {
        self.unconfirmed
    }

    /// Bytes that may be taken.
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// All bytes that the peer's slowness costs us.
    #[inline]
    pub fn pending(&self) -> usize {
        let held =
            self.held.as_ref().map_or(0, |held| held.bytes.len() + held.pongs.len() * size_of::<usize>());
        self.ready.len() + held + self.in_flight
    }

    /// Swaps what is ready for `spare`, which must be empty.
    pub fn take(&mut self, spare: Vec<u8>) -> Vec<u8> {
        debug_assert!(spare.is_empty() && self.in_flight == 0);
        let ready = std::mem::replace(&mut self.ready, spare);
        self.in_flight += ready.len();
        ready
    }

    /// So many bytes of what was taken are written.
    pub fn written(&mut self, bytes: usize) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
    }

    /// Bytes taken and not written yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Drops everything that was not taken.
    pub fn clear(&mut self) {
        self.ready = Vec::new();
        self.held = None;
        self.unconfirmed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(out: &mut Vec<u8>) {
        out.extend_from_slice(b"P");
    }

    #[test]
    fn what_is_queued_after_a_ping_waits_for_its_confirmation() {
        let mut output = Output::default();
        output.end().extend_from_slice(b"a");
        output.hold();
        output.end().extend_from_slice(b"b");
        assert_eq!(output.take(Vec::new()), b"a");
        output.written(1);
        assert!(output.release(pong));
        assert_eq!(output.take(Vec::new()), b"Pb");
        assert!(!output.release(pong));
    }

    #[test]
    fn several_pings_let_go_of_their_own_part_in_order() {
        let mut output = Output::default();
        for part in [b"a", b"b", b"c"] {
            output.hold();
            output.end().extend_from_slice(part);
        }
        let mut seen = Vec::new();
        for expected in [&b"Pa"[..], b"Pb", b"Pc"] {
            assert!(output.release(pong));
            let bytes = output.take(Vec::new());
            output.written(bytes.len());
            assert_eq!(bytes, expected);
            seen.extend(bytes);
        }
        assert_eq!((seen.as_slice(), output.pending(), output.held.is_none()), (&b"PaPbPc"[..], 0, true));
    }

    #[test]
    fn pings_at_once_cost_only_their_pongs() {
        let mut output = Output::default();
        output.hold();
        output.hold();
        assert!(output.release(pong) && output.release(pong));
        assert_eq!(output.take(Vec::new()), b"PP");
    }

    #[test]
    fn bytes_count_as_pending_until_they_are_written() {
        let mut output = Output::default();
        output.end().extend_from_slice(b"abc");
        let taken = output.take(Vec::with_capacity(8));
        assert_eq!((taken.len(), output.pending(), output.ready_len()), (3, 3, 0));
        output.written(2);
        assert_eq!(output.in_flight(), 1);
        output.written(1);
        assert_eq!(output.pending(), 0);
    }
}
