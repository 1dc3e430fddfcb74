//! An SLO file: `[workload]` with the flags of the load, `[objectives]`, `[knee]` with the bounds of a search, and `[then]` for
//! the run after it.

use super::limit::SyncTime;
use super::objective::{Goal, Objective, Percentile, Windows};
use super::then::Then;
use crate::failure::Failure;
use crate::toml_file::Text;
use crate::units;
use crate::workload::{Arrivals, Pace, Workload};
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};
use std::fmt;
use std::time::Duration;
use toml::Spanned;

/// A file that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct SloFile {
    pub workload: Workload,
    /// At least one. Without one about errors, none are allowed.
    pub objectives: Vec<Objective>,
    pub knee: Knee,
    /// What follows a search.
    pub then: Option<Then>,
}

/// Bounds of a search; flags come first.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct Knee {
    /// Rate of the first run [default: that of the workload, or 1000]
    #[arg(long = "knee-start", value_name = "PER_SECOND")]
    pub start: Option<f64>,
    /// Rate that is never exceeded [default: 100 million]
    #[arg(long = "knee-ceiling", value_name = "PER_SECOND")]
    pub ceiling: Option<f64>,
    /// Most runs [default: 20]
    #[arg(long = "knee-runs", value_name = "N")]
    pub max_runs: Option<u32>,
    /// Longest search, as in "10m" [default: 30m]
    #[arg(long = "knee-time", value_name = "TIME")]
    pub max_time: Option<String>,
    /// How near the knee is enclosed, as in "5%" [default: 5%]
    #[arg(long = "knee-precision", value_name = "SHARE")]
    pub precision: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    workload: Workload,
    objectives: Spanned<WrittenObjectives>,
    #[serde(default)]
    knee: Knee,
    then: Option<WrittenThen>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenThen {
    at: Spanned<String>,
    objectives: Spanned<WrittenObjectives>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenObjectives {
    window: Option<Spanned<String>>,
    #[serde(rename = "in")]
    windows: Option<Spanned<String>>,
    rate: Option<Spanned<Limit>>,
    p50: Option<Spanned<Limit>>,
    p90: Option<Spanned<Limit>>,
    p99: Option<Spanned<Limit>>,
    #[serde(alias = "p99.9")]
    p99_9: Option<Spanned<Limit>>,
    #[serde(alias = "p99.99")]
    p99_99: Option<Spanned<Limit>>,
    max: Option<Spanned<Limit>>,
    errors: Option<Spanned<Limit>>,
}

/// A limit alone, or `{ limit = …, in = "…" }`.
struct Limit {
    limit: Scalar,
    windows: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or text such as \"2ms\" or \"99%\"")]
enum Scalar {
    Number(f64),
    Text(String),
}

/// Longest window. Seconds.
const WINDOW_MAX: f64 = 3600.0;

/// `sync` is asked if a limit is in syncs. Errors: BadFile with file, line, column and a sentence.
pub fn parse(text: &Text, sync: &SyncTime<'_>) -> Result<SloFile, Failure> {
    let Written { workload, objectives, knee, then } = text.parse::<Written>()?;
    let some = |objectives: Spanned<WrittenObjectives>| {
        let place = objectives.span();
        let objectives = objectives.into_inner().checked(text, &workload, sync)?;
        match objectives.is_empty() {
            true => {
                Err(text
                    .wrong(place, "there is no objective: rate, p50, p90, p99, p99_9, p99_99, max or errors"))
            }
            false => Ok(objectives),
        }
    };
    let objectives = some(objectives)?;
    let checked = |WrittenThen { at, objectives }: WrittenThen| {
        let share = units::share(at.get_ref()).map_err(|what| text.wrong(at.span(), &what))?;
        match share > 0.0 {
            true => Ok(Then { share, objectives: some(objectives)? }),
            false => Err(text.wrong(at.span(), "a share of the knee is above 0")),
        }
    };
    let then = then.map(checked).transpose()?;
    Ok(SloFile { workload, objectives, knee, then })
}

impl WrittenObjectives {
    fn checked(
        self,
        text: &Text,
        workload: &Workload,
        sync: &SyncTime<'_>,
    ) -> Result<Vec<Objective>, Failure> {
        let seconds = match &self.window {
            Some(window) => {
                whole_seconds(window.get_ref()).map_err(|what| text.wrong(window.span(), &what))?
            }
            None => 1,
        };
        let general = match &self.windows {
            Some(share) => {
                Some(windows(share.get_ref(), seconds).map_err(|what| text.wrong(share.span(), &what))?)
            }
            None => None,
        };
        let mut objectives = Vec::new();
        let mut add = |limit: Option<Spanned<Limit>>, goal: &dyn Fn(&Scalar) -> Result<Goal, String>| {
            let Some(limit) = limit else { return Ok(()) };
            let wrong = |what: String| text.wrong(limit.span(), &what);
            let own = limit.get_ref().windows.as_deref().map(|share| windows(share, seconds));
            let windows = own.transpose().map_err(wrong)?.or(general);
            let goal = goal(&limit.get_ref().limit).map_err(wrong)?;
            objectives.push(Objective { goal, windows });
            Ok(())
        };
        add(self.rate, &|limit| rate(limit, workload))?;
        let percentiles = [
            (self.p50, Percentile::P50),
            (self.p90, Percentile::P90),
            (self.p99, Percentile::P99),
            (self.p99_9, Percentile::P999),
            (self.p99_99, Percentile::P9999),
            (self.max, Percentile::Max),
        ];
        for (limit, percentile) in percentiles {
            add(limit, &|limit| latency(limit, percentile, sync))?;
        }
        let some = !objectives.is_empty() || self.errors.is_some();
        let mut add_errors = |goal, windows| objectives.push(Objective { goal, windows });
        match self.errors {
            Some(limit) => {
                if limit.get_ref().windows.is_some() {
                    return Err(
                        text.wrong(limit.span(), "errors are counted over the whole run, not by windows")
                    );
                }
                let goal = errors(&limit.get_ref().limit).map_err(|what| text.wrong(limit.span(), &what))?;
                add_errors(goal, None);
            }
            None if some => add_errors(Goal::Errors(0), None),
            None => {}
        }
        Ok(objectives)
    }
}

fn rate(limit: &Scalar, workload: &Workload) -> Result<Goal, String> {
    match limit {
        Scalar::Number(rate) if *rate > 0.0 && rate.is_finite() => Ok(Goal::Rate(*rate)),
        Scalar::Number(rate) => Err(format!("{rate}: a rate is above 0")),
        Scalar::Text(_) if !matches!(workload.pace, Pace::Open { .. }) => {
            Err("a share of the offered rate needs an open loop: give the workload a rate".into())
        }
        Scalar::Text(_) if matches!(workload.pace, Pace::Open { arrivals: Arrivals::Schedule(_), .. }) => {
            Err("a share of the offered rate needs one rate, and a schedule has several".into())
        }
        Scalar::Text(text) => units::share(text).map(Goal::RateOfOffered),
    }
}

fn latency(limit: &Scalar, percentile: Percentile, sync: &SyncTime<'_>) -> Result<Goal, String> {
    match limit {
        Scalar::Text(text) => super::limit::limit(text, sync).map(|limit| Goal::Latency(percentile, limit)),
        Scalar::Number(number) => Err(format!("{number} has no unit: write it as \"{number}ms\"")),
    }
}

fn errors(limit: &Scalar) -> Result<Goal, String> {
    match limit {
        Scalar::Text(text) => units::share(text).map(Goal::ErrorShare),
        Scalar::Number(count) if *count >= 0.0 && count.fract() == 0.0 => Ok(Goal::Errors(*count as u64)),
        Scalar::Number(count) => {
            Err(format!("{count}: a whole number of errors, or a share such as \"0.1%\""))
        }
    }
}

fn whole_seconds(text: &str) -> Result<u32, String> {
    let seconds = units::duration(text)?.as_secs_f64();
    match (1.0..=WINDOW_MAX).contains(&seconds) && seconds.fract() == 0.0 {
        true => Ok(seconds as u32),
        false => Err(format!("\"{text}\": windows are whole seconds, 1 to {WINDOW_MAX}")),
    }
}

/// `95 of 100`.
fn windows(text: &str, seconds: u32) -> Result<Windows, String> {
    let parts = text.split_once(" of ").map(|(good, of)| (good.trim().parse(), of.trim().parse()));
    match parts {
        Some((Ok(good), Ok(of))) if good > 0 && good <= of => Ok(Windows { good, of, seconds }),
        _ => Err(format!("\"{text}\": so many of so many windows, as in \"95 of 100\"")),
    }
}

impl Knee {
    /// What is set here, and `other` for the rest.
    pub fn or(self, other: Knee) -> Knee {
        Knee {
            start: self.start.or(other.start),
            ceiling: self.ceiling.or(other.ceiling),
            max_runs: self.max_runs.or(other.max_runs),
            max_time: self.max_time.or(other.max_time),
            precision: self.precision.or(other.precision),
        }
    }

    /// Errors: BadOptions.
    pub fn bounds(&self, workload: &Workload) -> Result<super::search::Bounds, Failure> {
        let bad = |text: String| Failure::BadOptions(format!("knee: {text}"));
        let offered = match &workload.pace {
            Pace::Open { rate, .. } => *rate,
            Pace::Closed { .. } => 1000.0,
        };
        let (start, ceiling) = (self.start.unwrap_or(offered), self.ceiling.unwrap_or(100e6));
        if !(start > 0.0 && start <= ceiling && ceiling <= 100e6) {
            return Err(bad(format!("start {start} and ceiling {ceiling}: above 0 and at most 100 million")));
        }
        let precision = units::share(self.precision.as_deref().unwrap_or("5%")).map_err(bad)?;
        if !(0.001..=0.5).contains(&precision) {
            return Err(bad("precision: within 0.1% and 50%".into()));
        }
        let max_time = self.max_time.as_deref().map(units::duration).transpose().map_err(bad)?;
        let runs_max = self.max_runs.unwrap_or(20);
        if !(1..=1000).contains(&runs_max) {
            return Err(bad("max_runs: within 1 and 1000".into()));
        }
        let time_max = max_time.unwrap_or(Duration::from_secs(1800));
        Ok(super::search::Bounds { start, ceiling, runs_max, time_max, precision })
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

struct LimitVisitor;

impl<'de> Visitor<'de> for LimitVisitor {
    type Value = Limit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number, text such as \"2ms\", or {{ limit = …, in = \"95 of 100\" }}")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Limit, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Limit, E> {
        Ok(Limit { limit: Scalar::Number(number), windows: None })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit, E> {
        Ok(Limit { limit: Scalar::Text(text.to_owned()), windows: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Limit, A::Error> {
        let (mut limit, mut windows) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "limit" => limit = Some(map.next_value()?),
                "in" => windows = Some(map.next_value()?),
                "9" | "99" => {
                    return Err(de::Error::custom(
                        "a key with a point is two keys in TOML: write p99_9 or p99_99",
                    ));
                }
                other => return Err(de::Error::unknown_field(other, &["limit", "in"])),
            }
        }
        Ok(Limit { limit: limit.ok_or_else(|| de::Error::missing_field("limit"))?, windows })
    }
}

#[cfg(test)]
#[path = "file_test.rs"]
mod tests;
