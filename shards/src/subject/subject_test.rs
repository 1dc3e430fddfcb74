use super::*;

#[test]
fn a_subject_has_no_empty_token_no_blank_and_the_rest_wildcard_only_at_its_end() {
    for valid in
        ["a", "a.b", "*", ">", "a.*", "a.>", "*.*", "foo*", "f*o.bar", "foo>", ">a.b", "a.**", "\0", "ä.ö"]
    {
        assert!(is_valid(valid.as_bytes()), "{valid:?}");
    }
    for invalid in ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a.\n", "a\rb", "a\x0cb", ">.a", "a.>.b"] {
        assert!(!is_valid(invalid.as_bytes()), "{invalid:?}");
    }
}

#[test]
fn a_literal_subject_may_hold_wildcard_characters_inside_a_token() {
    for literal in ["a", "foo*", "foo>.b", "a.**"] {
        assert!(is_literal(literal.as_bytes()) && !has_wildcard(literal.as_bytes()), "{literal}");
    }
    for pattern in ["*", ">", "a.*", "a.>", "*.b"] {
        assert!(!is_literal(pattern.as_bytes()) && has_wildcard(pattern.as_bytes()), "{pattern}");
    }
    assert!(!is_literal(b"a..b"));
}

#[test]
fn a_star_matches_one_token_and_a_rest_wildcard_at_least_one() {
    let cases = [
        ("a.b", "a.b", true),
        ("a.b", "a.B", false),
        ("a.*", "a.b", true),
        ("a.*", "a", false),
        ("a.*", "a.b.c", false),
        ("*.b", "a.b", true),
        ("a.>", "a", false),
        ("a.>", "a.b", true),
        ("a.>", "a.b.c", true),
        (">", "a", true),
        ("*", "a", true),
        ("foo*", "foo*", true),
        ("foo*", "food", false),
    ];
    for (pattern, subject, expected) in cases {
        assert_eq!(matches(pattern.as_bytes(), subject.as_bytes()), expected, "{pattern} {subject}");
    }
}

#[test]
fn an_unchecked_publish_to_a_wildcard_matches_only_patterns_as_wide() {
    assert!(matches(b"foo.*", b"foo.*"));
    assert!(matches(b"foo.>", b"foo.*"));
    assert!(matches(b">", b"foo.*"));
    assert!(!matches(b"foo.bar", b"foo.*"));
}

#[test]
fn a_subject_with_an_empty_token_matches_nothing() {
    for subject in ["", "foo..bar", ".foo", "foo."] {
        for pattern in [">", "*.>", "foo.>", "foo.*.bar", "foo.*", "*.foo", "*"] {
            assert!(!matches(pattern.as_bytes(), subject.as_bytes()), "{pattern} {subject:?}");
        }
    }
}

#[test]
fn patterns_collide_if_some_subject_matches_both() {
    let cases = [
        ("a", "a", true),
        ("a", "b", false),
        ("a.*", "*.b", true),
        ("a.*", "a.>", true),
        ("a.>", "a", false),
        ("a.>", ">", true),
        ("a.*.c", "a.b.*", true),
        ("a.*.c", "a.b.d", false),
        ("*", "a.b", false),
        ("*.>", "a", false),
    ];
    for (a, b, expected) in cases {
        assert_eq!(collide(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        assert_eq!(collide(b.as_bytes(), a.as_bytes()), expected, "{b} {a}");
    }
}

#[test]
fn a_subset_is_matched_whole_by_the_wider_pattern() {
    let cases = [
        ("a.b", "a.b", true),
        ("a.b", "a.*", true),
        ("a.*", "a.b", false),
        ("a.*", "a.*", true),
        ("a.>", "a.*", false),
        ("a.*", "a.>", true),
        ("a.>", ">", true),
        (">", "*", false),
        (">", ">", true),
        ("a", "a.>", false),
    ];
    for (subset, of, expected) in cases {
        assert_eq!(is_subset(subset.as_bytes(), of.as_bytes()), expected, "{subset} of {of}");
    }
}

#[test]
fn dots_are_found_wherever_they_are() {
    for text in [
        "",
        ".",
        "a",
        "a.b",
        "........",
        ".......-.",
        "a.bb.ccc.dddd.eeeee",
        "\u{ae}.\u{ae}......\u{2e2e}./-.",
    ] {
        let text = text.as_bytes();
        let all: Vec<usize> = (0..text.len()).filter(|&at| text[at] == b'.').collect();
        let (places, count) = dots::<5>(text);
        assert_eq!(count, all.len(), "{text:?}");
        let known = count.min(5);
        assert_eq!(places[..known], all[..known], "{text:?}");
    }
}
