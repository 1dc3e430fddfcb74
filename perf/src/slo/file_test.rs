use super::*;

const WORKLOAD: &str = "[workload]\nkind = \"publish\"\nrate = 5000\n";

fn read(objectives: &str) -> Result<SloFile, String> {
    let text = Text::new("x.toml", format!("{WORKLOAD}{objectives}"));
    parse(&text, &|| None).map_err(|failure| {
        assert_eq!(failure.exit_code(), 14, "{failure}");
        failure.to_string()
    })
}

#[test]
fn every_objective_is_read_with_its_unit() {
    let file = read(
        "[objectives]\nwindow = \"2s\"\nin = \"95 of 100\"\nrate = \"99%\"\np50 = \"500us\"\n\
         p99 = { limit = \"2ms\", in = \"9 of 10\" }\n\"p99.9\" = \"5ms\"\np99_99 = \"10ms\"\nmax = \"1s\"\nerrors = 3\n",
    )
    .unwrap();
    let general = Some(Windows { good: 95, of: 100, seconds: 2 });
    let latency = |percentile, micros| Goal::Latency(percentile, Duration::from_micros(micros));
    let expected = [
        (Goal::RateOfOffered(0.99), general),
        (latency(Percentile::P50, 500), general),
        (latency(Percentile::P99, 2000), Some(Windows { good: 9, of: 10, seconds: 2 })),
        (latency(Percentile::P999, 5000), general),
        (latency(Percentile::P9999, 10_000), general),
        (latency(Percentile::Max, 1_000_000), general),
        (Goal::Errors(3), None),
    ];
    assert_eq!(file.objectives, expected.map(|(goal, windows)| Objective { goal, windows }));
}

#[test]
fn without_a_word_about_errors_none_are_allowed() {
    let file = read("[objectives]\nrate = 100\n").unwrap();
    assert_eq!(file.objectives[1], Objective { goal: Goal::Errors(0), windows: None });
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let cases = [
        ("[objectives]\np98 = \"1ms\"\n", "x.toml:5:1: unknown field `p98`"),
        ("[objectives]\np99 = \"2 parsecs\"\n", "x.toml:5:7: \"2 parsecs\" is no duration"),
        ("[objectives]\np99 = 2\n", "x.toml:5:7: 2 has no unit: write it as \"2ms\""),
        ("[objectives]\np50 = \"1ms\"\nin = \"all\"\n", "x.toml:6:6: \"all\": so many of so many windows"),
        (
            "[objectives]\np50 = \"1ms\"\nwindow = \"100ms\"\n",
            "x.toml:6:10: \"100ms\": windows are whole seconds",
        ),
        ("[objectives]\np99 = { max = \"1ms\" }\n", "x.toml:5:"),
        ("[objectives]\nrate = 0\n", "x.toml:5:8: 0: a rate is above 0"),
        ("[objectives]\nerrors = 0.5\n", "x.toml:5:10: 0.5: a whole number of errors"),
        ("[objectives]\n", "x.toml:4:"),
        ("[objectives]\nwindow = \"1s\"\n", "there is no objective"),
        ("[objective]\nrate = 5\n", "x.toml:4:2: unknown field `objective`"),
        ("", "missing field `objectives`"),
        ("[objectives]\np99 = \"2 syncs\"\n", "x.toml:5:7: the device cannot be timed"),
        (
            "[objectives]\nrate = 5\n[then]\nat = \"0%\"\nobjectives.rate = 5\n",
            "x.toml:7:6: a share of the knee",
        ),
        (
            "[objectives]\nrate = 5\n[then]\nat = \"5%\"\nobjectives = {}\n",
            "x.toml:8:14: there is no objective",
        ),
        ("[objectives]\nrate = 5\n[then]\nat = \"5%\"\n", "missing field `objectives`"),
        ("[objectives]\nrate = 5\n[knee]\nruns = 3\n", "x.toml:7:1: unknown field `runs`"),
    ];
    for (objectives, expected) in cases {
        let sentence = read(objectives).unwrap_err();
        assert!(sentence.contains(expected), "{sentence}\nnot: {expected}");
    }
}

#[test]
fn a_percentile_with_a_bare_point_is_explained() {
    let sentence = read("[objectives]\np99.9 = \"5ms\"\n").unwrap_err();
    assert!(sentence.contains("x.toml:5:") && sentence.contains("write p99_9"), "{sentence}");
}

#[test]
fn a_workload_that_cannot_be_run_is_named_with_its_line() {
    let text = Text::new("x.toml", "[objectives]\nrate = 5\n\n[workload]\nkind = \"publish\"\nrate = -1\n");
    let sentence = parse(&text, &|| None).unwrap_err().to_string();
    assert!(sentence.starts_with("x.toml:") && sentence.contains("rate"), "{sentence}");
    let text = Text::new("x.toml", "[objectives]\nrate = 5\n\n[workload]\nkind = \"publish\"\nraet = 1\n");
    let sentence = parse(&text, &|| None).unwrap_err().to_string();
    assert!(sentence.starts_with("x.toml:6:1: unknown field `raet`"), "{sentence}");
}

#[test]
fn a_share_of_the_offered_rate_needs_an_open_loop() {
    let text = Text::new("x.toml", "[workload]\nkind = \"publish\"\n[objectives]\nrate = \"99%\"\n");
    assert!(
        parse(&text, &|| None).unwrap_err().to_string().contains("x.toml:4:8: a share of the offered rate")
    );
}

#[test]
fn a_share_of_the_offered_rate_needs_one_rate() {
    let path = std::env::temp_dir().join(format!("perf-schedule-{}", std::process::id()));
    std::fs::write(&path, "0 100\n1 200\n").unwrap();
    let workload = format!("[workload]\nkind = \"publish\"\nschedule = {path:?}\n");
    let sentence = |objective: &str| {
        let text = Text::new("x.toml", format!("{workload}[objectives]\n{objective}\n"));
        parse(&text, &|| None).map(|_| ()).map_err(|failure| failure.to_string())
    };
    let refusal = sentence("rate = \"99%\"").unwrap_err();
    assert!(refusal.contains("x.toml:5:8: a share of the offered rate needs one rate"), "{refusal}");
    sentence("rate = 90").unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn flags_of_a_search_come_before_the_file() {
    let file = read("[objectives]\nrate = 5\n[knee]\nmax_runs = 7\nprecision = \"10%\"\n").unwrap();
    let flags = Knee { max_runs: Some(3), ..Knee::default() };
    let bounds = flags.or(file.knee).bounds(&file.workload).unwrap();
    assert_eq!((bounds.runs_max, bounds.precision, bounds.start), (3, 0.1, 5000.0));
    let wrong = Knee { precision: Some("0%".into()), ..Knee::default() };
    assert_eq!(wrong.bounds(&file.workload).unwrap_err().exit_code(), 2);
}

#[test]
fn every_example_that_is_shipped_can_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("slo");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = parse(&Text::read(&entry.unwrap().path()).unwrap(), &|| Some(Duration::from_micros(100)))
            .unwrap();
        file.knee.bounds(&file.workload).unwrap();
        count += 1;
    }
    assert!(count >= 4);
}
