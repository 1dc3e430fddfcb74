//! Why there is no result, as one sentence and one exit code each.
//! May import: nothing.
//! Must not know: who prints it.

use std::fmt;

/// Each kind has an exit code of its own; 1 is left to a verdict that went against the server, 2 is also clap's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Flags or keys that contradict each other, or that the workload does not have.
    BadOptions(String),
    /// Nobody listens at the address, or it cannot be resolved.
    Unreachable(String),
    /// The server refused the login, or said `-ERR`.
    Refused(String),
    /// The server, or the account, has no JetStream.
    NoJetStream(String),
    /// The stream that was named is not there.
    MissingStream(String),
    /// The stream that was named holds fewer messages than are wanted.
    StreamTooSmall { stream: String, messages: u64, wanted: u64 },
    /// The server does not want a stream, a consumer or a message as the workload needs it.
    Unsuitable(String),
    /// The server went away, fell silent or sent garbage.
    Lost(String),
    /// A system call of this machine.
    Machine(String),
    /// An acked message was not read back as it was published.
    VerificationFailed(String),
    /// The generator was late, so the figures say nothing about the server.
    InvalidRun(String),
    /// Wrong, duplicate or missing acknowledgements or deliveries.
    Faults(String),
    /// A file that describes objectives or a comparison: file, line and what is wrong.
    BadFile(String),
    /// A program that a comparison needs is not on this machine: how to get it.
    MissingProgram(String),
    /// A server that a comparison started did not come up, or went away.
    NotStarted(String),
    /// Stopped by a signal.
    Interrupted,
}

impl Failure {
    /// The exit code of the process; never 0 or 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::BadOptions(_) => 2,
            Failure::Unreachable(_) => 3,
            Failure::Refused(_) => 4,
            Failure::NoJetStream(_) => 5,
            Failure::MissingStream(_) => 6,
            Failure::StreamTooSmall { .. } => 7,
            Failure::Unsuitable(_) => 8,
            Failure::Lost(_) => 9,
            Failure::Machine(_) => 10,
            Failure::VerificationFailed(_) => 11,
            Failure::InvalidRun(_) => 12,
            Failure::Faults(_) => 13,
            Failure::BadFile(_) => 14,
            Failure::MissingProgram(_) => 15,
            Failure::NotStarted(_) => 16,
            Failure::Interrupted => 130,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::BadOptions(text) => write!(f, "{text}"),
            Failure::Unreachable(text) => write!(f, "cannot connect to {text}"),
            Failure::Refused(text) => write!(f, "the server refuses: {text}"),
            Failure::NoJetStream(text) => write!(f, "no JetStream: {text}"),
            Failure::MissingStream(stream) => write!(f, "there is no stream {stream}"),
            Failure::StreamTooSmall { stream, messages, wanted } => {
                write!(f, "stream {stream} holds {messages} messages; {wanted} are wanted")
            }
            Failure::Unsuitable(text) => write!(f, "the server cannot carry this workload: {text}"),
            Failure::Lost(text) => write!(f, "the server was lost: {text}"),
            Failure::Machine(text) => write!(f, "this machine: {text}"),
            Failure::VerificationFailed(text) => write!(f, "verification failed: {text}"),
            Failure::InvalidRun(text) => write!(f, "the run is invalid: {text}"),
            Failure::Faults(text) => write!(f, "the server made mistakes: {text}"),
            Failure::BadFile(text) | Failure::MissingProgram(text) => write!(f, "{text}"),
            Failure::NotStarted(text) => write!(f, "a server did not start: {text}"),
            Failure::Interrupted => write!(f, "interrupted"),
        }
    }
}

impl std::error::Error for Failure {}
