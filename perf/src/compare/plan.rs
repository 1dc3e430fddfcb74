//! What is compared: servers, loads, rounds; from a TOML file or from flags.

use super::against::Against;
use crate::address::Address;
use crate::failure::Failure;
use crate::launch::Recipe;
use crate::toml_file::Text;
use crate::workload::{Length, Workload};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use toml::Spanned;

/// Checked: two to five servers, at least one load and one round.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub title: String,
    /// The first is what the others are held against.
    pub servers: Vec<Server>,
    pub loads: Vec<Load>,
    /// Loads that are held against others on the same server.
    pub against: Vec<Against>,
    pub rounds: u32,
    /// Cores that other processes may use during a run; above it the run is repeated.
    pub disturbance_max: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    pub name: String,
    pub origin: Origin,
    /// What its acks promise; without, what is known of the product.
    pub durability: Option<String>,
    /// Loads that it is spared, by name.
    pub skip: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// Started anew for each run.
    Start(Recipe),
    /// Runs already; its processor time is not known.
    Address(Address),
}

/// A load with a short name.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub name: String,
    pub workload: Workload,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: Option<String>,
    rounds: Option<u32>,
    /// Cores of every server that is started and names none of its own.
    #[serde(default)]
    server_cores: Vec<usize>,
    /// Cores of the generator, where a load does not name its own.
    #[serde(default)]
    generator_cores: Vec<usize>,
    disturbance_max: Option<f64>,
    server: Vec<Spanned<WrittenServer>>,
    workload: BTreeMap<String, Spanned<Workload>>,
    /// A load, and what it is held against on the same server; and the same of a load's background.
    #[serde(default)]
    against: BTreeMap<String, String>,
    #[serde(default)]
    background_against: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenServer {
    name: String,
    command: Option<String>,
    config: Option<String>,
    build: Option<String>,
    how_to_get: Option<String>,
    address: Option<String>,
    cores: Option<Vec<usize>>,
    durability: Option<String>,
    #[serde(default)]
    skip: Vec<String>,
}

/// Rounds where nothing else is said.
pub const ROUNDS: u32 = 5;
/// Servers have a colour each.
const SERVERS_MAX: usize = crate::plot::COLOURS;
const ROUNDS_MAX: u32 = 1000;
/// The bound of a quiet machine: 8 % of a core.
pub const DISTURBANCE_MAX: f64 = 0.08;

/// Errors: BadFile with file, line, column and a sentence.
pub fn parse(text: &Text) -> Result<Plan, Failure> {
    let written: Written = text.parse()?;
    let server = |server: &Spanned<WrittenServer>| {
        server.get_ref().checked(&written.server_cores).map_err(|what| text.wrong(server.span(), &what))
    };
    let servers = written.server.iter().map(server).collect::<Result<Vec<_>, _>>()?;
    let mut loads: Vec<(String, Spanned<Workload>)> = written.workload.into_iter().collect();
    loads.sort_by_key(|(_, workload)| workload.span().start);
    let load = |(name, workload): (String, Spanned<Workload>)| {
        let mut workload = workload.into_inner();
        if workload.cores.is_empty() {
            workload.cores = written.generator_cores.clone();
        }
        Load { name, workload }
    };
    let plan = Plan {
        title: written.title.unwrap_or_else(|| "Comparison".into()),
        servers,
        loads: loads.into_iter().map(load).collect(),
        against: against(written.against, false).chain(against(written.background_against, true)).collect(),
        rounds: written.rounds.unwrap_or(ROUNDS),
        disturbance_max: written.disturbance_max.unwrap_or(DISTURBANCE_MAX),
    };
    plan.check().map_err(|what| text.wrong(0..0, &what))?;
    Ok(plan)
}

fn against(written: BTreeMap<String, String>, background: bool) -> impl Iterator<Item = Against> {
    written.into_iter().map(move |(load, other)| Against { load, other, background })
}

impl WrittenServer {
    fn checked(&self, cores: &[usize]) -> Result<Server, String> {
        let origin = match (&self.command, &self.address) {
            (Some(command), None) => Origin::Start(Recipe {
                command: command.clone(),
                config: self.config.clone(),
                cores: self.cores.as_deref().unwrap_or(cores).to_vec(),
                build: self.build.clone(),
                how_to_get: self.how_to_get.clone(),
            }),
            (None, Some(_)) if self.config.is_some() => return Err("an address has no config".into()),
            (None, Some(_)) if self.cores.is_some() => {
                return Err("an address has no cores: what runs already stays where it is".into());
            }
            (None, Some(address)) => Origin::Address(address.parse()?),
            _ => return Err("a server has a command or an address, one of them".into()),
        };
        let (name, durability, skip) = (self.name.clone(), self.durability.clone(), self.skip.clone());
        Ok(Server { name, origin, durability, skip })
    }
}

impl Server {
    /// From a flag: `nats://…` is an address, everything else a command line. Errors: BadOptions.
    pub fn from_flag(
        name: String,
        text: &str,
        cores: &[usize],
        durability: Option<String>,
    ) -> Result<Server, Failure> {
        let origin = match text.starts_with("nats://") {
            true => Origin::Address(text.parse().map_err(Failure::BadOptions)?),
            false => {
                Origin::Start(Recipe { command: text.into(), cores: cores.to_vec(), ..Recipe::default() })
            }
        };
        Ok(Server { name, origin, durability, skip: Vec::new() })
    }
}

impl Plan {
    /// Errors: a sentence.
    pub fn check(&self) -> Result<(), String> {
        if !(2..=SERVERS_MAX).contains(&self.servers.len()) {
            return Err(format!("{} servers: a comparison has 2 to {SERVERS_MAX}", self.servers.len()));
        }
        if self.loads.is_empty() {
            return Err("there is no workload".into());
        }
        if !(1..=ROUNDS_MAX).contains(&self.rounds) {
            return Err(format!("rounds: {} is not within 1 and {ROUNDS_MAX}", self.rounds));
        }
        if !(0.0..=64.0).contains(&self.disturbance_max) {
            return Err("disturbance_max: cores, within 0 and 64".into());
        }
        let known = |name: &&String| self.loads.iter().any(|load| load.name == **name);
        if let Some(name) = self.servers.iter().flat_map(|server| &server.skip).find(|name| !known(name)) {
            return Err(format!("skip: there is no load {name}"));
        }
        for Against { load, other, background } in &self.against {
            let key = if *background { "background_against" } else { "against" };
            if let Some(name) = [load, other].into_iter().find(|name| !known(name)) {
                return Err(format!("{key}: there is no load {name}"));
            }
            let with = |known: &Load| known.name == *load && known.workload.background.is_some();
            if *background && !self.loads.iter().any(with) {
                return Err(format!("{key}: {load} has no background"));
            }
        }
        let names: Vec<&str> = self.servers.iter().map(|server| server.name.as_str()).collect();
        match names.iter().enumerate().find(|(n, name)| names[..*n].contains(name)) {
            Some((_, name)) => Err(format!("two servers have the name {name}")),
            None => Ok(()),
        }
    }

    /// Keeps the loads of these names. Errors: BadOptions with the names that there are.
    pub fn keep_only(&mut self, names: &[String]) -> Result<(), Failure> {
        let known: Vec<&str> = self.loads.iter().map(|load| load.name.as_str()).collect();
        if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(Failure::BadOptions(format!(
                "only: there is no {name}; there are {}",
                known.join(", ")
            )));
        }
        self.loads.retain(|load| names.contains(&load.name));
        self.against.retain(|against| names.contains(&against.load) && names.contains(&against.other));
        for server in &mut self.servers {
            server.skip.retain(|name| names.contains(name));
        }
        Ok(())
    }

    /// Gives every load that has a duration another one.
    pub fn measure_for(&mut self, duration: Duration) {
        for load in &mut self.loads {
            if let Length::Time(time) = &mut load.workload.length {
                *time = duration;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: &str =
        "[[server]]\nname = \"a\"\ncommand = \"x {port}\"\n[[server]]\nname = \"b\"\naddress = \"h:1\"\n";

    fn read(toml: &str) -> Result<Plan, String> {
        parse(&Text::new("c.toml", toml)).map_err(|failure| {
            assert_eq!(failure.exit_code(), 14);
            failure.to_string()
        })
    }

    #[test]
    fn loads_keep_the_order_of_the_file_and_get_the_cores() {
        let loads = "[workload.z]\nkind = \"publish\"\n[workload.a]\nkind = \"request\"\ncores = [3]\n";
        let plan = read(&format!("server_cores = [0]\ngenerator_cores = [1]\n{SERVERS}{loads}")).unwrap();
        let loads: Vec<_> =
            plan.loads.iter().map(|load| (load.name.as_str(), load.workload.cores.clone())).collect();
        assert_eq!(loads, [("z", vec![1]), ("a", vec![3])]);
        assert!(matches!(&plan.servers[0].origin, Origin::Start(recipe) if recipe.cores == [0]));
        assert!(matches!(&plan.servers[1].origin, Origin::Address(address) if address.host == "h:1"));
        assert_eq!(plan.rounds, ROUNDS);
    }

    #[test]
    fn a_server_may_have_cores_of_its_own() {
        let servers = SERVERS.replace("command = \"x {port}\"", "command = \"x {port}\"\ncores = [0, 1]");
        let loads = "[workload.a]\nkind = \"request\"\n";
        let third = "[[server]]\nname = \"c\"\ncommand = \"y {port}\"\n";
        let plan = read(&format!("server_cores = [0]\n{servers}{third}{loads}")).unwrap();
        let cores = |n: usize| match &plan.servers[n].origin {
            Origin::Start(recipe) => Some(recipe.cores.clone()),
            Origin::Address(_) => None,
        };
        assert_eq!([cores(0), cores(1), cores(2)], [Some(vec![0, 1]), None, Some(vec![0])]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let load = "[workload.a]\nkind = \"publish\"\n";
        let cases = [
            (format!("{SERVERS}{load}seize = 3\n"), "c.toml:9:1: unknown field `seize`"),
            (format!("[[server]]\nname = \"a\"\n{load}"), "c.toml:1:"),
            (
                format!("[[server]]\nname = \"a\"\ncommand = \"x\"\n{load}"),
                "1 servers: a comparison has 2 to 5",
            ),
            (format!("rounds = 0\n{SERVERS}{load}"), "rounds: 0 is not within 1 and 1000"),
            (format!("{SERVERS}skip = [\"q\"]\n{load}"), "skip: there is no load q"),
            (format!("{SERVERS}cores = [1]\n{load}"), "an address has no cores"),
            (format!("{SERVERS}[workload]\n"), "there is no workload"),
            (format!("{}{load}", SERVERS.replace("\"b\"", "\"a\"")), "two servers have the name a"),
        ];
        for (toml, expected) in cases {
            let sentence = read(&toml).unwrap_err();
            assert!(sentence.contains(expected), "{sentence}\nnot: {expected}");
        }
    }

    #[test]
    fn only_loads_that_exist_can_be_kept() {
        let loads = "[workload.z]\nkind = \"publish\"\n[workload.a]\nkind = \"request\"\n";
        let mut plan = read(&format!("{SERVERS}{loads}")).unwrap();
        let failure = plan.keep_only(&["q".into()]).unwrap_err();
        assert_eq!(failure.to_string(), "only: there is no q; there are z, a");
        plan.keep_only(&["a".into()]).unwrap();
        assert_eq!(plan.loads.len(), 1);
    }

    #[test]
    fn every_comparison_that_is_shipped_can_be_read() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("compare");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            parse(&Text::read(&entry.unwrap().path()).unwrap()).unwrap();
            count += 1;
        }
        assert!(count >= 3);
    }
}
