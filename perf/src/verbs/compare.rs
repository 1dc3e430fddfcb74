//! `compare`: a file, or two servers and a load as flags.

use crate::compare::{self, DISTURBANCE_MAX, Origin, Plan, ROUNDS, Server};
use crate::failure::Failure;
use crate::launch::Recipe;
use crate::measured::Measured;
use crate::other_load::Moment;
use crate::output::{self, Artifact};
use crate::provenance::Provenance;
use crate::runner::{self, Target};
use crate::terminal::Terminal;
use crate::toml_file::Text;
use crate::workload::{Flags, Kind, Workload};
use hdrhistogram::Histogram;
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Compare {
    /// TOML: [[server]] twice or more, [workload.NAME]; perf/compare/ has some. Without: --a, --b and the flags of a load
    file: Option<PathBuf>,
    /// Command line of a server, with {port} and {dir}; or nats://HOST:PORT of one that runs
    #[arg(long, value_name = "COMMAND", requires = "b", conflicts_with = "file")]
    a: Option<String>,
    /// The other one
    #[arg(long, value_name = "COMMAND", requires = "a", conflicts_with = "file")]
    b: Option<String>,
    /// Name of the first server
    #[arg(long, value_name = "NAME", default_value = "a", conflicts_with = "file")]
    a_name: String,
    /// Name of the second server
    #[arg(long, value_name = "NAME", default_value = "b", conflicts_with = "file")]
    b_name: String,
    /// What the acks of the first server promise [default: what is known of the product]
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    a_durability: Option<String>,
    /// What the acks of the second server promise [default: what is known of the product]
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    b_durability: Option<String>,
    /// Cores of the servers, as 0 or 0,1
    #[arg(long, value_name = "CORES", value_delimiter = ',', conflicts_with = "file")]
    server_cores: Vec<usize>,
    /// Kind of load, where no file has some
    #[arg(long, conflicts_with = "file")]
    kind: Option<Kind>,
    /// Rounds, in each of which every server has a run [default: the file's, or 5]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Only these loads of the file
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "file")]
    only: Vec<String>,
    /// Cores that other processes may use during a run; above it the run is repeated [default: the file's, or 0.08]
    #[arg(long, value_name = "CORES")]
    disturbance_max: Option<f64>,
    /// Where servers get their directories
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    directory: PathBuf,
    #[command(flatten)]
    load: Flags,
    #[command(flatten)]
    output: output::Flags,
}

impl Compare {
    /// Errors: there was nothing to compare, or the first failure of a server; what there is is shown all the same.
    pub fn run(self) -> Result<bool, Failure> {
        let plan = self.plan()?;
        self.output.check()?;
        if !self.directory.is_dir() {
            return Err(Failure::BadOptions(format!(
                "directory: there is no folder {}",
                self.directory.display()
            )));
        }
        let recipes = || {
            plan.servers.iter().filter_map(|server| match &server.origin {
                Origin::Start(recipe) => Some(recipe),
                Origin::Address(_) => None,
            })
        };
        // A program that is missing is told before minutes go by with building another.
        recipes().filter(|recipe| recipe.build.is_none()).try_for_each(Recipe::check)?;
        recipes().try_for_each(|recipe| recipe.build().and_then(|()| recipe.check()))?;
        let mut terminal = Terminal::new()?;
        let provenance = Provenance::gather(Some(&self.directory));
        let mut bench =
            |server: usize, workload: &Workload| self.measure(&plan.servers[server], workload, &mut terminal);
        let rounds = compare::run(&plan, &mut bench, &mut |line| eprintln!("{line}"));
        let document = compare::show::document(&plan, &rounds);
        self.output.show(&document.text());
        let merged: Vec<(String, Histogram<u64>)> = rounds
            .loads
            .iter()
            .flat_map(|load| plan.servers.iter().zip(&load.servers).map(move |pair| (load, pair)))
            .map(|(load, (server, side))| {
                (format!("{}-{}", load.name, server.name), compare::show::merged(side))
            })
            .collect();
        let name = self.file.as_ref().and_then(|file| file.file_stem()).unwrap_or_default().to_string_lossy();
        let histograms = merged.iter().map(|(name, all)| (name.clone(), all)).collect();
        let artifact = Artifact {
            name: format!("compare-{name}").trim_end_matches('-').to_owned(),
            document: &document,
            brief: 1,
            json: super::json_of(&rounds)?,
            histograms,
        };
        self.output.write(&artifact, &provenance)?;
        rounds.failure().map_or(Ok(true), Err)
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = match &self.file {
            Some(file) => {
                let only_duration = Flags { duration: self.load.duration, ..Flags::default() };
                if self.load != only_duration {
                    let text =
                        "a file has its own loads: of their flags only duration can be given beside it";
                    return Err(Failure::BadOptions(text.into()));
                }
                let mut plan = compare::parse(&Text::read(file)?)?;
                if let Some(seconds) = self.load.duration {
                    let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
                    plan.measure_for(
                        time.ok_or_else(|| Failure::BadOptions("duration: above 0 seconds".into()))?,
                    );
                }
                plan
            }
            None => self.plan_of_flags()?,
        };
        plan.rounds = self.rounds.unwrap_or(plan.rounds);
        plan.disturbance_max = self.disturbance_max.unwrap_or(plan.disturbance_max);
        if !self.only.is_empty() {
            plan.keep_only(&self.only)?;
        }
        plan.check().map_err(Failure::BadOptions)?;
        Ok(plan)
    }

    fn plan_of_flags(&self) -> Result<Plan, Failure> {
        let (Some(a), Some(b)) = (&self.a, &self.b) else {
            return Err(Failure::BadOptions("compare what? Give a file, or --a and --b and --kind".into()));
        };
        let workload = Workload::try_from(Flags { kind: self.kind, ..self.load.clone() })?;
        let server = |name: &String, text, durability: &Option<String>| {
            Server::from_flag(name.clone(), text, &self.server_cores, durability.clone())
        };
        Ok(Plan {
            title: format!("{} and {}: {workload}", self.a_name, self.b_name),
            servers: vec![
                server(&self.a_name, a, &self.a_durability)?,
                server(&self.b_name, b, &self.b_durability)?,
            ],
            loads: vec![compare::Load { name: "load".into(), workload }],
            against: Vec::new(),
            rounds: ROUNDS,
            disturbance_max: DISTURBANCE_MAX,
        })
    }

    /// One run on a server that is there only for it, or that is there anyway.
    fn measure(
        &self,
        server: &Server,
        workload: &Workload,
        terminal: &mut Terminal,
    ) -> Result<(Measured, f64), Failure> {
        let running = match &server.origin {
            Origin::Start(recipe) => Some(recipe.start(&self.directory, terminal)?),
            Origin::Address(_) => None,
        };
        let address = match (&running, &server.origin) {
            (None, Origin::Address(address)) => address.clone(),
            (Some(running), _) => running.address().parse().map_err(Failure::Machine)?,
            (None, Origin::Start(_)) => return Err(Failure::NotStarted(server.name.clone())),
        };
        let target = Target {
            address,
            pid: running.as_ref().map(|running| running.pid()),
            data_dir: running.as_ref().map(|running| running.data_dir()),
            durability: server.durability.clone(),
        };
        let groups: Vec<u32> = running.iter().map(|running| running.pid()).collect();
        let before = Moment::now(&groups);
        let outcome = runner::run(&target, workload, terminal);
        let other_cores = Moment::now(&groups).other_cores_since(&before);
        terminal.clear();
        match (outcome, running) {
            (Ok(measured), _) => Ok((measured, other_cores)),
            // What a server said before it went says more than that it went.
            (Err(Failure::Lost(why)), Some(running)) => {
                Err(Failure::Lost(format!("{why}; its last words: {}", running.output())))
            }
            (Err(failure), _) => Err(failure),
        }
    }
}
