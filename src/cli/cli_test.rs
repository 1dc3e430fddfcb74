use super::*;
use clap::CommandFactory;

fn parse_args(args: &[&str]) -> Result<Command, CliError> {
    parse(args.iter().map(|arg| arg.to_string()), |_| Ok("port = 5000\nmax_payload = 1000\n".into()))
}

fn options(args: &[&str]) -> Options {
    match parse_args(args) {
        Ok(Command::Run(options, _)) => *options,
        other => panic!("{args:?}: {other:?}"),
    }
}

fn refusal(args: &[&str]) -> String {
    let text = parse_args(args).unwrap_err().to_string();
    text.lines().next().unwrap().to_owned()
}

#[test]
fn without_flags_the_defaults_hold() {
    assert_eq!(options(&[]), Options::default());
}

#[test]
fn one_dash_or_two_and_both_value_forms_are_the_same() {
    for args in [&["-p", "4300"][..], &["--p=4300"], &["-port=4300"], &["--port", "4300"]] {
        assert_eq!(options(args).port, 4300, "{args:?}");
    }
}

#[test]
fn port_minus_one_lets_the_system_choose() {
    assert_eq!(options(&["-p", "-1"]).port, 0);
}

#[test]
fn flags_override_the_file() {
    let options = options(&["-c", "x.toml", "-p", "6000"]);
    assert_eq!((options.port, options.max_payload), (6000, 1000));
}

#[test]
fn switches_can_be_turned_off() {
    assert!(!options(&["-T=false"]).logtime);
    assert_eq!(options(&["-js"]), Options::default());
    let refused = refusal(&["-js=false"]);
    assert_eq!(refused, "millrace: a server without JetStream is not supported by this server yet");
    let both = options(&["-DV"]);
    assert!(both.debug && both.trace);
}

#[test]
fn users_and_tokens_come_from_flags() {
    assert_eq!(options(&["--auth", "t"]).authorization, Authorization::Token("t".into()));
    let user = User::Named { name: "u".into(), password: "-p".into() };
    assert_eq!(options(&["-user", "u", "-pass", "-p"]).authorization, Authorization::Users(vec![user]));
    assert_eq!(refusal(&["--user", "u", "--auth", "t"]), "millrace: Cannot have a user/pass and token");
}

#[test]
fn cores_are_a_list_with_ranges() {
    assert_eq!(options(&["--cores", "0,2-3"]).cores, Some(vec![0, 2, 3]));
    assert_eq!(refusal(&["--cores", "3-1"]), "millrace: invalid list of cores \"3-1\"; write it as 0,2-3");
}

#[test]
fn the_store_directory_is_kept_for_the_data_directory() {
    assert_eq!(options(&["-sd", "/data"]).jetstream.store_dir, Some("/data".into()));
}

#[test]
fn a_flag_that_is_not_served_is_refused_as_it_was_written() {
    assert_eq!(refusal(&["-m", "8222"]), "millrace: -m is not supported by this server yet");
    assert_eq!(refusal(&["--tls=true"]), "millrace: --tls is not supported by this server yet");
}

#[test]
fn errors_read_as_nats_server_writes_them() {
    assert_eq!(refusal(&["--nope"]), "flag provided but not defined: -nope");
    assert_eq!(refusal(&["-p", "abc"]), "invalid value \"abc\" for flag -port: parse error");
    assert_eq!(refusal(&["-p"]), "flag needs an argument: -p");
    assert_eq!(refusal(&["foo"]), "millrace: unrecognized command: \"foo\"");
    assert_eq!(
        refusal(&["-t"]),
        "millrace: must specify [-c, --config] option to check configuration file syntax"
    );
}

#[test]
fn help_and_version_are_flags_and_words() {
    for args in [["-v"], ["--version"], ["version"]] {
        let Ok(Command::Print(text)) = parse_args(&args) else { panic!("{args:?}") };
        assert!(text.starts_with("nats-server: v2.15.2\nmillrace: v"), "{text}");
    }
    for args in [["-h"], ["--help"], ["help"]] {
        assert_eq!(parse_args(&args), Ok(Command::Print(USAGE.into())));
    }
}

#[test]
fn the_configuration_can_be_tested_alone() {
    assert_eq!(parse_args(&["-t", "-c", "x.toml"]), Ok(Command::Tested("x.toml".into())));
}

#[test]
fn the_usage_names_every_flag_and_no_other() {
    let words: Vec<&str> = USAGE
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| word.len() > 1 && word.starts_with('-') && !word.starts_with("-1"))
        .map(|word| word.trim_start_matches('-'))
        .collect();
    let command = Flags::command();
    let mut known = Vec::new();
    for arg in command.get_arguments() {
        known.extend(arg.get_long());
        known.extend(arg.get_all_aliases().unwrap_or_default());
    }
    for name in &known {
        assert!(words.contains(name), "usage lacks {name}");
    }
    for word in words {
        assert!(known.contains(&word), "usage invents {word}");
    }
}
