//! One module per noun.

pub(crate) mod audit;
pub(crate) mod bias;
pub(crate) mod config;
pub(crate) mod decision;
pub(crate) mod deployment;
pub(crate) mod doctor;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod key;
pub(crate) mod load;
pub(crate) mod model;
pub(crate) mod policy;
pub(crate) mod rollout;
pub(crate) mod shadow;
pub(crate) mod traffic;
pub(crate) mod up;
