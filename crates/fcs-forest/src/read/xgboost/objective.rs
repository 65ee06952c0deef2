//! What XGBoost's objectives mean for a margin.

use crate::model::Link;

/// The objectives that are read, for an error.
pub(super) const SUPPORTED: &str = "binary:logistic, binary:logitraw, count:poisson, reg:absoluteerror, reg:gamma, \
    reg:logistic, reg:pseudohubererror, reg:squarederror, reg:squaredlogerror and reg:tweedie";

/// The link of an objective; `None` when the objective is not supported.
pub(super) fn link(objective: &str) -> Option<Link> {
    match objective {
        "binary:logistic" | "reg:logistic" => Some(Link::Logistic { sigmoid: 1.0 }),
        "count:poisson" | "reg:gamma" | "reg:tweedie" => Some(Link::Exponential),
        "binary:logitraw"
        | "reg:absoluteerror"
        | "reg:pseudohubererror"
        | "reg:squarederror"
        | "reg:squaredlogerror" => Some(Link::Identity),
        _ => None,
    }
}

/// How near to 0 and 1 a base score may be from version 3.2 on.
const PROBABILITY_MARGIN: f32 = 1e-6;

/// The margin without any tree (`ObjFunction::ProbToMargin`), in single precision: the file holds it as an output.
/// Not finite when the base score is no output of the link. From version 3.2 on, XGBoost moves probabilities away
/// from 0 and 1 first (`clamps_probability`). Bit-equal to XGBoost's where both use the same `logf`, as on Linux.
pub(super) fn base_margin(link: Link, base_score: f32, clamps_probability: bool) -> f32 {
    match link {
        Link::Logistic { .. } => {
            let is_probability = (0.0..=1.0).contains(&base_score);
            let probability = if clamps_probability && is_probability {
                base_score.clamp(PROBABILITY_MARGIN, 1.0 - PROBABILITY_MARGIN)
            } else {
                base_score
            };
            -(1.0 / probability - 1.0).ln()
        }
        Link::Exponential => base_score.ln(),
        // The links of LightGBM alone do not come here.
        Link::Identity | Link::SignedSquare | Link::Softplus => base_score,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By XGBoost 3.1.1 and 3.2.0, from models whose file was given these base scores.
    #[test]
    fn probabilities_become_margins_as_in_their_version() {
        let logistic = Link::Logistic { sigmoid: 1.0 };
        for (score, margin, clamped_margin) in [
            (1e-20, -46.0517, -13.81551),
            (1e-7, -16.118_095, -13.81551),
            (9.5e-7, -13.866_803, -13.81551),
            (1e-6, -13.81551, -13.81551),
            (1.1e-6, -13.7202, -13.7202),
            (0.999_999_9, 15.942_385, 13.74516),
            (0.999_999, 13.74516, 13.74516),
        ] {
            let margins =
                [false, true].map(|clamps| base_margin(logistic, score, clamps).to_bits());
            assert_eq!(
                margins,
                [f32::to_bits(margin), f32::to_bits(clamped_margin)],
                "{score}"
            );
        }
        for (score, is_finite) in [
            (0.0, [false, true]),
            (1.0, [false, true]),
            (1e-40, [false, true]),
            (-1.0, [false, false]),
            (2.0, [false, false]),
        ] {
            let found =
                [false, true].map(|clamps| base_margin(logistic, score, clamps).is_finite());
            assert_eq!(found, is_finite, "{score}");
        }
        assert_eq!(
            base_margin(Link::Exponential, 0.2, true).to_bits(),
            (-1.609_438_f32).to_bits()
        );
        assert!(!base_margin(Link::Exponential, 0.0, true).is_finite());
        assert!(!base_margin(Link::Exponential, -1.0, true).is_finite());
    }
}
