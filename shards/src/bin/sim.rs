//! Runs the simulator: one seed with its trace, or many.

use shards::sim::defect::Defects;
use shards::sim::places::Places;
use shards::sim::{Options, Report, run};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

/// The seed that is running, for the message of a panic.
static SEED: AtomicU64 = AtomicU64::new(0);

const USAGE: &str = "usage: sim --seed N | --runs N [--defect NAME]
  --seed N       one run, with everything that happens
  --runs N       the seeds 1 to N; fails if one does, or if crashes missed a place
  --defect NAME  with a deliberate error, which must be found";

/// What the command line asks for.
struct Asked {
    seed: Option<u64>,
    runs: u64,
    defect: Option<(String, Defects)>,
}

fn main() -> ExitCode {
    let asked = match read_arguments() {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            eprintln!("defects: {}", Defects::names().collect::<Vec<_>>().join(" "));
            return ExitCode::from(2);
        }
    };
    report_panics(asked.defect.as_ref().map(|(name, _)| name.clone()));
    let defects = asked.defect.as_ref().map(|(_, defects)| *defects).unwrap_or_default();
    match (asked.seed, asked.defect) {
        (Some(seed), _) => one(seed, defects),
        (None, Some((name, _))) => must_be_found(&name, defects, asked.runs),
        (None, None) => many(asked.runs),
    }
}

fn one(seed: u64, defects: Defects) -> ExitCode {
    SEED.store(seed, Ordering::Relaxed);
    let report = run(seed, Options { defects, is_verbose: true });
    println!("{} operations, {} turns; {}", report.operations, report.turns, report.places);
    println!("hash {:016x}", report.hash);
    match report.failure {
        Some(failure) => {
            println!("FAILED: {failure}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn many(runs: u64) -> ExitCode {
    let (mut places, mut failed, mut operations) = (Places::default(), 0, 0);
    for seed in 1..=runs {
        let report = quiet(seed, Defects::default());
        // Now and then a second time: the same seed is the same run.
        if seed.is_multiple_of(50) && quiet(seed, Defects::default()).hash != report.hash {
            println!("seed {seed} does not run the same way twice");
            failed += 1;
        }
        places.add(&report.places);
        operations += report.operations;
        if let Some(failure) = report.failure {
            println!("seed {seed}: {failure}\n  {}", replay(seed, None));
            failed += 1;
        }
    }
    println!("{runs} seeds, {operations} operations, {failed} failed; {places}");
    let missing = places.missing();
    for place in &missing {
        println!("crashes met too little: {place}");
    }
    if failed == 0 && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn must_be_found(name: &str, defects: Defects, runs: u64) -> ExitCode {
    for seed in 1..=runs {
        if let Some(failure) = quiet(seed, defects).failure {
            println!("{name}: found after {seed} seeds: {failure}");
            return ExitCode::SUCCESS;
        }
    }
    println!("{name}: not found within {runs} seeds");
    ExitCode::FAILURE
}

fn quiet(seed: u64, defects: Defects) -> Report {
    SEED.store(seed, Ordering::Relaxed);
    run(seed, Options { defects, is_verbose: false })
}

/// A failed assertion ends the process: it says with which seed, and counts as finding a defect.
fn report_panics(defect: Option<String>) {
    std::panic::set_hook(Box::new(move |panic| {
        let seed = SEED.load(Ordering::Relaxed);
        match &defect {
            Some(name) => {
                println!("{name}: found after {seed} seeds: {panic}");
                std::process::exit(0);
            }
            None => {
                println!("seed {seed}: {panic}\n  {}", replay(seed, None));
                std::process::exit(1);
            }
        }
    }));
}

fn replay(seed: u64, defect: Option<&str>) -> String {
    let defect = defect.map(|name| format!(" --defect {name}")).unwrap_or_default();
    format!(
        "cargo run --release -p shards --no-default-features --features sim --bin sim -- --seed {seed}{defect}"
    )
}

fn read_arguments() -> Result<Asked, String> {
    let mut asked = Asked { seed: None, runs: 1000, defect: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || value.parse().map_err(|_| format!("{flag} needs a number, not {value}"));
        match flag.as_str() {
            "--seed" => asked.seed = Some(number()?),
            "--runs" => asked.runs = number()?,
            "--defect" => {
                let defects =
                    Defects::by_name(&value).ok_or_else(|| format!("there is no defect {value}"))?;
                asked.defect = Some((value, defects));
            }
            _ => return Err(format!("there is no flag {flag}")),
        }
    }
    Ok(asked)
}
