//! Roles and what each may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text names nothing of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}; there are {known}")]
pub struct UnknownName {
    what: &'static str,
    text: String,
    known: String,
}

/// Defines an enum whose values have names in text.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The text form.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                let found = Self::ALL.iter().find(|value| value.as_str() == text);
                found.copied().ok_or_else(|| UnknownName {
                    what: $what,
                    text: text.to_owned(),
                    known: Self::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownName;

            fn try_from(text: String) -> Result<Self, UnknownName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}

named!(
    /// One thing that a principal may do.
    Scope, "scope", {
        /// Have an application decided.
        DecisionsScore = "decisions:score",
        /// Read, list, explain and replay decisions of the own tenant.
        DecisionsRead = "decisions:read",
        /// Record a human review.
        DecisionsReview = "decisions:review",
        /// Have an application of the own tenant erased.
        DecisionsErase = "decisions:erase",
        /// Send demographics and loan outcomes.
        OutcomesWrite = "outcomes:write",
        /// Read group reports.
        ReportsRead = "reports:read",
        /// Acknowledge and mute alerts on groups.
        AlertsWrite = "alerts:write",
        /// Make, rotate and revoke API keys of the own tenant.
        KeysAdmin = "keys:admin",
        /// Act on any tenant where a request names one.
        TenantsAdmin = "tenants:admin",
        /// Follow the decision log of all tenants.
        FeedRead = "feed:read",
        /// Read the traffic table.
        TrafficRead = "traffic:read",
        /// Replace the traffic table.
        TrafficWrite = "traffic:write",
        /// Look at models and their statistics.
        ModelsRead = "models:read",
        /// Have a model compute.
        ModelsScore = "models:score",
        /// Load and unload models, change the model server's settings.
        ModelsAdmin = "models:admin",
        /// Read deployments.
        DeploymentsRead = "deployments:read",
        /// Register, activate and roll back deployments.
        DeploymentsWrite = "deployments:write",
        /// Approve deployments.
        DeploymentsApprove = "deployments:approve",
        /// Read the transparency log and its proofs.
        LogRead = "log:read",
    }
);

named!(
    /// A named set of scopes. The first ones belong to a tenant, the others to whoever runs the system.
    Role, "role", {
        /// A lender's system that sends applications.
        Originator = "originator",
        /// A person who reviews decisions.
        Reviewer = "reviewer",
        /// A person who checks decisions and the log.
        Auditor = "auditor",
        /// A person who has applications erased.
        PrivacyOfficer = "privacy-officer",
        /// Everything within a tenant.
        TenantAdmin = "tenant-admin",
        /// A system that sends demographics and outcomes. The bias monitor does not tell tenants apart, so neither this
        /// role nor any that reads its reports belongs to one.
        Servicer = "servicer",
        /// The bias monitor: follows the log.
        Monitor = "monitor",
        /// deployment-audit: follows the log, replaces the traffic table and reads verdicts on candidates.
        Deployer = "deployer",
        /// The scoring gateway, as the model server sees it.
        Gateway = "gateway",
        /// A person who registers and activates deployments.
        Operator = "operator",
        /// A person who approves deployments.
        Approver = "approver",
        /// A person who answers for fairness: reads reports, and acts on alerts.
        FairnessOfficer = "fairness-officer",
        /// Everything.
        PlatformAdmin = "platform-admin",
    }
);

impl Role {
    /// What the role may do.
    pub fn scopes(self) -> Scopes {
        use Scope as S;
        match self {
            Self::Originator => Scopes::of(&[S::DecisionsScore, S::DecisionsRead]),
            Self::Reviewer => Scopes::of(&[S::DecisionsRead, S::DecisionsReview]),
            Self::Auditor => Scopes::of(&[S::DecisionsRead, S::LogRead]),
            Self::PrivacyOfficer => Scopes::of(&[S::DecisionsErase]),
            Self::TenantAdmin => Scopes::of(&[
                S::DecisionsScore,
                S::DecisionsRead,
                S::DecisionsReview,
                S::DecisionsErase,
                S::KeysAdmin,
                S::LogRead,
            ]),
            Self::Servicer => Scopes::of(&[S::OutcomesWrite]),
            Self::Monitor => Scopes::of(&[S::FeedRead]),
            Self::Deployer => {
                Scopes::of(&[S::FeedRead, S::TrafficRead, S::TrafficWrite, S::ReportsRead])
            }
            Self::Gateway => Scopes::of(&[S::ModelsRead, S::ModelsScore, S::ModelsAdmin]),
            Self::Operator => Scopes::of(&[
                S::TrafficRead,
                S::ModelsRead,
                S::ModelsAdmin,
                S::DeploymentsRead,
                S::DeploymentsWrite,
                S::ReportsRead,
                S::LogRead,
            ]),
            Self::Approver => Scopes::of(&[
                S::DeploymentsRead,
                S::DeploymentsApprove,
                S::ReportsRead,
                S::LogRead,
            ]),
            Self::FairnessOfficer => Scopes::of(&[S::ReportsRead, S::AlertsWrite]),
            Self::PlatformAdmin => Scopes::of(Scope::ALL),
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u32);

impl Scopes {
    /// The set of these.
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | bit(*scope)))
    }

    /// What these roles may do together.
    pub fn of_roles(roles: &[Role]) -> Self {
        Self(roles.iter().fold(0, |bits, role| bits | role.scopes().0))
    }

    /// Whether the set has this scope.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// Whether the other set has every scope of this one.
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

const fn bit(scope: Scope) -> u32 {
    1 << scope as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_round_trip() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(*scope));
        }
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
        }
        let error = "root".parse::<Role>().unwrap_err().to_string();
        assert!(error.contains("tenant-admin"), "{error}");
    }

    #[test]
    fn a_tenants_roles_reach_no_other_tenant_and_no_platform() {
        let platform = [
            Scope::TenantsAdmin,
            Scope::FeedRead,
            Scope::OutcomesWrite,
            Scope::ReportsRead,
            Scope::TrafficRead,
            Scope::TrafficWrite,
            Scope::ModelsAdmin,
            Scope::DeploymentsWrite,
            Scope::DeploymentsApprove,
        ];
        let tenant = [
            Role::Originator,
            Role::Reviewer,
            Role::Auditor,
            Role::PrivacyOfficer,
            Role::TenantAdmin,
        ];
        for role in tenant {
            for scope in platform {
                assert!(!role.scopes().contains(scope), "{role} has {scope}");
            }
        }
        assert!(Scopes::of_roles(&tenant).is_within(Role::TenantAdmin.scopes()));
    }

    #[test]
    fn whoever_asks_for_a_deployment_does_not_approve_it() {
        for role in Role::ALL
            .iter()
            .filter(|role| **role != Role::PlatformAdmin)
        {
            let scopes = role.scopes();
            let both = scopes.contains(Scope::DeploymentsWrite)
                && scopes.contains(Scope::DeploymentsApprove);
            assert!(!both, "{role}");
        }
    }
}
