//! The NATS client protocol: bytes to operations and back.
//! May import: nothing.
//! Must not know: what an operation does, who sent it.

pub mod connect;
pub mod parse;
pub mod publish;
pub mod write;
