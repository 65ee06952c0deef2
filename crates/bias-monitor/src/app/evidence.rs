//! Evidence on groups, and the alarms that follow from it.
//!
//! Decisions enter in the order of the log, each once it is known whose it is, or when that was waited for long
//! enough. So what is compared was decided at about the same time, and the same log gives the same evidence.

use std::collections::BTreeMap;

use fcs_core::{ModelVersion, UnixMicros};
use fcs_fairness::alarm::{Alarm, Entry, Event};
use fcs_fairness::anytime::gap::PairedDecision;
use fcs_fairness::anytime::ratio::Side;
use fcs_fairness::anytime::watch::{
    Judgement, PairedWatch, Question, RatioWatch, WeightedWatch, look,
};
use fcs_fairness::anytime::weighted::{Member, Memberships as Pair};
use fcs_fairness::policy::Channel;

use super::change::Groups;
use super::facts::{AttributeName, GroupName};
use super::proxies::{KnownMembership, Memberships};
use super::terms::{AttributeTerms, Terms};

/// Decisions that are taken into evidence at a time.
pub const BATCH: usize = 2_000;

/// A group of an attribute under a model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchedGroup {
    /// The model that decided, or would have.
    pub model: ModelVersion,
    /// The model that decided the same applications, where it is watched how much the first one widens the gap between
    /// the groups; nothing where the ratio of its own decisions is watched.
    pub baseline: Option<ModelVersion>,
    /// The attribute.
    pub attribute: AttributeName,
    /// The group that is compared with the reference group.
    pub group: GroupName,
}

/// The evidence on a group.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupWatch {
    /// From values.
    Value(RatioWatch),
    /// From probabilities: of the weighted ratio, which can show a breach and clears nothing.
    Proxy(WeightedWatch),
    /// Of the gap: from values, both models having decided every application.
    Paired(PairedWatch),
}

impl GroupWatch {
    fn question(&mut self, minimum_group_size: u64) -> Question<'_> {
        match self {
            Self::Value(watch) => watch.question(minimum_group_size),
            Self::Proxy(watch) => watch.question(minimum_group_size),
            Self::Paired(watch) => watch.question(minimum_group_size),
        }
    }

    /// Counts a decision about somebody whose group is known.
    fn record_value(&mut self, side: Side, approved: bool, at: UnixMicros) {
        if let Self::Value(watch) = self {
            watch.record(side, approved, at);
        }
    }

    /// Counts an application that two models decided.
    pub(super) fn record_pair(&mut self, decision: PairedDecision, at: UnixMicros) {
        if let Self::Paired(watch) = self {
            watch.record(decision, at);
        }
    }

    /// Counts a decision about somebody whose groups are probabilities.
    fn record_member(&mut self, member: Member, at: UnixMicros) {
        if let Self::Proxy(watch) = self {
            watch.record(member, at);
        }
    }
}

/// What is known of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watched {
    /// The evidence; none since another policy came into force, until the first decision under it.
    pub watch: Option<GroupWatch>,
    /// What the latest look found.
    pub judgement: Option<Judgement>,
    /// What follows from it.
    pub alarm: Alarm,
}

impl Watched {
    /// Whether the evidence is from probabilities.
    pub const fn is_by_proxy(&self) -> bool {
        matches!(self.watch, Some(GroupWatch::Proxy(_)))
    }
}

/// A decision of the log, and what is known of its applicant.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its place in the log.
    pub log_index: u64,
    /// When it was made, to the minute.
    pub at: UnixMicros,
    /// The model that decided.
    pub model: ModelVersion,
    /// Whether it approved.
    pub approved: bool,
    /// The applicant's protected attributes.
    pub groups: Groups,
    /// What proxies say of the applicant.
    pub memberships: Memberships,
}

/// Everything that is watched, and how far the log is in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// Highest log index that is in the evidence.
    pub last_index: u64,
    /// What is known, by group.
    pub watched: BTreeMap<WatchedGroup, Watched>,
}

/// Something that happened to an alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// Whose alarm it is.
    pub watched: WatchedGroup,
    /// What happened.
    pub entry: Entry,
}

/// One turn: decisions are taken in, and when there are no more, every group is looked at.
#[derive(Debug, Clone)]
pub struct Turn<'a> {
    /// What is watched.
    pub terms: &'a Terms,
    /// The time of the look.
    pub now: UnixMicros,
    /// How long a decision waits for what is known of its applicant, in microseconds.
    pub settle_micros: i64,
}

/// What a turn led to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Turned {
    /// What is known now.
    pub ledger: Ledger,
    /// What happened to alarms.
    pub news: Vec<News>,
    /// Whether more decisions wait; then nothing was looked at.
    pub more: bool,
}

impl Turn<'_> {
    /// Takes in the candidates, which follow the ledger's last index in the order of the log; at most [`BATCH`].
    pub fn run(&self, mut ledger: Ledger, candidates: &[Candidate]) -> Turned {
        let settled = candidates.iter().take_while(|it| self.is_settled(it));
        let mut taken = 0;
        for candidate in settled {
            self.record(&mut ledger.watched, candidate);
            ledger.last_index = candidate.log_index;
            taken += 1;
        }
        let more = taken == BATCH;
        let news = if more {
            Vec::new()
        } else {
            look_at_all(self.terms, self.now, &mut ledger.watched)
        };
        Turned { ledger, news, more }
    }

    fn is_settled(&self, candidate: &Candidate) -> bool {
        let waited = self.now.0.saturating_sub(candidate.at.0);
        let lacks = |channel, nothing| nothing && self.terms.uses(channel);
        let is_complete = !lacks(Channel::Value, candidate.groups.is_empty())
            && !lacks(Channel::Proxy, candidate.memberships.is_empty());
        is_complete || waited >= self.settle_micros
    }

    fn record(&self, watched: &mut BTreeMap<WatchedGroup, Watched>, candidate: &Candidate) {
        for terms in &self.terms.attributes {
            match terms.channel {
                Channel::Value => self.record_value(watched, terms, candidate),
                Channel::Proxy => self.record_proxy(watched, terms, candidate),
            }
        }
    }

    fn record_value(
        &self,
        watched: &mut BTreeMap<WatchedGroup, Watched>,
        terms: &AttributeTerms,
        candidate: &Candidate,
    ) {
        let Some(known) = candidate.groups.get(&terms.name) else {
            return;
        };
        let (model, at) = (&candidate.model, candidate.at);
        for group in &terms.groups {
            self.watch(watched, terms, model, group);
        }
        if known.group == terms.reference {
            let of_attribute = |id: &WatchedGroup| id.model == *model && id.attribute == terms.name;
            let compared = watched.iter_mut().filter(|(id, _)| of_attribute(id));
            for watch in compared.filter_map(|(_, watched)| watched.watch.as_mut()) {
                watch.record_value(Side::Reference, candidate.approved, at);
            }
        } else if terms.covers(&known.group) {
            let watch = self.watch(watched, terms, model, &known.group);
            watch.record_value(Side::Group, candidate.approved, at);
        }
    }

    /// Counts towards every group that the proxy tells from the reference group. If several versions say something of
    /// one applicant, the last by source and version counts: a person is one decision, and which of them it is must not
    /// depend on what was decided.
    fn record_proxy(
        &self,
        watched: &mut BTreeMap<WatchedGroup, Watched>,
        terms: &AttributeTerms,
        candidate: &Candidate,
    ) {
        let mut said = candidate.memberships.iter();
        let Some((_, known)) = said.rfind(|(proxy, _)| proxy.attribute == terms.name) else {
            return;
        };
        for group in &terms.groups {
            self.watch(watched, terms, &candidate.model, group);
        }
        let compared = known.groups.iter().filter(|group| terms.covers(group));
        for group in compared.filter(|group| **group != terms.reference) {
            if let Some(member) = member(known, terms, group, candidate.approved) {
                let watch = self.watch(watched, terms, &candidate.model, group);
                watch.record_member(member, candidate.at);
            }
        }
    }

    /// The watch of a group, begun if it is not there.
    fn watch<'a>(
        &self,
        watched: &'a mut BTreeMap<WatchedGroup, Watched>,
        terms: &AttributeTerms,
        model: &ModelVersion,
        group: &GroupName,
    ) -> &'a mut GroupWatch {
        let id = WatchedGroup {
            model: model.clone(),
            baseline: None,
            attribute: terms.name.clone(),
            group: group.clone(),
        };
        let starts = self.terms.policy.starts();
        let begin = || match terms.channel {
            Channel::Value => GroupWatch::Value(RatioWatch::ratio(terms.floor, starts)),
            Channel::Proxy => GroupWatch::Proxy(WeightedWatch::weighted(terms.floor, starts)),
        };
        watched
            .entry(id)
            .or_default()
            .watch
            .get_or_insert_with(begin)
    }
}

/// Judges the groups of each model, and of each pair of models, together.
pub(super) fn look_at_all(
    terms: &Terms,
    now: UnixMicros,
    watched: &mut BTreeMap<WatchedGroup, Watched>,
) -> Vec<News> {
    let mut families: BTreeMap<_, Vec<(&WatchedGroup, &mut Watched)>> = BTreeMap::new();
    for (id, watched) in watched.iter_mut() {
        let family = families.entry((&id.model, &id.baseline)).or_default();
        family.push((id, watched));
    }
    families
        .into_values()
        .flat_map(|groups| look_at(terms, now, groups))
        .collect()
}

fn look_at(
    terms: &Terms,
    now: UnixMicros,
    groups: Vec<(&WatchedGroup, &mut Watched)>,
) -> Vec<News> {
    let (rules, alarm_rules) = (terms.policy.rules(), &terms.policy.document().alarm);
    let mut news = Vec::new();
    let (mut questions, mut rest): (Vec<Question<'_>>, Vec<_>) = (Vec::new(), Vec::new());
    for (id, watched) in groups {
        let Watched {
            watch,
            judgement,
            alarm,
        } = watched;
        if let Some(watch) = watch {
            questions.push(watch.question(terms.minimum_of(&id.attribute)));
            rest.push((id, judgement, alarm));
        }
    }
    let judgements = look(&mut questions, &rules, now);
    for ((id, judgement, alarm), found) in rest.into_iter().zip(judgements) {
        // What a look found is never refused.
        let entries = alarm.apply(Event::from(&found), now, alarm_rules);
        news.extend(entries.unwrap_or_default().into_iter().map(|entry| News {
            watched: id.clone(),
            entry,
        }));
        *judgement = Some(found);
    }
    news
}

/// One applicant between a group and the reference group; `None` if the proxy does not name both.
fn member(
    known: &KnownMembership,
    terms: &AttributeTerms,
    group: &GroupName,
    approved: bool,
) -> Option<Member> {
    let pair = Pair {
        reference: known.probability(&terms.reference)?,
        group: known.probability(group)?,
    };
    Member::new(pair, approved).ok()
}

impl Ledger {
    /// Begins with the first decision again, for another policy. Alarms stay as they are until it has spoken.
    pub fn begin_anew(&mut self) {
        self.last_index = 0;
        for watched in self.watched.values_mut() {
            watched.watch = None;
            watched.judgement = None;
        }
    }
}

#[cfg(test)]
mod tests;
