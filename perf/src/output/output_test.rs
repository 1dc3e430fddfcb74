use super::*;
use crate::document::Section;
use crate::fixture::measured;
use std::fs;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("perf-output-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn provenance() -> Provenance {
    Provenance { date: "2026-11-21".into(), commit: Some("abc".into()), ..Provenance::default() }
}

#[test]
fn every_form_that_is_asked_for_is_written() {
    let folder = Folder::new("forms");
    let at = |name: &str| Some(folder.0.join(name));
    let flags = Flags {
        json: at("a.json"),
        hgrm: at("a.hgrm"),
        html: at("a.html"),
        markdown: at("a.md"),
        results: Some(folder.0.clone()),
    };
    let run = measured(&[(100, 200)]);
    let document = Document { title: "T".into(), verdict: None, sections: vec![Section::new("S")] };
    let histograms = vec![("server A".to_owned(), &run.latency), ("b".to_owned(), &run.latency)];
    let artifact = Artifact {
        name: "compare".into(),
        document: &document,
        brief: 1,
        json: json!({ "n": 1 }),
        histograms,
    };
    flags.check().unwrap();
    flags.write(&artifact, &provenance()).unwrap();
    flags.write(&artifact, &provenance()).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.0.join("a.json")).unwrap()).unwrap();
    assert_eq!((&json["result"]["n"], &json["provenance"]["commit"]), (&json!(1), &json!("abc")));
    let mut names: Vec<String> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "2026-11-21-compare-2.md",
        "2026-11-21-compare.md",
        "a-b.hgrm",
        "a-server-a.hgrm",
        "a.html",
        "a.json",
        "a.md",
    ];
    assert_eq!(names, expected);
    let brief = fs::read_to_string(folder.0.join("a.md")).unwrap();
    assert!(
        brief.contains("#### S\n")
            && brief.contains("2026-11-21: ")
            && brief.contains(", commit abc. Command: `"),
        "{brief}"
    );
    let dated = fs::read_to_string(folder.0.join("2026-11-21-compare.md")).unwrap();
    assert!(dated.starts_with("# T\n") && dated.contains("| commit | abc |"), "{dated}");
}

#[test]
fn what_cannot_be_written_is_said_before_the_run() {
    let check = |flags: Flags| flags.check().unwrap_err();
    let standard = Some(PathBuf::from("-"));
    assert_eq!(
        check(Flags { json: standard.clone(), markdown: standard, ..Flags::default() }).exit_code(),
        2
    );
    assert!(
        check(Flags { html: Some("/nowhere/a.html".into()), ..Flags::default() })
            .to_string()
            .contains("/nowhere/a.html")
    );
    assert!(
        check(Flags { results: Some("/nowhere".into()), ..Flags::default() })
            .to_string()
            .contains("/nowhere")
    );
}
