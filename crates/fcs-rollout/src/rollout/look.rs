//! What follows from everything that was seen at one look.

use fcs_core::{ModelVersion, UnixMicros};

use super::analysis::{Analysis, Name, SlowerAnywhere};
use super::command::Command;
use super::event::PauseCause;
use super::guard::{Guard, GuardSamples, WhenShared};
use super::state::{Phase, Rollout};
use crate::statistics::{Absence, Counts, GuardAction, Latencies, Verdict, Weight, judge};
use crate::text::Reason;

/// What the metric store and the bias monitor showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Counts of each metric of the analysis, in its order, since the candidate has traffic.
    pub counts: Vec<Counts>,
    /// Latencies of both arms since then; `None` where they are not known.
    pub latencies: Option<Latencies>,
    /// Values of each guard, in the order of the analysis.
    pub guards: Vec<GuardSamples>,
    /// Firing alarms of the bias monitor; `None` when it did not answer.
    pub alarms: Option<BiasAlarms>,
    /// Whether requests of both arms came just now, and every count of them is known.
    pub is_fresh: bool,
}

/// Attributes and groups whose alarm fires, by model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BiasAlarms {
    /// Of the version that is rolled out.
    pub candidate: Vec<BiasAlarm>,
    /// Of the version that it replaces.
    pub stable: Vec<BiasAlarm>,
}

/// An alarm about one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BiasAlarm {
    /// The protected attribute.
    pub attribute: String,
    /// The group.
    pub group: String,
    /// The model in whose shadow the gap between the groups was widened; nothing where it is the ratio of the model's own
    /// decisions.
    pub baseline: Option<ModelVersion>,
}

/// What to tell the machine, most urgent first. Time counts and a step may pass only with fresh data, and with the
/// bias monitor's answer where the plan wants its alarms.
pub fn assess(rollout: &Rollout, seen: &Seen, weight: Weight, now: UnixMicros) -> Vec<Command> {
    let analysis = &rollout.plan().analysis;
    let has_data = seen.is_fresh && (!analysis.bias_alarms || seen.alarms.is_some());
    let mut commands = guarded(rollout, seen, weight, now);
    let (verdict, metric) = match judged(analysis, seen, weight) {
        (Verdict::Clear | Verdict::Insufficient { .. }, _) if !has_data => {
            let reason = Absence::Stale;
            (Verdict::NoData { reason }, None)
        }
        known => known,
    };
    commands.push(Command::Judge { verdict, metric });
    // Time and the end of a step wait for each other.
    if rollout.phase() != Phase::Judging || rollout.pause().is_some() {
        commands.push(Command::Tick { has_data });
    }
    commands
}

/// The verdict over all metrics, and which one it rests on: a breach of any, else missing data of any, else what is
/// insufficient, else clear.
pub fn judged(analysis: &Analysis, seen: &Seen, weight: Weight) -> (Verdict, Option<Name>) {
    let none = Counts::default();
    let mut verdicts = Vec::with_capacity(analysis.metrics.len());
    for (position, metric) in analysis.metrics.iter().enumerate() {
        let counts = seen.counts.get(position).unwrap_or(&none);
        let verdict = judge(counts, weight, &metric.criteria).verdict;
        verdicts.push((verdict, Some(metric.name.clone())));
    }
    if is_slower(analysis.slower_anywhere.as_ref(), seen) && !is_mismatch(&verdicts) {
        return (Verdict::Breach, Name::try_from("latency".to_owned()).ok());
    }
    let worst = verdicts
        .into_iter()
        .min_by_key(|(verdict, _)| rank(*verdict));
    worst.unwrap_or_else(|| {
        let reason = Absence::Missing;
        (Verdict::NoData { reason }, None)
    })
}

/// Worst first. Arms that cannot be compared come before data that is missing.
const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Breach => 0,
        Verdict::NoData {
            reason: Absence::SampleRatioMismatch,
        } => 1,
        Verdict::NoData { .. } => 2,
        Verdict::Insufficient { .. } => 3,
        Verdict::Clear => 4,
    }
}

fn is_mismatch(verdicts: &[(Verdict, Option<Name>)]) -> bool {
    verdicts.iter().any(|(verdict, _)| rank(*verdict) == 1)
}

fn is_slower(asked: Option<&SlowerAnywhere>, seen: &Seen) -> bool {
    asked
        .zip(seen.latencies.as_ref())
        .is_some_and(|(asked, latencies)| {
            let evidence = latencies.slower_anywhere(asked.tolerated);
            evidence.reaches(asked.alpha.bar())
        })
}

/// What follows from guards and alarms.
fn guarded(rollout: &Rollout, seen: &Seen, weight: Weight, now: UnixMicros) -> Vec<Command> {
    let analysis = &rollout.plan().analysis;
    let guards: Vec<_> = analysis.guards.iter().zip(&seen.guards).collect();
    let has_incident = rollout.pause().map(|it| it.cause) == Some(PauseCause::SharedIncident);
    let (mut back, mut holds, mut pauses) = (None, false, false);
    for (guard, samples) in &guards {
        match guard.action(samples, weight, now) {
            // Whichever arm is over an incident last is not to be blamed for it; comparisons tell a candidate that is bad
            // by itself.
            GuardAction::RollBack if has_incident && guard.when_shared == WhenShared::Hold => {
                holds = true;
            }
            GuardAction::RollBack => back = back.or_else(|| Some(guard.told(samples))),
            GuardAction::Hold => holds = true,
            GuardAction::Pause => pauses = true,
            GuardAction::Continue => {}
        }
    }
    if let (true, Some(alarms)) = (analysis.bias_alarms, &seen.alarms) {
        match alarmed(alarms, &rollout.plan().baseline.model) {
            Some((attribute, true)) => {
                back = Some(format!("bias alarm about {attribute} of the candidate"));
            }
            Some((_, false)) => pauses = true,
            None => {}
        }
    }
    if let Some(reason) = back.and_then(|text| text.parse::<Reason>().ok()) {
        return vec![Command::TripGuard { reason }];
    }
    if holds {
        return vec![Command::ReportSharedIncident];
    }
    let is_known = seen.is_fresh && seen.guards.len() == analysis.guards.len();
    let any = |is_so: fn(&Guard, &GuardSamples, UnixMicros) -> bool| {
        let mut known = guards.iter();
        known.any(|(guard, samples)| is_so(guard, samples, now))
    };
    // Without values of any guard nothing is known to be over.
    let is_over = !any(Guard::is_exceeded) && any(Guard::is_clear);
    let mut commands = Vec::new();
    if has_incident && is_known && is_over {
        commands.push(Command::ReportIncidentOver);
    }
    if pauses {
        commands.push(Command::ReportPopulation);
    }
    commands
}

/// The attribute of the first alarm about the candidate, and whether it is the candidate's own. A gap that it widens is,
/// if it was compared with the version that it replaces; other comparisons say nothing of this rollout. A ratio is, unless
/// the stable version's is in breach about the same group.
fn alarmed<'a>(alarms: &'a BiasAlarms, stable: &ModelVersion) -> Option<(&'a str, bool)> {
    let is_own = |alarm: &BiasAlarm| alarm.baseline.is_some() || !alarms.stable.contains(alarm);
    let mut counted = alarms
        .candidate
        .iter()
        .filter(|alarm| alarm.baseline.as_ref().is_none_or(|it| it == stable))
        .map(|alarm| (alarm.attribute.as_str(), is_own(alarm)));
    let first = counted.next()?;
    Some(if first.1 {
        first
    } else {
        counted.find(|alarm| alarm.1).unwrap_or(first)
    })
}
