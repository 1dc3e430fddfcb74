//! Where a key stands in a TOML file.

use super::error::{ConfigError, Refusal};
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// An error at a byte offset of the text.
pub fn error_at(file: &Path, text: &str, offset: usize, reason: String) -> ConfigError {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    ConfigError { file: file.to_path_buf(), line, column, reason }
}

/// The refusal, shown at the first of its keys that the file holds.
pub fn locate(refusal: Refusal, file: &Path, text: &str, table: &DeTable<'_>) -> ConfigError {
    match refusal.keys.iter().find_map(|key| value_offset(table, key)) {
        Some(offset) => error_at(file, text, offset, refusal.reason),
        None => ConfigError { file: file.to_path_buf(), line: 0, column: 0, reason: refusal.reason },
    }
}

/// Byte offset of the value behind a path such as `jetstream.sync_interval`.
fn value_offset(table: &DeTable<'_>, path: &str) -> Option<usize> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let (_, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    match (rest, value.get_ref()) {
        (None, _) => Some(value.span().start),
        (Some(rest), DeValue::Table(inner)) => value_offset(inner, rest),
        (Some(_), _) => None,
    }
}
