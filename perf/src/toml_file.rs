//! A TOML file as a typed value, or where it is wrong.
//! May import: failure.
//! Must not know: what the file describes.

use crate::failure::Failure;
use serde::de::DeserializeOwned;
use std::ops::Range;
use std::path::Path;

/// A file's name and text, to say where something stands.
pub struct Text {
    name: String,
    text: String,
}

impl Text {
    /// Errors: BadFile.
    pub fn read(path: &Path) -> Result<Text, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::BadFile(format!("{}: {error}", path.display())))?;
        Ok(Text::new(path.display().to_string(), text))
    }

    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Text {
        Text { name: name.into(), text: text.into() }
    }

    /// Errors: BadFile with file, line and column, and what is wrong there.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        toml::from_str(&self.text).map_err(|error| self.wrong(error.span().unwrap_or(0..0), error.message()))
    }

    /// The failure of what stands at `span`.
    pub fn wrong(&self, span: Range<usize>, what: &str) -> Failure {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.len() - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) + 1;
        Failure::BadFile(format!("{}:{line}:{column}: {}", self.name, what.trim().replace('\n', ", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Only {
        #[expect(dead_code, reason = "only its name counts")]
        size: u32,
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_column() {
        let failure = Text::new("a.toml", "size = 1\n\n  seize = 2\n").parse::<Only>().unwrap_err();
        let Failure::BadFile(text) = &failure else { panic!("{failure:?}") };
        assert!(text.starts_with("a.toml:3:3: unknown field `seize`"), "{text}");
        assert_eq!(failure.exit_code(), 14);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let Err(Failure::BadFile(text)) = Text::read(Path::new("/nowhere/x.toml")) else { panic!() };
        assert!(text.starts_with("/nowhere/x.toml: "), "{text}");
    }
}
