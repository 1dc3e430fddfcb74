use super::*;
use crate::subject::{collide, matches};

fn matching(trie: &Trie<String>, subject: &str) -> Vec<String> {
    let mut found = Vec::new();
    trie.visit_matches(subject.as_bytes(), |value| found.push(value.clone()));
    found
}

fn filled(patterns: &[&str]) -> Trie<String> {
    let mut trie = Trie::default();
    for pattern in patterns {
        trie.insert(pattern.as_bytes(), (*pattern).to_owned());
    }
    trie
}

const PATTERNS: &[&str] =
    &["a", "a.b", "a.*", "a.>", "*", "*.b", "*.*", ">", "a.b.c", "a.*.c", "a.b.>", "*.>", "b.c.d.e", "foo*"];

const SUBJECTS: &[&str] = &[
    "a", "b", "a.b", "a.c", "b.b", "a.b.c", "a.x.c", "b.c.d.e", "foo*", "food", "", "a.", ".a", "a..b",
    "a.*", ">",
];

#[test]
fn the_trie_finds_what_matching_one_by_one_finds() {
    let trie = filled(PATTERNS);
    for subject in SUBJECTS {
        let mut found = matching(&trie, subject);
        let mut expected: Vec<_> = PATTERNS
            .iter()
            .filter(|p| matches(p.as_bytes(), subject.as_bytes()))
            .map(|p| p.to_string())
            .collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{subject:?}");
    }
}

#[test]
fn the_trie_finds_the_collisions_that_comparing_one_by_one_finds() {
    let trie = filled(PATTERNS);
    for pattern in PATTERNS {
        let mut found = Vec::new();
        trie.visit_colliding(pattern.as_bytes(), |value| found.push(value.clone()));
        let mut expected: Vec<_> = PATTERNS
            .iter()
            .filter(|p| collide(p.as_bytes(), pattern.as_bytes()))
            .map(|p| p.to_string())
            .collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{pattern:?}");
    }
}

#[test]
fn values_of_one_pattern_are_visited_in_the_order_of_insertion() {
    let mut trie = Trie::default();
    for value in 0..5 {
        trie.insert(b"a.*", value);
    }
    assert_eq!(trie.remove(b"a.*", |&value| value == 2), Some(2));
    assert_eq!(trie.remove(b"a.*", |&value| value == 2), None);
    assert_eq!(trie.get(b"a.*"), [0, 1, 3, 4]);
    assert_eq!(trie.len(), 4);
}

#[test]
fn an_emptied_trie_reuses_its_nodes() {
    let mut trie = filled(PATTERNS);
    let nodes = trie.nodes.len();
    for _ in 0..3 {
        for pattern in PATTERNS {
            assert!(trie.remove(pattern.as_bytes(), |_| true).is_some());
        }
        assert!(trie.is_empty() && trie.literals.is_empty());
        assert!(matching(&trie, "a.b").is_empty());
        for pattern in PATTERNS.iter().rev() {
            trie.insert(pattern.as_bytes(), (*pattern).to_owned());
        }
    }
    assert_eq!(trie.nodes.len(), nodes);
    assert_eq!(matching(&trie, "b.c.d.e").len(), 3);
}

#[test]
fn a_node_with_many_children_loses_any_one_of_them() {
    let mut trie = Trie::default();
    for n in 0..1000u32 {
        trie.insert(format!("_INBOX.{n}").as_bytes(), n);
    }
    for n in (0..1000u32).step_by(3) {
        assert_eq!(trie.remove(format!("_INBOX.{n}").as_bytes(), |_| true), Some(n));
    }
    for n in 0..1000u32 {
        let mut found = Vec::new();
        trie.visit_matches(format!("_INBOX.{n}").as_bytes(), |&value| found.push(value));
        assert_eq!(found, if n % 3 == 0 { vec![] } else { vec![n] });
    }
    let mut all = 0;
    trie.visit_all(|_| all += 1);
    assert_eq!(all, trie.len());
}

#[test]
fn a_node_is_small() {
    assert!(size_of::<Node<[u32; 4]>>() <= 64, "{}", size_of::<Node<[u32; 4]>>());
}
