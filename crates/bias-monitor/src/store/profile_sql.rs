//! The statements of profiles and of their counts.

pub(super) const MODELS: &str = "SELECT counted.model, described.model IS NOT NULL AS is_described \
     FROM (SELECT DISTINCT model FROM profiles WHERE hour >= $1) counted \
     LEFT JOIN model_profiles described ON described.model = counted.model ORDER BY counted.model";
pub(super) const PUT_PROFILE: &str = "INSERT INTO model_profiles (model, variables) VALUES ($1, $2) \
     ON CONFLICT (model) DO UPDATE SET variables = excluded.variables";
pub(super) const PROFILE: &str = "SELECT variables FROM model_profiles WHERE model = $1";
pub(super) const COUNTS: &str = "SELECT arm, attribute, group_name, hour, counts FROM profiles \
     WHERE model = $1 AND hour >= $2";
