//! What a decision is and how it is reached: the manifest of a model package and the trust in it, the feature
//! schema, its rows, score scaling, policy, principal reasons, cohorts, and the canonical decision record.
//!
//! For: deciding, the same way each time, from a verified manifest, validated features and a model's output.
//! Not for: evaluating trees (`fcs-forest`), storing or sending decisions (the services).
//!
//! Invariants:
//! - a [`manifest::Manifest`] that exists is complete: every feature and every knock-out rule has a reason with text,
//!   no feature is a protected attribute, and every rule of its policy can decide something;
//! - a [`features::FeatureRow`] that exists fits its manifest;
//! - a [`record::DecisionRecord`] that exists has one byte form (RFC 8785), and a denial in it has one to four
//!   reasons, all adverse.

pub mod application;
pub mod calendar;
pub mod catalogue;
pub mod cohort;
pub mod decision;
pub mod features;
pub mod manifest;
pub mod policy;
pub mod profile;
pub mod protected;
mod reasons;
pub mod record;
pub mod regulation_b;
pub mod rows;
pub mod score;
pub mod shadow;
pub mod trust;
