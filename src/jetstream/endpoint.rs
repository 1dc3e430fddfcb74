//! The one table from subjects of the API to endpoints.

/// What a subject asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    AccountInfo,
    StreamCreate,
    StreamUpdate,
    StreamNames,
    StreamList,
    StreamInfo,
    StreamDelete,
    StreamPurge,
    MessageGet,
    MessageDelete,
    DirectGet,
    ConsumerCreate(CreateForm),
    ConsumerNames,
    ConsumerList,
    ConsumerInfo,
    ConsumerDelete,
    // Not served.
    StreamSnapshot,
    StreamRestore,
    ConsumerPause,
    ConsumerUnpin,
    ConsumerReset,
    // For clusters only.
    StreamPeerRemove,
    StreamPeerEvacuate,
    StreamCancelMove,
    StreamLeaderStepdown,
    ConsumerPeerRemove,
    ConsumerPeerEvacuate,
    ConsumerLeaderStepdown,
}

/// The forms of a request to create a consumer, by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateForm {
    /// `CONSUMER.CREATE.<stream>`
    Ephemeral,
    /// `CONSUMER.DURABLE.CREATE.<stream>.<consumer>`
    Durable,
    /// `CONSUMER.CREATE.<stream>.<consumer>[.<filter>]`
    Named,
}

/// What the subject names; empty where it names nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target<'a> {
    pub stream: &'a str,
    pub consumer: &'a str,
    /// Filter of a consumer, or subject of a direct get: all tokens behind the names.
    pub subject: &'a str,
}

/// Where a subject leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    To(Endpoint, Target<'a>),
    /// A direct get or pull that nobody serves: `503` for who wants it.
    NoResponders,
    /// Nobody answers, and the asker is not told, because `$JS.API.>` itself is served.
    Silent,
}

/// Looks the subject up. Subjects with an empty token lead nowhere.
pub fn route(subject: &[u8]) -> Route<'_> {
    let path = subject.strip_prefix(b"$JS.API.").and_then(|path| std::str::from_utf8(path).ok());
    let Some(path) = path.filter(|path| path.split('.').all(|token| !token.is_empty())) else {
        return Route::Silent;
    };
    let mut tokens = [""; 5];
    let mut count = 0;
    for token in path.split('.') {
        if count < tokens.len() {
            tokens[count] = token;
        }
        count += 1;
    }
    find(path, tokens, count)
}

/// `count` is the number of tokens of `path`, of which `tokens` holds the first five.
fn find<'a>(path: &'a str, tokens: [&'a str; 5], count: usize) -> Route<'a> {
    use Endpoint as E;
    let [_, _, third, fourth, fifth] = tokens;
    let none = Target::default();
    let stream = |stream| Target { stream, ..none };
    let consumer = |stream, consumer| Target { stream, consumer, ..none };
    let (endpoint, target) = match (count, tokens) {
        (1, ["INFO", ..]) => (E::AccountInfo, none),
        (2, ["STREAM", "NAMES", ..]) => (E::StreamNames, none),
        (2, ["STREAM", "LIST", ..]) => (E::StreamList, none),
        (3, ["STREAM", "CREATE", ..]) => (E::StreamCreate, stream(third)),
        (3, ["STREAM", "UPDATE", ..]) => (E::StreamUpdate, stream(third)),
        (3, ["STREAM", "INFO", ..]) => (E::StreamInfo, stream(third)),
        (3, ["STREAM", "DELETE", ..]) => (E::StreamDelete, stream(third)),
        (3, ["STREAM", "PURGE", ..]) => (E::StreamPurge, stream(third)),
        (3, ["STREAM", "SNAPSHOT", ..]) => (E::StreamSnapshot, stream(third)),
        (3, ["STREAM", "RESTORE", ..]) => (E::StreamRestore, stream(third)),
        (3, ["STREAM", "CANCEL_MOVE", ..]) => (E::StreamCancelMove, stream(third)),
        (4, ["STREAM", "MSG", "GET", ..]) => (E::MessageGet, stream(fourth)),
        (4, ["STREAM", "MSG", "DELETE", ..]) => (E::MessageDelete, stream(fourth)),
        (4, ["STREAM", "PEER", "REMOVE", ..]) => (E::StreamPeerRemove, stream(fourth)),
        (4, ["STREAM", "PEER", "EVACUATE", ..]) => (E::StreamPeerEvacuate, stream(fourth)),
        (4, ["STREAM", "LEADER", "STEPDOWN", ..]) => (E::StreamLeaderStepdown, stream(fourth)),
        (3, ["CONSUMER", "NAMES", ..]) => (E::ConsumerNames, stream(third)),
        (3, ["CONSUMER", "LIST", ..]) => (E::ConsumerList, stream(third)),
        (4, ["CONSUMER", "INFO", ..]) => (E::ConsumerInfo, consumer(third, fourth)),
        (4, ["CONSUMER", "DELETE", ..]) => (E::ConsumerDelete, consumer(third, fourth)),
        (4, ["CONSUMER", "PAUSE", ..]) => (E::ConsumerPause, consumer(third, fourth)),
        (4, ["CONSUMER", "UNPIN", ..]) => (E::ConsumerUnpin, consumer(third, fourth)),
        (4, ["CONSUMER", "RESET", ..]) => (E::ConsumerReset, consumer(third, fourth)),
        (5, ["CONSUMER", "LEADER", "STEPDOWN", ..]) => (E::ConsumerLeaderStepdown, consumer(fourth, fifth)),
        (5, ["CONSUMER", "PEER", "REMOVE", ..]) => (E::ConsumerPeerRemove, consumer(fourth, fifth)),
        (5, ["CONSUMER", "PEER", "EVACUATE", ..]) => (E::ConsumerPeerEvacuate, consumer(fourth, fifth)),
        (3, ["CONSUMER", "CREATE", ..]) => (E::ConsumerCreate(CreateForm::Ephemeral), stream(third)),
        (5, ["CONSUMER", "DURABLE", "CREATE", ..]) => {
            (E::ConsumerCreate(CreateForm::Durable), consumer(fourth, fifth))
        }
        (4.., ["CONSUMER", "CREATE", ..]) => {
            let subject = behind(path, 4);
            (E::ConsumerCreate(CreateForm::Named), Target { stream: third, consumer: fourth, subject })
        }
        (3.., ["DIRECT", "GET", ..]) => {
            (E::DirectGet, Target { stream: third, subject: behind(path, 3), ..none })
        }
        (_, ["DIRECT", "GET", ..] | ["CONSUMER", "MSG", "NEXT", ..]) => return Route::NoResponders,
        _ => return Route::Silent,
    };
    Route::To(endpoint, target)
}

/// Everything behind the first `count` tokens.
fn behind(path: &str, count: usize) -> &str {
    path.splitn(count + 1, '.').nth(count).unwrap_or("")
}

impl Endpoint {
    /// The name in the `type` of its responses, `io.nats.jetstream.api.v1.<name>_response`.
    pub fn response_name(self) -> &'static str {
        match self {
            Endpoint::AccountInfo => "account_info",
            Endpoint::StreamCreate => "stream_create",
            Endpoint::StreamUpdate => "stream_update",
            Endpoint::StreamNames => "stream_names",
            Endpoint::StreamList => "stream_list",
            Endpoint::StreamInfo => "stream_info",
            Endpoint::StreamDelete => "stream_delete",
            Endpoint::StreamPurge => "stream_purge",
            Endpoint::MessageGet => "stream_msg_get",
            Endpoint::MessageDelete => "stream_msg_delete",
            // Its replies are messages; the name is never sent.
            Endpoint::DirectGet => "direct_get",
            Endpoint::ConsumerCreate(_) => "consumer_create",
            Endpoint::ConsumerNames => "consumer_names",
            Endpoint::ConsumerList => "consumer_list",
            Endpoint::ConsumerInfo => "consumer_info",
            Endpoint::ConsumerDelete => "consumer_delete",
            Endpoint::StreamSnapshot => "stream_snapshot",
            Endpoint::StreamRestore => "stream_restore",
            Endpoint::ConsumerPause => "consumer_pause",
            Endpoint::ConsumerUnpin => "consumer_unpin",
            Endpoint::ConsumerReset => "consumer_reset",
            Endpoint::StreamPeerRemove => "stream_remove_peer",
            Endpoint::StreamPeerEvacuate => "stream_evacuate_peer",
            Endpoint::StreamCancelMove => "stream_cancel_move",
            Endpoint::StreamLeaderStepdown => "stream_leader_stepdown",
            Endpoint::ConsumerPeerRemove => "consumer_remove_peer",
            Endpoint::ConsumerPeerEvacuate => "consumer_evacuate_peer",
            Endpoint::ConsumerLeaderStepdown => "consumer_leader_stepdown",
        }
    }

    /// The members that a response with an error still has behind it, as nats-server writes them.
    pub fn error_body(self) -> &'static str {
        match self {
            Endpoint::StreamInfo => r#","total":0,"offset":0,"limit":0"#,
            Endpoint::StreamNames => r#","total":0,"offset":0,"limit":0,"streams":null"#,
            Endpoint::StreamList => r#","total":0,"offset":0,"limit":0,"streams":[]"#,
            Endpoint::ConsumerNames | Endpoint::ConsumerList => {
                r#","total":0,"offset":0,"limit":0,"consumers":[]"#
            }
            Endpoint::StreamPurge => r#","purged":0"#,
            Endpoint::StreamRestore => r#","deliver_subject":"""#,
            Endpoint::ConsumerPause => r#","paused":false,"pause_until":"0001-01-01T00:00:00Z""#,
            Endpoint::ConsumerReset => r#","reset_seq":0"#,
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(subject: &str) -> Route<'_> {
        route(subject.as_bytes())
    }

    #[test]
    fn subjects_lead_to_endpoints_and_name_their_targets() {
        let to =
            |endpoint, stream, consumer, subject| Route::To(endpoint, Target { stream, consumer, subject });
        assert_eq!(at("$JS.API.INFO"), to(Endpoint::AccountInfo, "", "", ""));
        assert_eq!(at("$JS.API.STREAM.INFO.S"), to(Endpoint::StreamInfo, "S", "", ""));
        assert_eq!(at("$JS.API.STREAM.MSG.GET.S"), to(Endpoint::MessageGet, "S", "", ""));
        assert_eq!(at("$JS.API.CONSUMER.INFO.S.c"), to(Endpoint::ConsumerInfo, "S", "c", ""));
        assert_eq!(at("$JS.API.CONSUMER.PEER.REMOVE.S.c"), to(Endpoint::ConsumerPeerRemove, "S", "c", ""));
        assert_eq!(at("$JS.API.DIRECT.GET.S"), to(Endpoint::DirectGet, "S", "", ""));
        assert_eq!(at("$JS.API.DIRECT.GET.S.a.b"), to(Endpoint::DirectGet, "S", "", "a.b"));
        let create = Endpoint::ConsumerCreate;
        assert_eq!(at("$JS.API.CONSUMER.CREATE.S"), to(create(CreateForm::Ephemeral), "S", "", ""));
        assert_eq!(at("$JS.API.CONSUMER.CREATE.S.c"), to(create(CreateForm::Named), "S", "c", ""));
        assert_eq!(at("$JS.API.CONSUMER.CREATE.S.c.a.>"), to(create(CreateForm::Named), "S", "c", "a.>"));
        assert_eq!(at("$JS.API.CONSUMER.DURABLE.CREATE.S.c"), to(create(CreateForm::Durable), "S", "c", ""));
    }

    /// Each tried on a running nats-server.
    #[test]
    fn subjects_without_a_handler_get_silence_or_no_responders() {
        for silent in [
            "$JS.API",
            "$JS.API.FOO",
            "$JS.API.INFO.X",
            "$JS.API.STREAM.INFO",
            "$JS.API.STREAM.INFO.X.Y",
            "$JS.API.STREAM.NAMES.X",
            "$JS.API.CONSUMER.NAMES",
            "$JS.API.CONSUMER.CREATE",
            "$JS.API.CONSUMER.DURABLE.CREATE.X",
            "$JS.API.CONSUMER.DURABLE.CREATE.X.c.d",
            "$JS.API.META.LEADER.STEPDOWN",
            "$JS.API.SERVER.REMOVE",
            "$JS.API.ACCOUNT.PURGE.X",
            "$JS.API.STREAM.INFO.",
        ] {
            assert_eq!(at(silent), Route::Silent, "{silent}");
        }
        assert_eq!(at("$JS.API.DIRECT.GET"), Route::NoResponders);
        assert_eq!(at("$JS.API.CONSUMER.MSG.NEXT.S.c"), Route::NoResponders);
    }
}
