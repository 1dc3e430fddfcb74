use super::*;

fn read(text: &str) -> Result<Options, ConfigError> {
    from_toml(Path::new("x.toml"), text)
}

fn refusal(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_leaves_the_defaults() {
    assert_eq!(read(""), Ok(Options::default()));
}

#[test]
fn listen_takes_host_and_port_or_a_port() {
    for (text, host, port) in [
        ("listen = \"127.0.0.1:4333\"", "127.0.0.1", 4333),
        ("listen = \":4333\"", "0.0.0.0", 4333),
        ("listen = 4333", "0.0.0.0", 4333),
        ("listen = \"[::1]:4333\"", "::1", 4333),
        ("net = \"::1\"\nport = -1", "::1", 0),
    ] {
        let options = read(text).unwrap();
        assert_eq!((options.host.as_str(), options.port), (host, port), "{text}");
    }
}

#[test]
fn values_carry_units() {
    let options =
        read("max_payload = \"2MB\"\nping_interval = \"1m30s\"\nwrite_deadline = 3\nmax_pending = 4194304\n")
            .unwrap();
    assert_eq!(options.max_payload, 2 << 20);
    assert_eq!(options.ping_interval, Duration::from_secs(90));
    assert_eq!(options.write_deadline, Duration::from_secs(3));
}

#[test]
fn an_unknown_key_is_refused_with_its_place() {
    assert_eq!(refusal("port = 4222\n  prot = 1\n"), "x.toml:2:3: unknown key `prot`");
    assert_eq!(refusal("[jetstream]\nfoo = 1\n"), "x.toml:2:1: unknown key `foo`");
}

#[test]
fn a_wrong_type_is_refused_with_its_place() {
    let want = "x.toml:1:8: invalid type: string \"x\", expected a whole number";
    assert_eq!(refusal("port = \"x\""), want);
    let want = "x.toml:1:17: invalid type: integer `5`, expected a table";
    assert_eq!(refusal("authorization = 5"), want);
    assert!(refusal("jetstream = 3").starts_with("x.toml:1:13: "), "{}", refusal("jetstream = 3"));
}

#[test]
fn a_bad_value_is_refused_with_its_place() {
    assert_eq!(
        refusal("ping_interval = \"5\""),
        "x.toml:1:17: invalid duration \"5\"; write it as \"1h30m\" or \"500ms\""
    );
    assert_eq!(refusal("port = 70000"), "x.toml:1:8: 70000 is not a port");
    assert_eq!(
        refusal("\nmax_payload = \"9MB\""),
        "x.toml:2:15: max_payload (9437184) cannot be higher than 8388608"
    );
    assert_eq!(
        refusal("max_pending = 1000"),
        "x.toml:1:15: max_payload (1048576) cannot be higher than max_pending (1000)"
    );
    let text = "[jetstream]\nsync_interval = \"2m\"";
    assert!(
        refusal(text).starts_with("x.toml:2:17: sync_interval (120s) delays every ack"),
        "{}",
        refusal(text)
    );
}

#[test]
fn broken_toml_is_refused_with_its_place() {
    assert!(refusal("port = \n").starts_with("x.toml:1:"), "{}", refusal("port = \n"));
    assert!(
        refusal("port = 1\nport = 2\n").starts_with("x.toml:2:1: "),
        "{}",
        refusal("port = 1\nport = 2\n")
    );
}

#[test]
fn what_nats_server_has_and_we_do_not_serve_is_refused_by_name() {
    for (text, want) in [
        ("port = 1\n[mappings]\na = \"b\"\n", "x.toml:2:2: mappings is not supported by this server yet"),
        ("[tls]\ncert_file = \"x\"\n", "x.toml:1:2: tls is not supported by this server yet"),
        (
            "[jetstream]\ndomain = \"hub\"\n",
            "x.toml:2:1: jetstream.domain is not supported by this server yet",
        ),
        (
            "[authorization]\nusers = [{ user = \"a\", permissions = {} }]\n",
            "x.toml:2:24: authorization.users.permissions is not supported by this server yet",
        ),
    ] {
        assert_eq!(refusal(text), want);
    }
}

#[test]
fn jetstream_is_a_switch_or_a_table() {
    assert_eq!(read("jetstream = \"enabled\""), Ok(Options::default()));
    assert_eq!(read("jetstream = true"), Ok(Options::default()));
    let text = "jetstream = { store_dir = \"/d\", max_mem = 268435456, max_file = \"4G\", sync = \"2ms\" }";
    let jetstream = read(text).unwrap().jetstream;
    assert_eq!(jetstream.store_dir, Some("/d".into()));
    assert_eq!((jetstream.max_memory, jetstream.max_file), (Some(256 << 20), Some(4 << 30)));
    assert_eq!(jetstream.sync_interval, Duration::from_millis(2));
}

#[test]
fn a_zero_stands_for_the_default_where_nats_server_takes_it_so() {
    let text = "max_payload = 0\nmax_pending = 0\nmax_control_line = 0\nping_interval = 0\nping_max = 0\nwrite_deadline = \"0s\"\n\
                lame_duck_duration = 0\nlame_duck_grace_period = 0\n[authorization]\ntimeout = 0\n\
                [jetstream]\nmax_mem = -1\nmax_file = -1\n";
    assert_eq!(read(text), Ok(Options::default()));
    assert_eq!(read("max_subscriptions = -1"), Ok(Options::default()));
    assert_eq!(read("jetstream = { max_mem = 0 }").unwrap().jetstream.max_memory, Some(0));
    assert!(refusal("max_payload = -1").ends_with("a size cannot be negative"));
}

#[test]
fn a_file_for_nats_server_is_refused_as_such() {
    let refusal = refusal("listen: 127.0.0.1:4222\njetstream {\n}\n");
    assert!(refusal.starts_with("x.toml:1:9: key with no value"), "{refusal}");
    assert!(
        refusal.ends_with("nats-server's own configuration language is not supported by this server yet")
    );
}

#[test]
fn requests_are_always_decoded_strictly() {
    assert_eq!(read("jetstream = { strict = true }"), Ok(Options::default()));
    let reason = "jetstream.strict = false is not supported by this server yet";
    assert_eq!(refusal("jetstream = { strict = false }"), format!("x.toml:1:24: {reason}"));
}

#[test]
fn jetstream_cannot_be_turned_off() {
    let reason = "a server without JetStream is not supported by this server yet";
    assert_eq!(refusal("jetstream = false"), format!("x.toml:1:13: {reason}"));
    assert_eq!(refusal("jetstream = { enabled = false }"), format!("x.toml:1:25: {reason}"));
    assert_eq!(refusal("[jetstream]\ndisabled = true"), format!("x.toml:2:12: {reason}"));
}

#[test]
fn sync_always_means_no_interval() {
    let jetstream = read("[jetstream]\nsync_interval = \"always\"").unwrap().jetstream;
    assert_eq!(jetstream.sync_interval, Duration::ZERO);
}

#[test]
fn the_relaxed_mode_is_asked_for_by_name() {
    let acks = |text: &str| read(text).unwrap().jetstream.acks;
    assert_eq!(
        acks("[millrace]\nack = \"written\"\nunsynced_time_max = \"50ms\"\nunsynced_bytes_max = \"1MB\""),
        Acks::Written { unsynced_time_max: Duration::from_millis(50), unsynced_bytes_max: 1 << 20 }
    );
    assert_eq!(acks("[millrace]\nack = \"synced\""), Acks::Synced);
    assert_eq!(
        refusal("[millrace]\nunsynced_time_max = \"50ms\""),
        "x.toml:2:21: this setting needs ack = \"written\""
    );
    assert!(refusal("[millrace]\nack = \"maybe\"").starts_with("x.toml:2:7: unknown variant"));
}

#[test]
fn users_are_distinct_and_stand_alone() {
    let two =
        "[authorization]\nusers = [{ user = \"a\", password = \"x\" }, { username = \"b\", pass = \"y\" }]";
    let Authorization::Users(users) = read(two).unwrap().authorization else { panic!("no users") };
    assert_eq!(users[1], User::Named { name: "b".into(), password: "y".into() });
    assert_eq!(
        refusal("[authorization]\nusers = [{ user = \"a\" }, { user = \"a\" }]"),
        "x.toml:2:9: Duplicate user \"a\" detected"
    );
    assert_eq!(
        refusal("[authorization]\nuser = \"a\"\ntoken = \"t\""),
        "x.toml:3:9: Cannot have a user/pass and token"
    );
    assert_eq!(read("authorization = { timeout = 0.5 }").unwrap().auth_timeout, Duration::from_millis(500));
}

#[test]
fn a_user_may_have_a_key_instead_of_a_name() {
    let key = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK";
    let one = format!("{{ nkey = \"{key}\" }}");
    let users = |list: &str| format!("[authorization]\nusers = [{list}]");
    let Authorization::Users(read_users) = read(&users(&one)).unwrap().authorization else {
        panic!("no users")
    };
    assert!(matches!(&read_users[..], [User::Keyed(read_key)] if read_key.text() == key));
    for (list, reason) in [
        (format!("{one}, {one}"), format!("Duplicate nkey \"{key}\" detected")),
        (one.replace("\"U", "\"N"), "Not a valid public nkey for a user".into()),
        (one.replace("{ ", "{ user = \"a\", "), "Nkey users do not take usernames or passwords".into()),
        ("{ password = \"x\" }".into(), "User entry requires a user".into()),
    ] {
        assert_eq!(refusal(&users(&list)), format!("x.toml:2:9: {reason}"));
    }
}

#[test]
fn cores_are_a_text_or_a_list() {
    assert_eq!(read("[millrace]\ncores = \"0,2-3\"").unwrap().cores, Some(vec![0, 2, 3]));
    assert_eq!(read("[millrace]\ncores = [1, 2]").unwrap().cores, Some(vec![1, 2]));
    assert!(refusal("[millrace]\ncores = \"x\"").starts_with("x.toml:2:9: "));
}

#[test]
fn the_shipped_file_holds_the_defaults() {
    assert_eq!(read(SHIPPED), Ok(Options::default()));
}

/// In the shipped file prose starts with `# `, a setting that has no default value with `#`.
#[test]
fn every_setting_that_the_shipped_file_shows_is_valid() {
    let mut table = String::new();
    for line in SHIPPED.lines() {
        if line.starts_with('[') {
            table = line.to_owned();
        }
        let Some(setting) =
            line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_alphabetic()))
        else {
            continue;
        };
        let needed = if setting.starts_with("unsynced") { "ack = \"written\"\n" } else { "" };
        let text = format!("{table}\n{needed}{setting}\n");
        assert!(read(&text).is_ok(), "{text}: {:?}", read(&text));
    }
}

#[test]
fn every_key_is_in_the_shipped_file() {
    let words: Vec<&str> = SHIPPED.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let tables = [
        fields::<File>(),
        fields::<AuthorizationTable>(),
        fields::<UserTable>(),
        fields::<JetStreamTable>(),
        fields::<MillraceTable>(),
    ];
    for key in tables.concat() {
        assert!(words.contains(&key), "config.toml does not name {key}");
    }
}

const SHIPPED: &str = include_str!("../../config.toml");

/// The keys (aliases included) that `T` reads, as serde hands them to a deserializer.
fn fields<'de, T: Deserialize<'de>>() -> Vec<&'static str> {
    struct Listing(Vec<&'static str>);
    impl<'de> Deserializer<'de> for &mut Listing {
        type Error = de::value::Error;
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            self.0 = fields.to_vec();
            Err(de::Error::custom("listed"))
        }
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(de::Error::custom("not a struct"))
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut listing = Listing(Vec::new());
    let _ = T::deserialize(&mut listing);
    assert!(!listing.0.is_empty());
    listing.0
}
