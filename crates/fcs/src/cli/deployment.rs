//! `fcs deployment`.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args, Subcommand};
use fcs_core::Probability;
use fcs_rollout::statistics::simulate::Outage;
use fcs_rollout::statistics::{Arms, Tally, Weight};

/// `fcs deployment`.
#[derive(Subcommand)]
pub(crate) enum DeploymentCommand {
    /// Propose a model for traffic.
    Register(RegisterArguments),
    /// Approve a deployment; not by its author, nor by who asked for it.
    Approve {
        /// Deployment id.
        id: String,
        /// Who approves.
        #[arg(long = "as", value_name = "USER")]
        actor: String,
        /// What was checked.
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Put an approved deployment into traffic.
    Activate {
        /// Deployment id.
        id: String,
        /// Who activates.
        #[arg(long = "as", value_name = "USER")]
        actor: String,
    },
    /// Restore the traffic recorded before a deployment was activated.
    Rollback {
        /// Deployment id.
        id: String,
        /// Who rolls back.
        #[arg(long = "as", value_name = "USER")]
        actor: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Say what the counts of a candidate amount to, or what a plan does to good and bad ones; needs no service.
    ///
    /// With counts: breach, clear, insufficient with what is needed, or no data. These verdicts may be asked for as often
    /// as one likes. Without counts: rollouts are played by the plan, from a seed.
    Simulate(Box<SimulateArguments>),
    /// List deployments, newest first.
    List,
    /// Show a deployment with its history.
    Get {
        /// Deployment id.
        id: String,
    },
}

/// Arguments of `fcs deployment register`.
#[derive(Args)]
pub(crate) struct RegisterArguments {
    /// Model package as "name/version".
    pub(crate) model: String,
    /// Who asks.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) actor: String,
    /// Who wrote the change; the default is who asks.
    #[arg(long)]
    pub(crate) author: Option<String>,
    /// Commit of the configuration that asks for it.
    #[arg(long)]
    pub(crate) commit: String,
    /// What changes and why.
    #[arg(long)]
    pub(crate) description: String,
    /// Where.
    #[arg(long, default_value = "development")]
    pub(crate) environment: String,
}

/// Arguments of `fcs deployment simulate`.
#[derive(Args)]
#[command(
    group = ArgGroup::new("what").args(["counts", "cells", "plan"]).required(true).multiple(true),
    after_help = "Examples:\n  \
                  fcs deployment simulate --at 5:6/2000:34/38000\n  \
                  fcs deployment simulate --at 5:2/2000:38/38000 --at 25:4/9000:11/27000 -o json\n  \
                  fcs deployment simulate --counts counts.json --plan plan.toml --fail-unless-clear\n  \
                  fcs deployment simulate --plan --requests-per-second 20 --stable-bad 0.001 --times 1,5,20\n\n\
                  A file of counts is a list of objects:\n  \
                  {\"weight_basis_points\": 500, \"candidate\": {\"requests\": 2000, \"bad\": 6},\n   \
                  \"stable\": {\"requests\": 38000, \"bad\": 34}}"
)]
pub(crate) struct SimulateArguments {
    /// Counts since the rollout began, by weight.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) counts: Option<PathBuf>,
    /// Counts at one weight in percent: bad and all requests of the candidate, then of the stable arm.
    #[arg(long = "at", id = "cells", value_name = "WEIGHT:BAD/REQUESTS[:BAD/REQUESTS]", value_parser = parse_cell)]
    pub(crate) cells: Vec<(Weight, Arms)>,
    /// Weight in force, in percent; the default is the highest weight with counts.
    #[arg(long, value_name = "PERCENT", value_parser = parse_weight)]
    pub(crate) weight: Option<Weight>,
    /// End with exit code 7 unless the verdict is clear.
    #[arg(long)]
    pub(crate) fail_unless_clear: bool,
    /// Plan in TOML, or in JSON where the name ends in .json; without a file 5, 25, 50 and 100 % for 30 minutes each.
    #[arg(long, value_name = "FILE", num_args = 0..=1, action = ArgAction::Set)]
    pub(crate) plan: Vec<PathBuf>,
    /// What to play, when there are no counts.
    #[command(flatten)]
    pub(crate) scenario: ScenarioArguments,
}

/// Arguments that describe rollouts to play.
#[derive(Args)]
pub(crate) struct ScenarioArguments {
    /// Requests of both arms per second.
    #[arg(long, value_name = "REQUESTS", default_value_t = 20.0)]
    pub(crate) requests_per_second: f64,
    /// Share of bad requests of the stable arm.
    #[arg(long, value_name = "SHARE", default_value = "0.001", value_parser = parse_share)]
    pub(crate) stable_bad: Probability,
    /// How many times that the candidate's share is; 1 is a healthy candidate.
    #[arg(
        long,
        value_name = "TIMES",
        value_delimiter = ',',
        default_value = "1,2,5,20"
    )]
    pub(crate) times: Vec<f64>,
    /// A time in which both arms have this share of bad requests, for example 40m:20m:0.08.
    #[arg(long, value_name = "FROM:FOR:SHARE", value_parser = parse_outage)]
    pub(crate) outage: Option<Outage>,
    /// Rollouts to play for each candidate.
    #[arg(long, default_value = "10000", value_parser = parse_rollouts)]
    pub(crate) rollouts: NonZeroU64,
    /// The same seed gives the same rollouts.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Most rollouts for each candidate.
const ROLLOUTS_MAX: u64 = 1_000_000;

fn parse_rollouts(text: &str) -> Result<NonZeroU64, String> {
    let rollouts = text.parse::<NonZeroU64>().ok();
    let rollouts = rollouts.filter(|rollouts| rollouts.get() <= ROLLOUTS_MAX);
    rollouts.ok_or_else(|| format!("write a number from 1 to {ROLLOUTS_MAX}"))
}

fn parse_share(text: &str) -> Result<Probability, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Probability::try_from(share).map_err(|error| error.to_string())
}

/// Percent with at most two decimals, with or without a sign: `5`, `0.25%`.
fn parse_weight(text: &str) -> Result<Weight, String> {
    let problem = || "write a weight in percent, above 0 and at most 100, for example 5".to_owned();
    let percent = text.strip_suffix('%').unwrap_or(text).trim_end();
    let (whole, part) = percent.split_once('.').unwrap_or((percent, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) || part.len() > 2 {
        return Err(problem());
    }
    let basis_points: u32 = format!("{whole}{part:0<2}")
        .parse()
        .map_err(|_| problem())?;
    Weight::try_from(basis_points).map_err(|_| problem())
}

fn parse_tally(text: &str) -> Result<Tally, String> {
    let numbers = text
        .split_once('/')
        .and_then(|(bad, requests)| Some((requests.parse().ok()?, bad.parse().ok()?)));
    let (requests, bad) = numbers.ok_or_else(|| format!("{text:?}: write BAD/REQUESTS"))?;
    Tally::new(requests, bad).map_err(|error| error.to_string())
}

fn parse_cell(text: &str) -> Result<(Weight, Arms), String> {
    let mut parts = text.split(':');
    let weight = parse_weight(parts.next().unwrap_or_default())?;
    let candidate = parse_tally(parts.next().unwrap_or_default())?;
    let stable = match parts.next() {
        Some(tally) => parse_tally(tally)?,
        None if weight.is_whole() => Tally::default(),
        None => return Err("the counts of the stable arm are missing".to_owned()),
    };
    if parts.next().is_some() {
        return Err("write WEIGHT:BAD/REQUESTS:BAD/REQUESTS".to_owned());
    }
    Ok((weight, Arms { candidate, stable }))
}

fn parse_outage(text: &str) -> Result<Outage, String> {
    let duration = |text: &str| humantime::parse_duration(text).map_err(|error| error.to_string());
    let [from, length, share] = text.split(':').collect::<Vec<_>>()[..] else {
        return Err("write FROM:FOR:SHARE, for example 40m:20m:0.08".to_owned());
    };
    Ok(Outage {
        from_s: duration(from).as_ref().map(Duration::as_secs)?,
        duration_s: duration(length).as_ref().map(Duration::as_secs)?,
        bad: parse_share(share)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_percent_with_two_decimals() {
        for (text, basis_points) in [
            ("5", 500),
            ("5%", 500),
            ("0.25", 25),
            ("12.5 %", 1_250),
            ("100", 10_000),
        ] {
            assert_eq!(parse_weight(text).unwrap().basis_points(), basis_points);
        }
        for bad in [
            "",
            "0",
            "100.01",
            "-5",
            "5.125",
            "five",
            "1e1",
            "999999999999",
        ] {
            assert!(parse_weight(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn cells_name_both_arms() {
        let (weight, arms) = parse_cell("5:6/2000:34/38000").unwrap();
        assert_eq!(weight.basis_points(), 500);
        assert_eq!((arms.candidate.bad(), arms.stable.requests()), (6, 38_000));
        assert!(parse_cell("100:1/20").is_ok());
        for bad in [
            "5:1/20",
            "5:21/20:1/1",
            "5:1/20:1/1:1/1",
            "5",
            "5:1:1",
            "5:-1/2:1/2",
        ] {
            assert!(parse_cell(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn outages_have_a_beginning_a_length_and_a_share() {
        let outage = parse_outage("40m:20m:0.08").unwrap();
        assert_eq!((outage.from_s, outage.duration_s), (2_400, 1_200));
        for bad in ["40m:20m", "40m:20m:2", "x:20m:0.1", "1m:1m:0.1:1"] {
            assert!(parse_outage(bad).is_err(), "{bad}");
        }
    }
}
