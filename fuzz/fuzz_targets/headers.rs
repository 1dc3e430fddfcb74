//! Header blocks are read in place without harm, and as a naive reader reads them.
#![cfg_attr(fuzzing, no_main)]

use shards::headers;

/// The input is a block, whatever is in it.
pub fn run(block: &[u8]) {
    let model = naive_fields(block);
    assert_eq!(headers::fields(block).collect::<Vec<_>>(), model);
    for (key, _) in &model {
        // Two keys can begin the same line only if one holds a colon.
        if !key.is_empty() {
            let expected = model.iter().find(|(other, _)| other == key).map(|(_, value)| *value);
            assert_eq!(headers::get(block, key), expected);
        }
    }
    let _ = (headers::status(block), headers::after_first_line(block));

    let mut longer = block.to_vec();
    headers::append(&mut longer, b"Nats-Fuzz", b"1");
    if is_whole(block) || block.is_empty() {
        assert!(is_whole(&longer));
        assert_eq!(headers::fields(&longer).last(), Some((&b"Nats-Fuzz"[..], &b"1"[..])));
    }
    headers::remove(&mut longer, b"Nats-Fuzz");
    assert_eq!(headers::get(&longer, b"Nats-Fuzz"), None);
}

fn is_whole(block: &[u8]) -> bool {
    block.starts_with(b"NATS/1.0\r\n") && block.ends_with(b"\r\n\r\n") && headers::fields(block).count() > 0
}

/// Lines end at CR LF; the first one is no field.
fn naive_fields(block: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut lines = Vec::new();
    let mut start = 0;
    for end in 1..block.len() {
        // A CR that belongs to the line before ends no second line.
        if block[end] == b'\n' && block[end - 1] == b'\r' && end > start {
            lines.push(&block[start..end - 1]);
            start = end + 1;
        }
    }
    if lines.is_empty() {
        return Vec::new();
    }
    lines.push(&block[start..]);
    let fields = lines[1..].iter().filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let value = &line[colon + 1..];
        let spaces = value.iter().take_while(|&&byte| byte == b' ').count();
        Some((&line[..colon], &value[spaces..]))
    });
    fields.collect()
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
