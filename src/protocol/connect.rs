//! The JSON of INFO and CONNECT.

/// What INFO says about the server, the same for all clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// Public server nkey, `N` and 55 more characters; new at each start.
    pub server_id: String,
    /// Configured name, else the id.
    pub server_name: String,
    pub host: String,
    pub port: u16,
    pub auth_required: bool,
    /// Largest message, headers and payload. Bytes.
    pub max_payload: usize,
    /// Streams are enabled.
    pub jetstream: bool,
    /// Public curve nkey, `X…`; new at each start.
    pub xkey: String,
}
