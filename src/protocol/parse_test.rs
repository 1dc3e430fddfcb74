use super::*;

const LIMITS: Limits = Limits { max_control_line: 64, max_payload: 1024, headers: true };

fn whole(input: &str) -> Operation<'_> {
    match parse(input.as_bytes(), &LIMITS) {
        Ok(Parsed::Whole(operation, len)) => {
            assert_eq!(len, input.len(), "{input:?}");
            operation
        }
        other => panic!("{input:?}: {other:?}"),
    }
}

fn error(input: &str) -> ProtocolError {
    parse(input.as_bytes(), &LIMITS).expect_err(input)
}

fn publish<'a>(subject: &'a str, reply: &'a str, headers: &'a str, payload: &'a str) -> Operation<'a> {
    Operation::Publish {
        subject: subject.as_bytes(),
        reply: reply.as_bytes(),
        headers: headers.as_bytes(),
        payload: payload.as_bytes(),
    }
}

#[test]
fn verbs_are_taken_in_any_case() {
    assert_eq!(whole("PUB a 2\r\nhi\r\n"), publish("a", "", "", "hi"));
    assert_eq!(whole("pUb a 2\r\nhi\r\n"), publish("a", "", "", "hi"));
    assert_eq!(whole("hpub a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"), publish("a", "", "NATS/1.0\r\n\r\n", "hi"));
    assert_eq!(whole("cOnNeCt {}\r\n"), Operation::Connect { json: b"{}" });
    assert_eq!(whole("Sub a 1\r\n"), Operation::Subscribe { subject: b"a", queue: b"", sid: b"1" });
    assert_eq!(whole("unSUB 1\r\n"), Operation::Unsubscribe { sid: b"1", max: 0 });
    assert_eq!(
        (whole("ping\r\n"), whole("Pong\r\n"), whole("+ok\r\n")),
        (Operation::Ping, Operation::Pong, Operation::Ok)
    );
    assert_eq!(whole("-err 'x'\r\n"), Operation::Error { text: b"'x'" });
}

#[test]
fn runs_of_spaces_and_tabs_separate_arguments() {
    assert_eq!(whole("PUB \t a \t r  2\r\nhi\r\n"), publish("a", "r", "", "hi"));
    assert_eq!(whole("PUB\ta 2 \r\nhi\r\n"), publish("a", "", "", "hi"));
    assert_eq!(whole("SUB  a  q\t1 \r\n"), Operation::Subscribe { subject: b"a", queue: b"q", sid: b"1" });
}

#[test]
fn a_control_line_may_end_in_a_line_feed_alone() {
    assert_eq!(whole("PUB a 2\nhi\r\n"), publish("a", "", "", "hi"));
    assert_eq!(whole("PING\n"), Operation::Ping);
}

#[test]
fn whatever_follows_ping_on_its_line_is_ignored() {
    assert_eq!(whole("PINGxx y\r\n"), Operation::Ping);
    assert_eq!(whole("PONG 1 2\r\n"), Operation::Pong);
}

#[test]
fn connect_and_info_need_no_separator() {
    assert_eq!(whole("CONNECT{}\r\n"), Operation::Connect { json: b"{}" });
    assert_eq!(whole("INFO {}\r\n"), Operation::Info { json: b"{}" });
}

#[test]
fn an_unknown_verb_is_found_at_its_first_wrong_byte() {
    for unknown in
        ["\r\n", "\n", "X", "PX", "PINX", "SUBX", "MSG a 1 2\r\n", "RS+ a", "A+ a", "LS+ a", "HMSG", " PING"]
    {
        assert_eq!(error(unknown), ProtocolError::UnknownOperation, "{unknown:?}");
    }
}

#[test]
fn verbs_with_arguments_need_a_separator() {
    for bare in ["SUB\r\n", "UNSUB\r\n", "PUB\r\n", "HPUB\r\n", "-ERR\r\n"] {
        assert_eq!(error(bare), ProtocolError::UnknownOperation, "{bare:?}");
    }
}

#[test]
fn a_wrong_number_of_arguments_or_a_bad_size_is_an_error_without_text() {
    for bad in [
        "PUB a\r\n",
        "PUB \r\n",
        "PUB a b c 2\r\n",
        "PUB a x\r\n",
        "PUB a -1\r\n",
        "PUB a +1\r\n",
        "PUB a 0000000002\r\n",
        "HPUB a 2\r\n",
        "HPUB a 13 12\r\n",
        "HPUB a b c 1 2\r\n",
        "HPUB a x 12\r\n",
        "SUB a\r\n",
        "SUB a b c d\r\n",
        "UNSUB 1 2 3\r\n",
        "UNSUB \r\n",
    ] {
        assert_eq!(error(bad), ProtocolError::BadArguments, "{bad:?}");
        assert_eq!(error(bad).text(), None);
    }
}

#[test]
fn nine_digits_are_a_size_also_with_leading_zeros() {
    assert_eq!(whole("PUB a 000000002\r\nhi\r\n"), publish("a", "", "", "hi"));
}

#[test]
fn hpub_is_an_error_unless_headers_were_negotiated() {
    let limits = Limits { headers: false, ..LIMITS };
    assert_eq!(parse(b"HPUB a 12 12\r\n", &limits), Err(ProtocolError::BadArguments));
}

#[test]
fn a_bad_maximum_of_unsub_means_at_once() {
    assert_eq!(whole("UNSUB 1 5\r\n"), Operation::Unsubscribe { sid: b"1", max: 5 });
    assert_eq!(whole("UNSUB 1 -5\r\n"), Operation::Unsubscribe { sid: b"1", max: 0 });
    assert_eq!(whole("UNSUB 1 x\r\n"), Operation::Unsubscribe { sid: b"1", max: 0 });
}

#[test]
fn a_payload_must_be_followed_by_cr_lf() {
    assert_eq!(error("PUB a 2\r\nhi\n"), ProtocolError::UnknownOperation);
    assert_eq!(error("PUB a 2\r\nhi\rx"), ProtocolError::UnknownOperation);
    assert_eq!(error("PUB a 2\r\nhixx"), ProtocolError::UnknownOperation);
    assert_eq!(whole("PUB a 0\r\n\r\n"), publish("a", "", "", ""));
}

#[test]
fn an_oversized_message_is_refused_when_its_line_is_read() {
    assert_eq!(error("PUB a 1025\r\n"), ProtocolError::PayloadTooLarge);
    assert_eq!(error("HPUB a 12 1025\r\n"), ProtocolError::PayloadTooLarge);
    assert_eq!(parse(b"PUB a 1024\r\n", &LIMITS), Ok(Parsed::Cut { at_least: 12 + 1024 + 1 }));
}

#[test]
fn an_overlong_line_is_refused_whether_it_is_complete_or_not() {
    let fits = format!("SUB {} 1", "a".repeat(62));
    assert!(matches!(parse(format!("{fits}\r\n").as_bytes(), &LIMITS), Ok(Parsed::Whole(..))));
    assert!(matches!(parse(format!("{fits}\r").as_bytes(), &LIMITS), Ok(Parsed::Cut { .. })));
    let long = format!("SUB {} 1", "a".repeat(63));
    assert_eq!(error(&long), ProtocolError::ControlLineTooLong);
    assert_eq!(error(&format!("{long}\r\n")), ProtocolError::ControlLineTooLong);
    assert_eq!(error(&format!("PING{}", "x".repeat(80))), ProtocolError::ControlLineTooLong);
    assert_eq!(error(&format!("PUB {}", " ".repeat(80))), ProtocolError::ControlLineTooLong);
}

#[test]
fn an_operation_cut_at_any_byte_waits_for_more_and_never_too_long() {
    for input in [
        "PUB a.b reply 12\r\nhello, world\r\n",
        "HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
        "CONNECT {\"verbose\":false}\r\n",
        "SUB a q 1\r\n",
        "UNSUB 1 5\r\n",
        "PING\r\n",
        "PONG\r\n",
        "+OK\r\n",
        "INFO {}\r\n",
        "-ERR 'x'\r\n",
    ] {
        let whole = parse(input.as_bytes(), &LIMITS);
        assert!(matches!(whole, Ok(Parsed::Whole(_, len)) if len == input.len()), "{input:?}");
        for cut in 0..input.len() {
            match parse(&input.as_bytes()[..cut], &LIMITS) {
                Ok(Parsed::Cut { at_least }) => {
                    assert!(at_least > cut && at_least <= input.len(), "{input:?} {cut}")
                }
                other => panic!("{input:?} cut at {cut}: {other:?}"),
            }
        }
    }
}

#[test]
fn what_follows_an_operation_is_left_alone() {
    let input = b"PUB a 2\r\nhi\r\nPUB b 1\r\nx\r\n";
    assert!(matches!(parse(input, &LIMITS), Ok(Parsed::Whole(_, 13))));
}
