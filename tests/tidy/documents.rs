//! Links of the documents.

use crate::source::repository;
use std::fs;
use std::path::{Path, PathBuf};

/// `file: sentence` for each relative link that leads nowhere.
pub fn broken_links() -> Vec<String> {
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a readable document");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next()) {
            let outside = link.is_empty() || link.contains("://") || link.starts_with("mailto:");
            if !outside && !document.parent().is_some_and(|folder| folder.join(link).exists()) {
                broken.push(format!("{}: there is no {link}", document.display()));
            }
        }
    }
    broken
}

fn documents() -> Vec<PathBuf> {
    let mut documents = Vec::new();
    for folder in ["", "docs", "docs/decisions"] {
        let folder: PathBuf = repository().join(folder);
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let files = entries.map(|entry| entry.expect("a readable folder").path());
        documents.extend(files.filter(|path| path.extension() == Some(Path::new("md").as_os_str())));
    }
    documents.sort();
    documents
}
