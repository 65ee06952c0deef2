//! A shown group with its scores made ready once.

use crate::scores::{Population, Sample};
use crate::{Evidence, Undefined};

pub(super) struct Member<'a> {
    pub(super) evidence: &'a Evidence,
    all: Result<Sample, Undefined>,
    approved: Result<Sample, Undefined>,
    known: Result<Sample, Undefined>,
}

impl<'a> Member<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let sample = |population| Sample::new(&evidence.scores, population);
        let declined = evidence.tally.declined();
        // Over the outcomes of the approved alone a metric of all known outcomes would repeat that of
        // the approved under a wrong name.
        let selective = declined.known() == 0 && declined.total() > 0;
        Self {
            evidence,
            all: sample(Population::AllDecisions),
            approved: sample(Population::ApprovedWithKnownOutcome),
            known: if selective {
                Err(Undefined::SelectiveLabels)
            } else {
                sample(Population::KnownOutcome)
            },
        }
    }

    /// The scores of a population, or why there are none.
    pub(super) fn sample(&self, population: Population) -> Result<&Sample, Undefined> {
        let sample = match population {
            Population::AllDecisions => &self.all,
            Population::ApprovedWithKnownOutcome => &self.approved,
            Population::KnownOutcome => &self.known,
        };
        sample.as_ref().map_err(|reason| *reason)
    }

    /// The people whose score is known.
    pub(super) fn scored(&self, population: Population) -> i64 {
        self.sample(population).map_or(0, Sample::count)
    }
}
