//! Source files as text, as code without comments and literals, and as a place in the tree of rooms.

use std::fs;
use std::path::{Path, PathBuf};

pub struct Source {
    /// From the repository's root, with slashes.
    pub path: String,
    pub text: String,
    /// The text with comments, literals and `#[cfg(test)]` items blanked out, line for line.
    pub code: String,
}

/// All Rust files of the three crates and of `tests/` and `benches/`.
pub fn rust_sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for root in ["src", "shards/src", "perf/src", "tests", "benches"] {
        collect(&repository().join(root), &mut sources);
    }
    assert!(sources.len() > 20, "the walk over the repository finds its files");
    sources
}

pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn collect(dir: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !["target", "node_modules", ".venv", "clients"].contains(&name) {
            collect(&path, sources);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("a readable file");
            let code = without_tests(&without_comments(&text));
            let path = path.strip_prefix(repository()).expect("inside the repository");
            sources.push(Source { path: path.to_string_lossy().replace('\\', "/"), text, code });
        }
    }
}

impl Source {
    /// The crate's source folder and the path of the module in it: `shards/src/log/writer.rs` is `log`, `writer`.
    pub fn module(&self) -> Option<(&'static str, Vec<&str>)> {
        let root = ["src/", "shards/src/"].into_iter().find(|root| self.path.starts_with(root))?;
        let inner = self.path[root.len()..].strip_suffix(".rs")?;
        let mut parts: Vec<&str> = inner.split('/').collect();
        if parts.last() == Some(&"mod") {
            parts.pop();
        }
        let top = parts.len() == 1 && ["lib", "main"].contains(&parts[0]);
        (!top && parts[0] != "bin").then_some((root, parts))
    }

    /// The file that opens a room: `room.rs` or `room/mod.rs`.
    pub fn is_room_root(&self) -> bool {
        !self.is_test() && self.module().is_some_and(|(_, parts)| parts.len() == 1)
    }

    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("_test.rs")
    }

    /// Up to the test module at the end.
    pub fn lines_without_tests(&self) -> usize {
        let cut = self.text.find("#[cfg(test)]\nmod ").unwrap_or(self.text.len());
        self.text[..cut].lines().count()
    }

    /// Line of a byte offset in `code`, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }
}

/// Blanks comments and string and character literals; line ends stay.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let blank = blank_len(rest);
        let len = if blank > 0 { blank } else { first.len_utf8() };
        let (piece, next) = rest.split_at(len);
        if blank > 0 {
            code.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else if first.is_alphanumeric() || first == '_' {
            // A whole word, so that the `r` of `for` opens no raw string.
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            code.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        } else {
            code.push_str(piece);
        }
        rest = next;
    }
    code
}

/// Bytes of a comment or literal that starts here; 0 if none does.
fn blank_len(rest: &str) -> usize {
    let until =
        |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    for (start, end) in [("br#\"", "\"#"), ("r#\"", "\"#"), ("br\"", "\""), ("r\"", "\"")] {
        if rest.starts_with(start) {
            return until(end, start.len());
        }
    }
    for (start, quote) in [("b\"", '"'), ("\"", '"'), ("b'", '\''), ("'", '\'')] {
        if let Some(body) = rest.strip_prefix(start) {
            // A lifetime is no literal: what follows its first letter is no quote.
            let lifetime = quote == '\'' && !body.starts_with('\\') && body.chars().nth(1) != Some('\'');
            return if lifetime { 0 } else { start.len() + literal_len(body, quote) };
        }
    }
    0
}

/// Bytes up to and with the closing quote.
fn literal_len(body: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    body.len()
}

/// Blanks what `#[cfg(test)]` marks: up to the end of its block, or of its line if it has none.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let (before, marked) = rest.split_at(at);
        kept.push_str(before);
        let end = marked.find([';', '{']).unwrap_or(marked.len());
        let end = if marked[end..].starts_with('{') { end + block_len(&marked[end..]) } else { end };
        kept.extend(marked[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &marked[end..];
    }
    kept + rest
}

fn block_len(block: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in block.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    block.len()
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = "let a = \"x // y\"; // c\n/* d\n */ let b = 'c'; fn f<'a>() {} let r = r\"q\";";
    assert_eq!(
        without_comments(text).split_whitespace().collect::<Vec<_>>().join(" "),
        "let a = ; let b = ; fn f<'a>() {} let r = ;"
    );
    assert_eq!(without_comments(text).lines().count(), 3);
}

#[test]
fn test_modules_are_no_code() {
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests { fn f() { {} } }\nb").replace(' ', ""), "a\n\n\nb");
    assert_eq!(without_tests("#[cfg(test)]\nmod tests;\nb").replace(' ', ""), "\n;\nb");
}
