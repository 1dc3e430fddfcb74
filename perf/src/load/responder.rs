//! A connection that answers each request with the request's payload.

use super::tally::Tally;
use crate::wire::{self, Message};

#[derive(Default)]
pub struct Responder;

impl Responder {
    pub fn handle(&mut self, message: &Message<'_>, out: &mut Vec<u8>, tally: &mut Tally) {
        if message.reply.is_empty() {
            return tally.error("wrong delivery", || "a request without a reply subject".into());
        }
        wire::publish(message.reply, b"", message.payload, out);
    }
}
