//! A command line as words.

use crate::failure::Failure;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const PLACES: [&str; 3] = ["{port}", "{dir}", "{config}"];

/// Blanks part words, quotes of both kinds hold them together; there is at least one. Errors: BadOptions.
pub fn split(line: &str) -> Result<Vec<String>, Failure> {
    let bad = |what: &str| Failure::BadOptions(format!("\"{line}\": {what}"));
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() {
        return Err(bad("a quote is not closed"));
    }
    for (at, _) in line.match_indices('{') {
        if !PLACES.iter().any(|place| line[at..].starts_with(place)) {
            return Err(bad("only {port}, {dir} and {config} are put in"));
        }
    }
    if words.is_empty() { Err(bad("there is no command")) } else { Ok(words) }
}

/// A path, or a name: of a program beside this one (so that what was built together is run together), or in a folder of
/// the PATH.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let runs = |path: &Path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| runs(path));
    }
    let beside = std::env::current_exe().ok().and_then(|own| own.parent().map(|folder| folder.join(program)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(program));
    beside.into_iter().chain(on_path).find(|path| runs(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(
            split("a  -p {port} 'b c' \"d 'e\" ''").unwrap(),
            ["a", "-p", "{port}", "b c", "d 'e", ""]
        );
        for wrong in ["", "  ", "a 'b", "a {prot}"] {
            assert_eq!(split(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_program_is_found_on_the_path_or_by_its_path() {
        assert!(find_program("sh").is_some() && find_program("/bin/sh").is_some());
        assert!(find_program("no-such-program-anywhere").is_none() && find_program("/etc/passwd").is_none());
    }
}
