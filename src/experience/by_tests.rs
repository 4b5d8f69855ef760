use super::*;
use crate::experience::{Purpose, Step};

fn trajectory(actor: &str, sources: &[&str]) -> Trajectory {
    let step = |source: &&str| Step {
        action: "look".into(),
        source: (*source).to_string(),
        observation: String::new(),
        admissible: None,
        free: Vec::new(),
        reward: 0.0,
        done: false,
        success: false,
        truncated: false,
    };
    Trajectory {
        id: 0,
        suite: String::new(),
        split: String::new(),
        task_id: String::new(),
        kind: String::new(),
        task: String::new(),
        purpose: Purpose::Exploration,
        actor: actor.into(),
        seed: 0,
        observation: String::new(),
        admissible: None,
        free: Vec::new(),
        steps: sources.iter().map(step).collect(),
        created_ms: 0,
        world: None,
    }
}

#[test]
fn everyone_who_acted_is_named_with_a_share() {
    for (actor, sources, said) in [
        (HUMAN, &["fair", "fair", "human", "fair"][..], "fair 3 of 4 steps, you 1"),
        (HUMAN, &["human", "human"], "you"),
        (HUMAN, &["fair", "fair"], "fair"),
        (HUMAN, &[], "you"),
        ("run 1 step 10", &["policy", "policy"], "run 1 step 10"),
        ("fair", &["planner", "fair", "human"], "planner 1 of 3 steps, fair 1, you 1"),
    ] {
        assert_eq!(trajectory(actor, sources).by(), said);
    }
}
