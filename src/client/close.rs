//! Why a connection ended.

use std::fmt;

/// Shown in logs and monitoring. Source: nats-server, server/client.go (`ClosedState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    ClientClosed,
    AuthenticationTimeout,
    AuthenticationFailure,
    SlowConsumerPendingBytes,
    SlowConsumerWriteDeadline,
    WriteError,
    ReadError,
    ParseError,
    StaleConnection,
    ProtocolViolation,
    BadClientProtocolVersion,
    MaximumConnectionsExceeded,
    MaximumMessagePayloadExceeded,
    MaximumControlLineExceeded,
    ServerShutdown,
    NoRespondersRequiresHeaders,
    Kicked,
}

impl CloseReason {
    /// Whether bytes that are queued should still be written: also to a peer that has closed its own half.
    pub fn flushes(self) -> bool {
        use CloseReason::*;
        !matches!(self, SlowConsumerPendingBytes | SlowConsumerWriteDeadline | WriteError | ReadError)
    }

    /// Whether the peer did not read fast enough.
    pub fn is_slow_consumer(self) -> bool {
        matches!(self, CloseReason::SlowConsumerPendingBytes | CloseReason::SlowConsumerWriteDeadline)
    }

    /// What the log holds against a peer that is cut off for what it sent; in nats-server's words where it has fixed ones.
    pub fn complaint(self) -> Option<&'static str> {
        use CloseReason::*;
        match self {
            AuthenticationFailure => Some("authentication error"),
            ParseError => Some("an error was sent by the client"),
            ProtocolViolation => Some("protocol violation"),
            BadClientProtocolVersion => Some("invalid client protocol"),
            MaximumMessagePayloadExceeded => Some("maximum payload exceeded"),
            MaximumControlLineExceeded => Some("maximum control line exceeded"),
            NoRespondersRequiresHeaders => Some("no responders requires headers support"),
            _ => None,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use CloseReason::*;
        f.write_str(match self {
            ClientClosed => "Client Closed",
            AuthenticationTimeout => "Authentication Timeout",
            AuthenticationFailure => "Authentication Failure",
            SlowConsumerPendingBytes => "Slow Consumer (Pending Bytes)",
            SlowConsumerWriteDeadline => "Slow Consumer (Write Deadline)",
            WriteError => "Write Error",
            ReadError => "Read Error",
            ParseError => "Parse Error",
            StaleConnection => "Stale Connection",
            ProtocolViolation => "Protocol Violation",
            BadClientProtocolVersion => "Bad Client Protocol Version",
            MaximumConnectionsExceeded => "Maximum Connections Exceeded",
            MaximumMessagePayloadExceeded => "Maximum Message Payload Exceeded",
            MaximumControlLineExceeded => "Maximum Control Line Exceeded",
            ServerShutdown => "Server Shutdown",
            NoRespondersRequiresHeaders => "No Responders Requires Headers",
            Kicked => "Kicked",
        })
    }
}
