use super::*;

fn found(mixture: &Mixture) -> Found {
    if mixture.observation > 0.0 {
        Found { trees: 80, tokens: 300.0 }
    } else {
        Found { trees: 80, tokens: 100.0 }
    }
}

fn updates(plan: &Plan) -> Vec<u64> {
    plan.stages(found).iter().map(|stage| stage.updates).collect()
}

#[test]
fn the_stages_of_world_modelling_have_the_updates_that_the_budget_says() {
    let mut plan = Plan::new(Objective::WorldModel, 100, 1);
    assert_eq!(
        updates(&plan),
        [10, 100],
        "one epoch of 80 trees by eights, then as much imitation as imitation has"
    );
    plan.world_epochs = 7.5;
    assert_eq!(updates(&plan), [75, 100]);
    plan.matched = Budget::Total;
    assert_eq!(updates(&plan), [50, 50], "at most half");
    plan.world_epochs = 1.0;
    assert_eq!(updates(&plan), [10, 90]);
    plan.matched = Budget::Tokens;
    assert_eq!(updates(&plan), [10, 70], "10 updates of 300 tokens a tree are 30 of 100");
    let stages = plan.stages(found);
    assert!((stages[0].epochs(8) - 1.0).abs() < 1e-12 && (stages[1].epochs(8) - 7.0).abs() < 1e-12);
    assert_eq!(updates(&Plan::new(Objective::Imitation, 100, 1)), [100]);
}

#[test]
fn imitation_after_world_modelling_learns_at_the_rates_of_imitation_alone() {
    let world = Plan::new(Objective::WorldModel, 120, 1);
    let alone = Plan::new(Objective::Imitation, 120, 1);
    let sum = |plan: &Plan, stage: &Stage| {
        (0..stage.updates).map(|s| plan.rate_at(s, stage.updates)).sum::<f64>()
    };
    let two = world.stages(found);
    let one = alone.stages(found);
    assert!((sum(&world, &two[1]) - sum(&alone, &one[0])).abs() < 1e-15);
}

#[test]
fn the_rate_rises_then_falls_and_never_leaves_its_bounds() {
    let plan = Plan::new(Objective::Imitation, 200, 1);
    let rates: Vec<f64> = (0..200).map(|step| plan.rate_at(step, 200)).collect();
    assert!(rates.iter().all(|r| (0.0..=plan.rate * 1.000_001).contains(r)));
    let peak = rates.iter().position(|rate| (rate - plan.rate).abs() < 1e-12);
    assert_eq!(peak, Some(9), "a twentieth of 200 updates later");
    assert!(rates[0] < rates[9] && rates[199] < 0.11 * plan.rate);
}

#[test]
fn numbers_that_mean_nothing_are_refused_by_name() {
    let plan = Plan::new(Objective::Imitation, 10, 1);
    plan.check().unwrap();
    for (bad, word) in [
        (Plan { rate: f64::NAN, ..plan.clone() }, "rate"),
        (Plan { rate: 100.0, ..plan.clone() }, "rate"),
        (Plan { batch: 1_000_000_000, ..plan.clone() }, "trajectories"),
        (Plan { steps: 0, ..plan.clone() }, "updates"),
        (Plan { workers: 1 << 40, ..plan.clone() }, "threads"),
        (Plan { lora: Some(1 << 40), ..plan.clone() }, "rank"),
        (Plan { world_epochs: 0.0, ..plan.clone() }, "epochs"),
    ] {
        assert!(bad.check().unwrap_err().message().contains(word));
    }
}
