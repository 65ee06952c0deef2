//! Applicants with their groups, scores, decisions and outcomes.

use fcs_fairness::scores::Score;
use fcs_fairness::tally::{Decision, Outcome};

use crate::random::Random;

/// Each attribute with the shares of its groups.
pub(crate) const ATTRIBUTES: [(&str, &[f64]); 3] = [
    ("sex", &[0.52, 0.45, 0.03]),
    ("race", &[0.62, 0.16, 0.13, 0.06, 0.03]),
    ("age_band", &[0.08, 0.24, 0.31, 0.22, 0.15]),
];

/// Groups of race, for the intersection of sex and race.
const RACES: usize = ATTRIBUTES[1].1.len();

/// One decided application.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applicant {
    /// The place of the group of each attribute.
    pub(crate) groups: [u8; ATTRIBUTES.len()],
    pub(crate) score: Score,
    pub(crate) decision: Decision,
    /// How it goes or would go.
    pub(crate) outcome: Outcome,
}

impl Applicant {
    /// An applicant whose group has something to do with the score, as in life.
    pub(crate) fn random(random: &mut Random) -> Self {
        let groups = ATTRIBUTES.map(|(_, shares)| random.pick(shares) as u8);
        let centre = 0.80 - 0.02 * f64::from(groups[0]) - 0.03 * f64::from(groups[1]);
        let spread = random.share() + random.share() + random.share() - 1.5;
        let probability = (centre + 0.25 * spread).clamp(0.0, 1.0);
        let millionths = (probability * 1e6).round() as i64;
        let decision = match millionths {
            720_000.. => Decision::Approve,
            680_000.. => Decision::Refer,
            _ => Decision::Deny,
        };
        Self {
            groups,
            score: Score::from_millionths(millionths).expect("a millionth is within range"),
            decision,
            outcome: if random.share() < probability {
                Outcome::Repaid
            } else {
                Outcome::Defaulted
            },
        }
    }

    /// The combination of all groups, counted once; groups of single attributes are joined from these.
    pub(crate) fn combination(&self) -> [(u8, u8); 1] {
        let join = |joined: u8, (group, (_, shares)): (&u8, (&str, &[f64]))| {
            joined * shares.len() as u8 + group
        };
        [(0, self.groups.iter().zip(ATTRIBUTES).fold(0, join))]
    }

    /// Every (attribute, group) that the applicant is counted in: each attribute, and sex and race together.
    pub(crate) fn cells(&self) -> [(u8, u8); ATTRIBUTES.len() + 1] {
        let [sex, race, age] = self.groups;
        [(0, sex), (1, race), (2, age), (3, sex * RACES as u8 + race)]
    }
}
