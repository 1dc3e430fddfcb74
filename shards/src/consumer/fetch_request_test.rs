use super::*;
use crate::consumer::fixture::Dice;

fn parse(text: &str) -> FetchRequest {
    FetchRequest::parse(text.as_bytes()).unwrap()
}

fn refused(text: &str) -> String {
    FetchRequest::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn an_object_gives_every_field_and_others_are_ignored() {
    let request = parse(
        r#" {"batch":10,"expires":5000,"max_bytes":7,"no_wait":true,"idle_heartbeat":100,"unknown":{"a":[1,"x",null]},
            "min_pending":1,"min_ack_pending":2,"id":"p","group":"g","priority":3} "#,
    );
    let expected = FetchRequest {
        batch: 10,
        expires: 5000,
        max_bytes: 7,
        no_wait: true,
        heartbeat: 100,
        min_pending: 1,
        min_ack_pending: 2,
        has_id: true,
        priority: 3,
    };
    assert_eq!(request, expected);
    assert_eq!(parse("{}"), FetchRequest::default());
    assert_eq!(parse(r#"{"Batch":4,"expires":null}"#).batch, 4);
}

#[test]
fn a_number_is_a_batch_and_anything_else_is_one() {
    assert_eq!(parse("10").batch, 10);
    assert_eq!(parse(" 10\n").batch, 10);
    for text in ["", "  ", "ten", "[1]", "\"x\"", "99999999999999999999"] {
        assert_eq!(parse(text), FetchRequest { batch: 1, ..FetchRequest::default() }, "{text}");
    }
}

#[test]
fn a_broken_object_is_refused_in_the_words_of_go() {
    for (text, expected) in [
        ("{", "unexpected end of JSON input"),
        ("{x", "invalid character 'x' looking for beginning of object key string"),
        (r#"{"batch"x"#, "invalid character 'x' after object key"),
        (r#"{"batch":x"#, "invalid character 'x' looking for beginning of value"),
        (r#"{"batch":1 2"#, "invalid character '2' after object key:value pair"),
        (r#"{"a":[1 2]}"#, "invalid character '2' after array element"),
        (r#"{} x"#, "invalid character 'x' after top-level value"),
        (r#"{"no_wait":tru}"#, "invalid character '}' in literal true (expecting 'e')"),
        (
            r#"{"batch":"1"}"#,
            "json: cannot unmarshal string into Go struct field JSApiConsumerGetNextRequest.batch of type int",
        ),
        (
            r#"{"batch":1.5}"#,
            "json: cannot unmarshal number 1.5 into Go struct field JSApiConsumerGetNextRequest.batch of type int",
        ),
        (
            r#"{"no_wait":1}"#,
            "json: cannot unmarshal number 1 into Go struct field JSApiConsumerGetNextRequest.no_wait of type bool",
        ),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    assert_eq!(refused(&format!(r#"{{"a":{}"#, "[".repeat(100_000))), "exceeded max depth");
}

#[test]
fn no_payload_makes_the_reader_panic() {
    let pieces: [&[u8]; 19] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b":",
        b",",
        b"1",
        b"-",
        b".",
        b"e",
        b"true",
        b"null",
        b"\\",
        b"u00",
        b" ",
        b"\"batch\"",
        b"\xff",
        b"\x01",
    ];
    let mut dice = Dice(7);
    for _ in 0..50_000 {
        let mut text = b"{".to_vec();
        for _ in 0..dice.below(12) {
            text.extend_from_slice(pieces[dice.below(19) as usize]);
        }
        let _ = FetchRequest::parse(&text);
        let _ = delay(&text);
    }
}

#[test]
fn the_delay_of_a_nak_is_read() {
    assert_eq!(delay(br#"{"delay":5}"#), Some(5));
    assert_eq!(delay(b"{}"), Some(0));
    assert_eq!(delay(br#"{"delay":"5s"}"#), None);
    assert_eq!(delay(b"{"), None);
}
