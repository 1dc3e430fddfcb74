//! The JSON of INFO and CONNECT.

use super::write;
use serde::Serialize;
use serde_json::Value;

/// What INFO says about the server, the same for all clients. Fields in wire order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// Public server nkey, `N` and 55 more characters; new at each start.
    pub server_id: String,
    /// Configured name, else the id.
    pub server_name: String,
    pub host: String,
    pub port: u16,
    /// Clients may use headers.
    pub headers: bool,
    pub auth_required: bool,
    /// Largest message, headers and payload. Bytes.
    pub max_payload: usize,
    /// Streams are enabled.
    pub jetstream: bool,
    /// Public curve nkey, `X…`; new at each start.
    pub xkey: String,
}

/// What INFO says to one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientInfo<'a> {
    pub client_id: u64,
    pub client_ip: &'a str,
    /// In the first INFO, where users log in with keys: what to sign.
    pub nonce: Option<&'a str>,
    /// The server is going down slowly.
    pub lame_duck: bool,
    /// In the INFO that follows the first PONG: the account of the client.
    pub remote_account: Option<&'a str>,
}

/// Version whose behaviour clients may expect. They compare it with the versions that brought features.
pub const NATS_VERSION: &str = "2.15.2";
/// Level of the JetStream API that goes with `NATS_VERSION`.
pub const API_LEVEL: u32 = 5;

/// Appends an INFO operation.
pub fn write_info(out: &mut Vec<u8>, server: &ServerInfo, client: &ClientInfo<'_>) {
    let info = Info {
        server_id: &server.server_id,
        server_name: &server.server_name,
        version: NATS_VERSION,
        proto: 1,
        go: "none",
        host: &server.host,
        port: server.port,
        headers: server.headers,
        auth_required: server.auth_required,
        max_payload: server.max_payload,
        jetstream: server.jetstream,
        client_id: client.client_id,
        client_ip: client.client_ip,
        nonce: client.nonce,
        ldm: client.lame_duck,
        connect_info: client.remote_account.is_some(),
        remote_account: client.remote_account,
        api_lvl: API_LEVEL,
        xkey: &server.xkey,
        millrace: env!("CARGO_PKG_VERSION"),
    };
    let json = serde_json::to_vec(&info).expect("strings, numbers and flags always serialize");
    write::info(out, &json);
}

#[derive(Serialize)]
struct Info<'a> {
    server_id: &'a str,
    server_name: &'a str,
    version: &'a str,
    proto: u32,
    go: &'a str,
    host: &'a str,
    port: u16,
    headers: bool,
    #[serde(skip_serializing_if = "is_false")]
    auth_required: bool,
    max_payload: usize,
    #[serde(skip_serializing_if = "is_false")]
    jetstream: bool,
    client_id: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_ip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    ldm: bool,
    #[serde(skip_serializing_if = "is_false")]
    connect_info: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_account: Option<&'a str>,
    api_lvl: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    xkey: &'a str,
    /// Our own version.
    millrace: &'a str,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a client asked for with CONNECT. A second CONNECT changes only what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectOptions {
    pub verbose: bool,
    pub pedantic: bool,
    pub echo: bool,
    pub headers: bool,
    pub no_responders: bool,
    /// 1: wants later INFOs. Anything but 0 and 1 is refused, by the client.
    pub protocol: i64,
    /// The CONNECT names an account, which is refused, by the client.
    pub names_account: bool,
    pub user: String,
    pub pass: String,
    pub auth_token: String,
    /// Public key of a user, and a signature of the nonce in base64.
    pub nkey: String,
    pub sig: String,
    /// For monitoring and logs.
    pub name: String,
    pub lang: String,
    pub version: String,
}

/// As a client counts that sends nothing.
impl Default for ConnectOptions {
    fn default() -> Self {
        ConnectOptions {
            verbose: true,
            pedantic: true,
            echo: true,
            headers: false,
            no_responders: false,
            protocol: 0,
            names_account: false,
            user: String::new(),
            pass: String::new(),
            auth_token: String::new(),
            nkey: String::new(),
            sig: String::new(),
            name: String::new(),
            lang: String::new(),
            version: String::new(),
        }
    }
}

/// A CONNECT that is no JSON object, or has a field of a wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadJson;

impl ConnectOptions {
    /// Takes over the fields of a CONNECT. Names are compared without regard to case, `null` changes nothing, unknown fields
    /// are ignored and broken UTF-8 is replaced, as Go's decoder does.
    pub fn update(&mut self, json: &[u8]) -> Result<(), BadJson> {
        let text = String::from_utf8_lossy(json);
        let fields = match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => fields,
            Ok(Value::Null) => return Ok(()),
            _ => return Err(BadJson),
        };
        for (name, value) in fields {
            self.update_field(&name.to_ascii_lowercase(), value)?;
        }
        Ok(())
    }

    fn update_field(&mut self, name: &str, value: Value) -> Result<(), BadJson> {
        let flag = match name {
            "verbose" => &mut self.verbose,
            "pedantic" => &mut self.pedantic,
            "echo" => &mut self.echo,
            "headers" => &mut self.headers,
            "no_responders" => &mut self.no_responders,
            "tls_required" => &mut false,
            "new_account" => &mut self.names_account,
            _ => return self.update_text(name, value),
        };
        match value {
            Value::Bool(is_set) => *flag = is_set,
            Value::Null => {}
            _ => return Err(BadJson),
        }
        Ok(())
    }

    fn update_text(&mut self, name: &str, value: Value) -> Result<(), BadJson> {
        let mut unused = String::new();
        let text = match name {
            "user" => &mut self.user,
            "pass" => &mut self.pass,
            "auth_token" => &mut self.auth_token,
            "name" => &mut self.name,
            "lang" => &mut self.lang,
            "version" => &mut self.version,
            "nkey" => &mut self.nkey,
            "sig" => &mut self.sig,
            "jwt" | "account" => &mut unused,
            "protocol" => return self.update_protocol(&value),
            _ => return Ok(()),
        };
        match value {
            Value::String(new) => *text = new,
            Value::Null => {}
            _ => return Err(BadJson),
        }
        self.names_account |= name == "account" && !unused.is_empty();
        Ok(())
    }

    fn update_protocol(&mut self, value: &Value) -> Result<(), BadJson> {
        if !value.is_null() {
            self.protocol = value.as_i64().ok_or(BadJson)?;
        }
        Ok(())
    }
}

/// Whether an INFO of a client is an object, so that it can be ignored.
pub fn is_info(json: &[u8]) -> bool {
    let text = String::from_utf8_lossy(json);
    matches!(serde_json::from_str(&text), Ok(Value::Object(_) | Value::Null))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(json: &str) -> Result<ConnectOptions, BadJson> {
        let mut options = ConnectOptions::default();
        options.update(json.as_bytes()).map(|()| options)
    }

    #[test]
    fn absent_fields_keep_their_defaults_which_are_verbose_and_pedantic() {
        let options = connect("{}").unwrap();
        assert!(options.verbose && options.pedantic && options.echo);
        assert!(!options.headers && !options.no_responders);
        assert_eq!(connect("null"), connect("{}"));
    }

    #[test]
    fn names_are_taken_in_any_case_and_null_changes_nothing() {
        let options =
            connect(r#"{"VERBOSE":false,"Pedantic":null,"Protocol":1,"user":"u","pass":"p"}"#).unwrap();
        assert!(!options.verbose && options.pedantic);
        assert_eq!((options.protocol, &*options.user, &*options.pass), (1, "u", "p"));
    }

    #[test]
    fn unknown_fields_are_ignored_and_known_ones_of_a_wrong_type_are_not() {
        assert!(connect(r#"{"future":{"a":[1]},"import":3}"#).is_ok());
        for wrong in [
            r#"{"user":1}"#,
            r#"{"verbose":"no"}"#,
            r#"{"protocol":1.0}"#,
            r#"{"lang":[]}"#,
            "[]",
            "",
            "{} x",
        ] {
            assert_eq!(connect(wrong), Err(BadJson), "{wrong}");
        }
    }

    #[test]
    fn naming_an_account_is_noticed() {
        assert!(connect(r#"{"account":"x"}"#).unwrap().names_account);
        assert!(connect(r#"{"new_account":true}"#).unwrap().names_account);
        assert!(!connect(r#"{"account":"","new_account":false}"#).unwrap().names_account);
    }

    #[test]
    fn a_second_connect_changes_only_what_it_names() {
        let mut options = connect(r#"{"verbose":false,"name":"a"}"#).unwrap();
        options.update(br#"{"name":"b"}"#).unwrap();
        assert!(!options.verbose);
        assert_eq!(options.name, "b");
    }

    #[test]
    fn broken_utf8_is_replaced() {
        let mut options = ConnectOptions::default();
        options.update(b"{\"name\":\"\xff\"}").unwrap();
        assert_eq!(options.name, "\u{fffd}");
    }

    #[test]
    fn info_has_its_fields_in_wire_order_and_leaves_out_what_is_unset() {
        let server = ServerInfo {
            server_id: "NID".into(),
            server_name: "one".into(),
            host: "0.0.0.0".into(),
            port: 4222,
            headers: true,
            max_payload: 1_048_576,
            jetstream: true,
            xkey: "XKEY".into(),
            ..ServerInfo::default()
        };
        let mut out = Vec::new();
        write_info(
            &mut out,
            &server,
            &ClientInfo { client_id: 5, client_ip: "127.0.0.1", ..Default::default() },
        );
        let expected = concat!(
            r#"INFO {"server_id":"NID","server_name":"one","version":"2.15.2","proto":1,"go":"none","host":"0.0.0.0","#,
            r#""port":4222,"headers":true,"max_payload":1048576,"jetstream":true,"client_id":5,"client_ip":"127.0.0.1","#,
            r#""api_lvl":5,"xkey":"XKEY","millrace":"0.1.0"} "#,
            "\r\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
