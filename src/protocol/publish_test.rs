use super::super::parse::{Operation, Parsed, parse};
use super::*;

const LIMITS: Limits = Limits { max_control_line: 96, max_payload: 300, headers: true };

/// Holds `parse_publish` against `parse`. True: it found something.
fn agrees(input: &[u8], limits: &Limits) -> bool {
    let Some((Publication { subject, reply, headers, payload }, len)) = parse_publish(input, limits) else {
        return false;
    };
    let operation = Operation::Publish { subject, reply, headers, payload };
    assert_eq!(
        parse(input, limits),
        Ok(Parsed::Whole(operation, len)),
        "{:?}",
        input.escape_ascii().to_string()
    );
    true
}

fn found(input: &str) -> bool {
    agrees(format!("{input}PING\r\n, 8 bytes").as_bytes(), &LIMITS)
}

/// The same numbers in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

#[test]
fn the_plain_form_is_found() {
    assert!(found("PUB a 2\r\nhi\r\n"));
    assert!(found("PUB a.b _INBOX.1 2\r\nhi\r\n"));
    assert!(found("PUB a 0\r\n\r\n"));
    assert!(found("HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"));
    assert!(found("HPUB a.b r 12 12\r\nNATS/1.0\r\n\r\n\r\n"));
    assert!(found(&format!("PUB {} {} 2\r\nhi\r\n", "s".repeat(40), "r".repeat(40))));
}

#[test]
fn every_other_form_is_left_to_the_parser_of_all_forms() {
    for input in [
        "pub a 2\r\nhi\r\n",
        "PUB  a 2\r\nhi\r\n",
        "PUB a  2\r\nhi\r\n",
        "PUB a\t2\r\nhi\r\n",
        "PUB a 2 \r\nhi\r\n",
        "PUB a 2\nhi\r\n",
        "PUB a 2\r\r\nhi\r\n",
        "PUB a\x012 2\r\nhi\r\n",
        "PUB 2\r\nhi\r\n",
        "PUB a b c 2\r\nhi\r\n",
        "PUB a +2\r\nhi\r\n",
        "PUB a 301\r\nhi\r\n",
        "PUB a 3\r\nhi\r\n",
        "PUB a 1\r\nhi\r\n",
        "HPUB a 3 2\r\nhi\r\n",
        "HPUB a 2\r\nhi\r\n",
        "PING\r\n",
        "",
    ] {
        assert!(!found(input), "{input:?}");
    }
    let long = format!("PUB {} 2\r\nhi\r\n", "s".repeat(LIMITS.max_control_line - 1));
    assert!(!found(&long));
    let headers = Limits { headers: false, ..LIMITS };
    assert!(!agrees(b"HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\nPING\r\n", &headers));
}

#[test]
fn a_publish_cut_anywhere_is_not_found() {
    let whole = b"HPUB a.b _INBOX.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n";
    for until in 0..whole.len() {
        assert!(!agrees(&whole[..until], &LIMITS));
    }
}

#[test]
fn whatever_is_found_is_what_the_parser_of_all_forms_finds() {
    let mut numbers = Numbers(1);
    let mut finds = 0;
    for _ in 0..60_000 {
        let mut input = publish(&mut numbers).into_bytes();
        input.extend(publish(&mut numbers).into_bytes());
        finds += usize::from(agrees(&input, &LIMITS));
        // Bytes that mean something somewhere replace, or come before, some others.
        for _ in 0..numbers.below(4) {
            let at = numbers.below(input.len().min(60));
            let byte = numbers.one_of(b" \t\r\n\0\x01\x1f!019a.PUBHpub\x7f\x80\xa0\xff");
            match numbers.below(3) {
                0 => input.insert(at, byte),
                1 => drop(input.remove(at)),
                _ => input[at] = byte,
            }
        }
        finds += usize::from(agrees(&input, &LIMITS));
        input.truncate(numbers.below(input.len() + 1));
        agrees(&input, &LIMITS);
    }
    assert!(finds > 30_000, "{finds}");
}

fn publish(numbers: &mut Numbers) -> String {
    let token = |numbers: &mut Numbers| {
        numbers.one_of(&[
            "a",
            "orders.eu",
            "_INBOX.abc.17",
            "$JS.ACK.S.C.1.2.3.4.5",
            "ä",
            "orders.0123456789.0123456789",
        ])
    };
    let (subject, reply) = (token(numbers), token(numbers));
    let reply = if numbers.below(3) == 0 { String::new() } else { format!(" {reply}") };
    let payload = "p".repeat(numbers.one_of(&[0, 1, 7, 8, 9, 99, 100, 128, 290, 301]));
    if numbers.below(2) == 0 {
        return format!("PUB {subject}{reply} {}\r\n{payload}\r\n", payload.len());
    }
    let headers = "NATS/1.0\r\nA: b\r\n\r\n";
    format!(
        "HPUB {subject}{reply} {} {}\r\n{headers}{payload}\r\n",
        headers.len(),
        headers.len() + payload.len()
    )
}
