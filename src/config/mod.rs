//! Configuration: one typed result (`Options`), made from defaults, `config.toml` and flags, in this order.
//! May import: accounts (nkey), `shards` (limits).
//! Must not know: who uses an option; sockets, clocks.

mod error;
mod location;
mod options;
mod toml;
mod units;
mod unserved;

pub use error::{ConfigError, Refusal};
pub use options::{Acks, Authorization, JetStream, Options, User};
pub use toml::{from_toml, parse_cores};
pub use unserved::not_supported;
