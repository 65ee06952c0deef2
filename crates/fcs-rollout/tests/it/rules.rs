//! One test for each rule.

use fcs_core::{ApiError, Digest, ErrorCode, UnixMicros};
use fcs_rollout::{
    Change, Command, DeploymentState, Environment, Event, MAX_GENERATION, Rejection, TrafficTable,
    WHOLE_BASIS_POINTS,
};

use crate::support::{
    History, activating, active, approve, approved, change, empty_table, person, register,
    roll_back, rolled_back, split_table,
};

#[test]
fn nothing_but_registration_works_on_nothing() {
    let mut history = History::default();
    let commands = [
        Command::Approve {
            plan_digest: Digest::from_bytes([0; 32]),
            comment: "".parse().unwrap(),
        },
        Command::Activate {
            observed: empty_table(),
        },
        Command::ConfirmActivated {
            observed: empty_table(),
        },
        roll_back(empty_table()),
        Command::ConfirmRolledBack {
            observed: empty_table(),
        },
    ];
    for command in commands {
        assert_eq!(history.run("rita", command), Err(Rejection::NotRegistered));
    }
}

#[test]
fn registering_again_is_the_same_only_for_the_same_change_and_person() {
    let mut history = History::default();
    assert_eq!(history.run("rita", register(Environment::Staging)), Ok(1));
    assert_eq!(history.run("RITA", register(Environment::Staging)), Ok(0));
    let another = Err(Rejection::AlreadyRegistered);
    assert_eq!(history.run("otto", register(Environment::Staging)), another);
    assert_eq!(
        history.run("rita", register(Environment::Production)),
        another
    );
    let other = Change {
        description: "something else".parse().unwrap(),
        ..change()
    };
    let command = Command::Register {
        change: other,
        environment: Environment::Staging,
    };
    assert_eq!(history.run("rita", command), another);
}

#[test]
fn four_eyes_in_every_environment_and_in_any_letter_case() {
    for environment in Environment::ALL {
        let mut history = History::default();
        history.run("rita", register(environment)).unwrap();
        let command = approve(&history);
        for (name, role) in [
            ("ada", "author"),
            ("ADA", "author"),
            ("rita", "requester"),
            ("Rita", "requester"),
        ] {
            assert_eq!(
                history.run(name, command.clone()),
                Err(Rejection::FourEyes { role })
            );
        }
        assert_eq!(history.run("bea", command), Ok(1));
        assert_eq!(history.deployment().state(), DeploymentState::Approved);
    }
}

#[test]
fn an_approval_is_for_one_plan() {
    let mut history = History::default();
    history
        .run("rita", register(Environment::Production))
        .unwrap();
    let expected = history.deployment().plan_digest();
    let command = Command::Approve {
        plan_digest: Digest::from_bytes([9; 32]),
        comment: "".parse().unwrap(),
    };
    assert_eq!(
        history.run("bea", command),
        Err(Rejection::PlanMismatch { expected })
    );
}

#[test]
fn approving_twice_changes_nothing() {
    let mut history = approved();
    let command = approve(&history);
    assert_eq!(history.run("BEA", command.clone()), Ok(0));
    let refused = history.run("otto", command).unwrap_err();
    assert!(matches!(
        refused,
        Rejection::WrongState {
            state: DeploymentState::Approved,
            ..
        }
    ));
    assert_eq!(history.deployment().approvals().len(), 1);
    assert_eq!(history.deployment().approvals()[0].approver, person("bea"));
}

#[test]
fn activation_needs_approval_outside_development() {
    for environment in Environment::ALL {
        let mut history = History::default();
        history.run("rita", register(environment)).unwrap();
        let result = history.run(
            "rita",
            Command::Activate {
                observed: empty_table(),
            },
        );
        match environment {
            Environment::Development => assert_eq!(result, Ok(1)),
            _ => assert_eq!(
                result,
                Err(Rejection::ApprovalsMissing {
                    required: 1,
                    given: 0
                })
            ),
        }
    }
}

#[test]
fn activation_gives_the_model_all_traffic_and_records_what_was() {
    let history = activating(split_table(7));
    let deployment = history.deployment();
    assert_eq!(deployment.state(), DeploymentState::Activating);
    assert_eq!(deployment.previous_traffic(), Some(&split_table(7)));
    let desired = deployment.desired_traffic().unwrap();
    assert_eq!((desired.generation(), desired.salt()), (8, "old-salt"));
    let [arm] = desired.arms() else {
        panic!("one arm: {desired:?}")
    };
    assert_eq!(
        (arm.name.as_str(), arm.weight_basis_points),
        ("stable", WHOLE_BASIS_POINTS)
    );
    assert_eq!(arm.model, change().model);
    assert_eq!(arm.manifest_digest, change().manifest_digest);
}

#[test]
fn the_first_traffic_gets_a_salt_from_the_plan() {
    let history = activating(empty_table());
    let salt = history.deployment().plan_digest().to_string();
    assert_eq!(history.desired().salt(), salt);
    assert_eq!(history.desired().generation(), 1);
}

#[test]
fn confirmation_needs_exactly_the_desired_table() {
    let mut history = activating(split_table(7));
    let desired = history.desired();
    let not_yet = Command::ConfirmActivated {
        observed: split_table(7),
    };
    assert_eq!(
        history.run("reconciler", not_yet),
        Err(Rejection::NotInForce {
            observed: 7,
            desired: 8
        })
    );
    for observed in [split_table(8), split_table(9)] {
        let refused = history.run("reconciler", Command::ConfirmActivated { observed });
        assert!(
            matches!(refused, Err(Rejection::TrafficMoved { .. })),
            "{refused:?}"
        );
    }
    let other_salt = TrafficTable::new(8, "another".to_owned(), desired.arms().to_vec()).unwrap();
    let command = Command::ConfirmActivated {
        observed: other_salt,
    };
    assert!(history.run("reconciler", command).is_err());

    let command = Command::ConfirmActivated { observed: desired };
    assert_eq!(history.run("reconciler", command.clone()), Ok(1));
    assert_eq!(history.deployment().state(), DeploymentState::Active);
    assert_eq!(history.deployment().desired_traffic(), None);
    assert_eq!(
        history.run("reconciler", command),
        Ok(0),
        "confirming again changes nothing"
    );
}

#[test]
fn activating_again_changes_nothing_unless_traffic_moved() {
    let mut history = activating(split_table(7));
    assert_eq!(
        history.run(
            "rita",
            Command::Activate {
                observed: split_table(7)
            }
        ),
        Ok(0)
    );
    let desired = history.desired();
    assert_eq!(
        history.run(
            "rita",
            Command::Activate {
                observed: desired.clone()
            }
        ),
        Ok(0)
    );
    let moved = Command::Activate {
        observed: split_table(8),
    };
    let refusal = Err(Rejection::TrafficMoved {
        observed: 8,
        desired: 8,
    });
    assert_eq!(history.run("rita", moved.clone()), refusal);

    history
        .run(
            "reconciler",
            Command::ConfirmActivated {
                observed: desired.clone(),
            },
        )
        .unwrap();
    assert_eq!(
        history.run("rita", Command::Activate { observed: desired }),
        Ok(0)
    );
    assert_eq!(history.run("rita", moved), refusal);
    let lost = Command::Activate {
        observed: split_table(7),
    };
    let refusal = Err(Rejection::NotInForce {
        observed: 7,
        desired: 8,
    });
    assert_eq!(history.run("rita", lost), refusal);
}

#[test]
fn a_rollback_restores_the_recorded_arms_under_a_new_generation() {
    let mut history = active(split_table(7));
    let in_force = history.desired();
    assert_eq!(history.run("otto", roll_back(in_force)), Ok(1));
    let desired = history.deployment().desired_traffic().unwrap().clone();
    assert_eq!(desired.generation(), 9);
    assert_eq!(
        (desired.arms(), desired.salt()),
        (split_table(7).arms(), "old-salt")
    );
    assert_eq!(history.deployment().state(), DeploymentState::RollingBack);
    let early = Command::ConfirmRolledBack {
        observed: split_table(7),
    };
    assert_eq!(
        history.run("reconciler", early),
        Err(Rejection::NotInForce {
            observed: 7,
            desired: 9
        })
    );
    let command = Command::ConfirmRolledBack { observed: desired };
    assert_eq!(history.run("reconciler", command.clone()), Ok(1));
    assert_eq!(history.deployment().state(), DeploymentState::RolledBack);
    assert_eq!(history.run("reconciler", command), Ok(0));
    assert_eq!(
        history.run("otto", roll_back(split_table(9))),
        Ok(0),
        "it is rolled back"
    );
}

#[test]
fn a_rollback_outruns_an_activation_under_way() {
    let mut history = activating(split_table(7));
    history.run("otto", roll_back(split_table(7))).unwrap();
    assert_eq!(
        history.desired().generation(),
        9,
        "above 8, which may still arrive"
    );
}

#[test]
fn a_rollback_to_nothing_says_so() {
    for (before, expected) in [(empty_table(), true), (split_table(7), false)] {
        let mut history = active(before);
        let in_force = history.desired();
        history.run("otto", roll_back(in_force)).unwrap();
        let Some(Event::RollbackRequested {
            leaves_no_traffic,
            desired,
            ..
        }) = history.events.last().map(|recorded| &recorded.event)
        else {
            panic!("a rollback was requested");
        };
        assert_eq!(
            (*leaves_no_traffic, desired.is_empty()),
            (expected, expected)
        );
    }
}

#[test]
fn a_rollback_that_was_overtaken_is_asked_for_again() {
    let mut history = active(split_table(7));
    let in_force = history.desired();
    history.run("otto", roll_back(in_force.clone())).unwrap();
    assert_eq!(
        history.run("otto", roll_back(in_force)),
        Ok(0),
        "still under way"
    );
    assert_eq!(
        history.run("otto", roll_back(history.desired())),
        Ok(0),
        "arrived"
    );
    let foreign = TrafficTable::new(12, "x".to_owned(), split_table(7).arms().to_vec()).unwrap();
    assert_eq!(history.run("otto", roll_back(foreign)), Ok(1));
    assert_eq!(history.desired().generation(), 13);
    assert_eq!(history.desired().arms(), split_table(7).arms());
}

#[test]
fn there_is_nothing_to_roll_back_before_activation() {
    let mut history = approved();
    let refused = history.run("otto", roll_back(empty_table())).unwrap_err();
    assert!(matches!(
        refused,
        Rejection::WrongState {
            state: DeploymentState::Approved,
            ..
        }
    ));
    assert_eq!(
        refused.to_string(),
        "cannot roll back while the deployment is approved; it has taken no traffic, so there is \
         nothing to undo"
    );
}

#[test]
fn what_is_over_is_over() {
    let mut history = rolled_back(split_table(7));
    let observed = history.desired();
    let commands = [
        Command::Activate {
            observed: observed.clone(),
        },
        Command::ConfirmActivated { observed },
    ];
    for command in commands {
        let refused = history.run("rita", command).unwrap_err();
        assert!(matches!(
            refused,
            Rejection::WrongState {
                state: DeploymentState::RolledBack,
                ..
            }
        ));
    }
}

#[test]
fn generations_end_with_an_error() {
    let last = TrafficTable::new(MAX_GENERATION, String::new(), vec![]).unwrap();
    let mut history = approved();
    let result = history.run("rita", Command::Activate { observed: last });
    assert_eq!(result, Err(Rejection::GenerationsExhausted));
}

#[test]
fn a_clock_that_goes_back_is_held() {
    let mut history = History::default();
    history
        .run_at("rita", register(Environment::Production), UnixMicros(500))
        .unwrap();
    let command = approve(&history);
    history.run_at("bea", command, UnixMicros(400)).unwrap();
    assert_eq!(history.events[1].at, UnixMicros(500));
    assert_eq!(history.deployment().updated_at(), UnixMicros(500));
}

#[test]
fn rejections_map_to_stable_codes() {
    let error = ApiError::from(Rejection::FourEyes { role: "author" });
    assert_eq!(
        (error.code, error.reason),
        (ErrorCode::PermissionDenied, "FOUR_EYES_REQUIRED")
    );
    assert_eq!(
        error.message,
        "the author of a change cannot approve it; ask another person"
    );
    assert_eq!(Rejection::NotRegistered.code(), ErrorCode::NotFound);
    let missing = Rejection::ApprovalsMissing {
        required: 1,
        given: 0,
    };
    assert_eq!(
        (missing.code(), missing.reason()),
        (ErrorCode::FailedPrecondition, "APPROVALS_MISSING")
    );
}
