//! Matching, collisions, subsets and the trie agree with trying out all subjects.
#![cfg_attr(fuzzing, no_main)]

use shards::subject;
use shards::subject::trie::Trie;

/// Lines: subjects and patterns.
pub fn run(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').take(12).collect();
    for line in &lines {
        assert_eq!(subject::is_valid(line), naive_is_valid(line));
        let is_plain = !naive_tokens(line).iter().any(|token| matches!(*token, b"*" | b">"));
        assert_eq!(subject::is_literal(line), naive_is_valid(line) && is_plain);
    }
    let is_small = |line: &&[u8]| naive_is_valid(line) && naive_tokens(line).len() <= 3;
    let patterns: Vec<&[u8]> = lines.iter().copied().filter(is_small).take(4).collect();
    compare_with_all_subjects(&patterns);
    compare_trie(&lines);
}

fn compare_with_all_subjects(patterns: &[&[u8]]) {
    let mut alphabet: Vec<&[u8]> = patterns.iter().flat_map(|pattern| naive_tokens(pattern)).collect();
    alphabet.retain(|token| !matches!(*token, b"*" | b">"));
    alphabet.sort_unstable();
    alphabet.dedup();
    alphabet.truncate(3);
    // A token that no pattern names.
    alphabet.push(b"\x01fresh");
    let mut subjects: Vec<Vec<u8>> = vec![];
    let mut longest: Vec<Vec<u8>> = alphabet.iter().map(|token| token.to_vec()).collect();
    for _ in 0..3 {
        subjects.extend(longest.iter().cloned());
        let longer = |subject: &Vec<u8>, token: &&[u8]| [subject, &b"."[..], token].concat();
        longest = longest.iter().flat_map(|s| alphabet.iter().map(move |token| longer(s, token))).collect();
    }
    subjects.extend(longest);
    let named = |pattern: &&&[u8]| {
        naive_tokens(pattern).iter().all(|t| matches!(*t, b"*" | b">") || alphabet.contains(t))
    };
    for a in patterns.iter().filter(named) {
        let of_a: Vec<&Vec<u8>> = subjects.iter().filter(|subject| naive_matches(a, subject)).collect();
        for subject in &subjects {
            assert_eq!(subject::matches(a, subject), naive_matches(a, subject));
        }
        for b in patterns.iter().filter(named) {
            assert_eq!(subject::collide(a, b), of_a.iter().any(|subject| naive_matches(b, subject)));
            assert_eq!(subject::is_subset(a, b), of_a.iter().all(|subject| naive_matches(b, subject)));
        }
    }
}

fn compare_trie(lines: &[&[u8]]) {
    let mut trie = Trie::default();
    let valid: Vec<&[u8]> = lines.iter().copied().filter(|line| subject::is_valid(line)).collect();
    for (number, pattern) in valid.iter().enumerate() {
        trie.insert(pattern, number);
    }
    let compare = |trie: &Trie<usize>, from: usize| {
        for line in lines {
            let mut found = Vec::new();
            trie.visit_matches(line, |&number| found.push(number));
            found.sort_unstable();
            let expected: Vec<usize> =
                (from..valid.len()).filter(|&number| naive_matches(valid[number], line)).collect();
            assert_eq!(found, expected);
        }
        for pattern in &valid {
            let mut found = Vec::new();
            trie.visit_colliding(pattern, |&number| found.push(number));
            found.sort_unstable();
            let expected: Vec<usize> =
                (from..valid.len()).filter(|&number| subject::collide(valid[number], pattern)).collect();
            assert_eq!(found, expected);
        }
    };
    for from in 0..=valid.len() {
        compare(&trie, from);
        if let Some(pattern) = valid.get(from) {
            assert_eq!(trie.remove(pattern, |&number| number == from), Some(from));
        }
    }
    assert!(trie.is_empty());
}

fn naive_tokens(subject: &[u8]) -> Vec<&[u8]> {
    subject.split(|&byte| byte == b'.').collect()
}

fn naive_is_valid(subject: &[u8]) -> bool {
    let tokens = naive_tokens(subject);
    let rest_is_last = tokens.iter().rev().skip(1).all(|token| *token != b">");
    rest_is_last
        && tokens.iter().all(|token| !token.is_empty())
        && !subject.iter().any(|byte| b" \t\n\r\x0c".contains(byte))
}

fn naive_matches(pattern: &[u8], subject: &[u8]) -> bool {
    fn tail(pattern: &[&[u8]], subject: &[&[u8]]) -> bool {
        match (pattern, subject) {
            ([], []) => true,
            ([b">"], [_, ..]) => true,
            ([token, pattern @ ..], [other, subject @ ..]) => {
                (*token == b"*" || token == other) && tail(pattern, subject)
            }
            _ => false,
        }
    }
    let tokens = naive_tokens(subject);
    tokens.iter().all(|token| !token.is_empty()) && tail(&naive_tokens(pattern), &tokens)
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
