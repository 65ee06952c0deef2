//! One look at a rollout: everything that its plan asks of the metric store and of the bias monitor.
//!
//! All questions are asked at the same time, and a store that hangs holds up nothing: what is not there in time is
//! missing.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use fcs_core::{ModelVersion, UnixMicros};
use fcs_rollout::rollout::{
    BiasAlarms, Guard, GuardSamples, Measure, Plan, Samples, Seen, SlowerAnywhere, Watched,
};
use fcs_rollout::statistics::{Arms, Buckets, Counts, Latencies, Sample, Tally};
use futures::future::join_all;
use tracing::warn;

use super::ports::{BiasMonitor, MetricError, MetricSource, Span};

/// Longest look; so long a person's order waits at most.
const LIMIT: Duration = Duration::from_secs(3);
/// Counts above it are not exact.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;
/// Moments of a guard at most.
const MOMENTS_MAX: u64 = 2_000;

/// What is looked at, and when.
pub(super) struct Looking<'a> {
    pub(super) source: &'a dyn MetricSource,
    pub(super) monitor: &'a dyn BiasMonitor,
    pub(super) plan: &'a Plan,
    pub(super) now: UnixMicros,
}

/// What one arm did in a time: all requests, and the bad ones of each metric.
struct ArmCounts {
    requests: Option<u64>,
    bad: Vec<Option<u64>>,
}

impl Looking<'_> {
    /// Everything at `times`, the last of which is the present one.
    pub(super) async fn seen(&self, times: &[Watched]) -> Seen {
        let Some((first, present)) = times.first().zip(times.last()) else {
            return Seen::default();
        };
        let metrics = async {
            let counts = join_all(times.iter().map(|time| self.arms(time)));
            let fresh = self.fresh(present);
            let (counts, fresh) = tokio::join!(counts, async { self.arms(&fresh).await });
            (counts, is_fresh(present, &fresh))
        };
        let guards = &self.plan.analysis.guards;
        let guards = join_all(guards.iter().map(|guard| self.guard(guard, first.from)));
        let (metrics, latencies, guards, alarms) = tokio::join!(
            in_time("counts", metrics),
            in_time("latencies", self.latencies(times)),
            in_time("guards", guards),
            in_time("alarms", self.alarms()),
        );
        let (arms, is_fresh) = metrics.unwrap_or_default();
        Seen {
            counts: self.counts(times, &arms),
            latencies: latencies.flatten(),
            guards: guards.unwrap_or_default(),
            alarms: alarms.flatten(),
            is_fresh,
        }
    }

    /// The end of the present time in which requests must have come.
    fn fresh(&self, present: &Watched) -> Watched {
        let fresh = self.plan.analysis.fresh_micros;
        let from = self.now.0.saturating_sub_unsigned(fresh);
        Watched {
            from: UnixMicros(from).max(present.from),
            ..*present
        }
    }

    fn counts(&self, times: &[Watched], arms: &[Vec<Option<Arms>>]) -> Vec<Counts> {
        let of_metric = |position: usize| {
            let mut counts = Counts::default();
            for (time, arms) in times.iter().zip(arms) {
                if let Some(Some(arms)) = arms.get(position) {
                    counts.add(time.weight, *arms);
                }
            }
            counts
        };
        (0..self.plan.analysis.metrics.len())
            .map(of_metric)
            .collect()
    }

    /// What both arms did in a time, by metric; `None` when that is not known of one of them.
    async fn arms(&self, time: &Watched) -> Vec<Option<Arms>> {
        let (candidate, stable) = tokio::join!(
            self.arm(&self.plan.change.model, time),
            self.arm(&self.plan.baseline.model, time),
        );
        let of_metric = |position: usize| {
            let stable = if time.weight.is_whole() {
                Tally::default()
            } else {
                stable.tally(position)?
            };
            let candidate = candidate.tally(position)?;
            Some(Arms { candidate, stable })
        };
        (0..self.plan.analysis.metrics.len())
            .map(of_metric)
            .collect()
    }

    async fn arm(&self, model: &ModelVersion, time: &Watched) -> ArmCounts {
        let analysis = &self.plan.analysis;
        let queries = std::iter::once(&analysis.requests)
            .chain(analysis.metrics.iter().map(|metric| &metric.bad));
        let counts = queries.map(|query| async move {
            let query = query.of(model, time.seconds());
            let value = known(self.source.value(&query, time.until).await);
            value.flatten().and_then(count)
        });
        let mut counts = join_all(counts).await;
        let bad = counts.split_off(1);
        let requests = counts.pop().flatten();
        ArmCounts { requests, bad }
    }

    /// Latencies of both arms while there were two; `None` when they are not known of one time.
    async fn latencies(&self, times: &[Watched]) -> Option<Latencies> {
        let asked = self.plan.analysis.slower_anywhere.as_ref()?;
        let compared: Vec<_> = times.iter().filter(|it| !it.weight.is_whole()).collect();
        let buckets = join_all(compared.iter().map(|time| async {
            tokio::join!(
                self.buckets(asked, &self.plan.change.model, time),
                self.buckets(asked, &self.plan.baseline.model, time),
            )
        }));
        let mut latencies: Option<Latencies> = None;
        for (time, (candidate, stable)) in compared.iter().zip(buckets.await) {
            let (bounds, candidate) = candidate?;
            let (same, stable) = stable?;
            let latencies = match &mut latencies {
                None => latencies.insert(Latencies::new(bounds.clone()).ok()?),
                Some(latencies) => latencies,
            };
            if latencies.bounds_s() != bounds || bounds != same {
                return None;
            }
            let buckets = Buckets { candidate, stable };
            latencies.add(time.weight, &buckets).ok()?;
        }
        latencies
    }

    /// The bounds that matter, and the requests between them.
    async fn buckets(
        &self,
        asked: &SlowerAnywhere,
        model: &ModelVersion,
        time: &Watched,
    ) -> Option<(Vec<f64>, Vec<u64>)> {
        let query = asked.buckets.of(model, time.seconds());
        let mut found = known(self.source.buckets(&query, time.until).await)?;
        found.retain(|(bound, _)| *bound >= asked.bound_min_s);
        let bounds = found.iter().map(|(bound, _)| *bound);
        let bounds: Vec<f64> = bounds.filter(|bound| bound.is_finite()).collect();
        if found.len() != bounds.len() + 1 {
            return None;
        }
        let mut below = 0;
        let between = found.into_iter().map(|(_, upto)| {
            let upto = count(upto)?;
            let between = upto.checked_sub(below)?;
            below = upto;
            Some(between)
        });
        Some((bounds, between.collect::<Option<_>>()?))
    }

    async fn guard(&self, guard: &Guard, since: UnixMicros) -> GuardSamples {
        let hold = guard.rule.hold_micros.saturating_mul(2).max(1);
        let from = UnixMicros(self.now.0.saturating_sub_unsigned(hold)).max(since);
        let length = u64::try_from(self.now.0.saturating_sub(from.0)).unwrap_or(0);
        let span = Span {
            from,
            until: self.now,
            // Whole milliseconds, as the store counts.
            step_micros: self.plan.analysis.look_micros.max(length / MOMENTS_MAX) / 1_000 * 1_000,
        };
        let (candidate, stable) = tokio::join!(
            self.samples(&guard.measure, &self.plan.change.model, span),
            self.samples(&guard.measure, &self.plan.baseline.model, span),
        );
        GuardSamples { candidate, stable }
    }

    /// A moment without a value is a gap.
    async fn samples(&self, measure: &Measure, model: &ModelVersion, span: Span) -> Samples {
        let found: BTreeMap<UnixMicros, Sample> = match measure {
            Measure::Value { query } => {
                // An instant expression has no window; one that wants one gets a minute.
                let values = self.range(query.of(model, 60), span).await;
                let sample = |value| Sample { value, requests: 1 };
                values
                    .into_iter()
                    .map(|(at, value)| (at, sample(value)))
                    .collect()
            }
            Measure::Share { bad, window_micros } => {
                let seconds = window_micros / 1_000_000;
                let (requests, bad) = tokio::join!(
                    self.range(self.plan.analysis.requests.of(model, seconds), span),
                    self.range(bad.of(model, seconds), span),
                );
                let share = |(at, all): (UnixMicros, f64)| {
                    let value = bad.get(&at)? / all;
                    let requests = count(all)?;
                    Some((at, Sample { value, requests }))
                };
                requests.into_iter().filter_map(share).collect()
            }
        };
        let step = span.step_micros.max(1);
        let length = u64::try_from(span.until.0 - span.from.0).unwrap_or(0);
        (0..=length / step)
            .map(|position| {
                let at = span.from.0.saturating_add_unsigned(position * step);
                let at = UnixMicros(at);
                (at, nearest(&found, at))
            })
            .collect()
    }

    async fn range(&self, query: String, span: Span) -> BTreeMap<UnixMicros, f64> {
        let points = known(self.source.range(&query, span).await);
        points.unwrap_or_default().into_iter().collect()
    }

    async fn alarms(&self) -> Option<BiasAlarms> {
        if !self.plan.analysis.bias_alarms {
            return None;
        }
        let (candidate, stable) = tokio::join!(
            self.monitor.firing(&self.plan.change.model),
            self.monitor.firing(&self.plan.baseline.model),
        );
        match (candidate, stable) {
            (Ok(candidate), Ok(stable)) => Some(BiasAlarms { candidate, stable }),
            (Err(error), _) | (_, Err(error)) => {
                warn!(%error, "alarms about the candidate are not known, so no time counts");
                None
            }
        }
    }
}

impl ArmCounts {
    /// `None` when a count is missing, or contradicts the other.
    fn tally(&self, position: usize) -> Option<Tally> {
        let bad = self.bad.get(position).copied().flatten()?;
        Tally::new(self.requests?, bad).ok()
    }
}

/// Whether every arm with traffic had requests, and the counts of every metric are known.
fn is_fresh(present: &Watched, fresh: &[Option<Arms>]) -> bool {
    let is_compared = !present.weight.is_whole();
    let came = |arms: &Option<Arms>| {
        arms.is_some_and(|arms| {
            arms.candidate.requests() > 0 && (!is_compared || arms.stable.requests() > 0)
        })
    };
    !fresh.is_empty() && fresh.iter().all(came)
}

/// The store rounds moments to milliseconds.
fn nearest(found: &BTreeMap<UnixMicros, Sample>, at: UnixMicros) -> Option<Sample> {
    let around = UnixMicros(at.0 - 1_000)..=UnixMicros(at.0 + 1_000);
    found.range(around).next().map(|(_, sample)| *sample)
}

/// The number as a count. `increase` extrapolates to the ends of its window, so counts come with fractions.
fn count(value: f64) -> Option<u64> {
    if !(0.0..=COUNT_MAX).contains(&value) {
        return None;
    }
    format!("{value:.0}").parse().ok()
}

fn known<T>(answer: Result<T, MetricError>) -> Option<T> {
    answer
        .inspect_err(|error| warn!(%error, "a number is not known"))
        .ok()
}

async fn in_time<T>(what: &'static str, part: impl Future<Output = T>) -> Option<T> {
    let part = tokio::time::timeout(LIMIT, part).await;
    part.inspect_err(|_| warn!(what, "a part of a look was not there in time"))
        .ok()
}
