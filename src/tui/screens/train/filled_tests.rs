use super::*;
use crate::train::command;
use crate::tui::screens::train::fields;

/// Plans of every objective with everything set that it takes.
fn plans() -> Vec<Plan> {
    let mut all = Vec::new();
    for (objective, _) in fields::OBJECTIVES {
        let mut plan = Plan {
            epochs: Some(2.5),
            batch: 3,
            rate: 2e-4,
            tuning: Tuning {
                schedule: Schedule::Linear,
                warmup: 0.25,
                floor: 0.0,
                decay: 0.1,
                clip: 0.5,
            },
            lora: Some(8),
            alpha: Some(4.0),
            modules: vec!["q_proj".into(), "v_proj".into()],
            budget: Some(777),
            memory_limit: Some(3_000_000_000),
            save_every: Some(7),
            validate_every: Some(3),
            recompute: true,
            keep_all: true,
            products: Products::Bf16,
            workers: 1,
            ..Plan::new(objective, 200, 9)
        };
        plan.data.suite = Some("household".into());
        plan.data.split = Some("train".into());
        plan.data.expert = Some("fair".into());
        plan.data.held_out = 0.1;
        if objective.carry().branches {
            plan.data.pool = "policy".into();
            plan.data.k = Some(2);
            plan.data.without = vec![ActionEffect::NoOp, ActionEffect::EquallyGood];
            plan.data.errors = Some(0.25);
        }
        if let Some(beta) = &mut plan.beta {
            *beta = 0.3;
        }
        if !objective.compares() {
            plan.data.visits = Some("answers: second round".into());
        }
        plan.data.share = Some(crate::selection::Share { of: 0.125, seed: 3 });
        if objective.carry().reflections {
            plan.data.writer = Some("template".into());
        }
        plan.data.rationales = objective.carry().reflections;
        if let Some(rl) = &mut plan.rl {
            (rl.group, rl.limit, rl.temperature) = (5, 12, 0.5);
            (rl.gamma, rl.kl, rl.passes) = (0.9, 0.1, 2);
            (rl.forks, rl.width, rl.tokens) = (1, 5, Some(70_000));
            plan.epochs = None;
            let Criteria { suite, split, share, .. } = plan.data;
            plan.data = Criteria { suite, split, share, ..Criteria::default() };
        }
        if objective.foresees_first() {
            plan.shuffled = true;
            plan.alternatives_only = true;
            plan.world_epochs = 3.0;
            plan.moments = Moments::Keep;
            let steps = Plan { matched: Budget::Total, epochs: None, steps: 70, ..plan.clone() };
            all.push(steps);
        }
        all.push(plan);
        all.push(Plan { data: all[0].data.clone(), ..Plan::new(Objective::Imitation, 30, 1) });
    }
    all
}

#[test]
fn what_is_filled_in_from_a_run_is_its_plan_again() {
    for wanted in plans() {
        wanted.check().unwrap();
        let mut sheet = fields::sheet();
        fill(&mut sheet, &wanted, "run 3 step 40");
        assert_eq!(plan(&sheet).unwrap(), wanted);
        assert_eq!(sheet.value("start"), "run 3 step 40");
    }
}

#[test]
fn a_field_that_means_nothing_is_named() {
    for (name, value, word) in [
        ("rate", "fast", "rate: `fast`"),
        ("rate", "0.5", "would ruin"),
        ("updates", "-3", "updates: `-3`"),
        ("modules", "q_proj,nose", "`nose`"),
        ("warmup", "7", "warm-up"),
        ("epochs", "0", "0 epochs"),
    ] {
        let mut sheet = fields::sheet();
        sheet.set("lora", "8");
        sheet.set(name, value);
        let said = plan(&sheet).unwrap_err();
        assert!(said.message().contains(word), "{name} {value}: {}", said.message());
    }
}

#[test]
fn every_preset_makes_a_plan_that_can_be_meant() {
    for (name, _) in fields::PRESETS {
        for (objective, _) in fields::OBJECTIVES {
            let mut sheet = fields::sheet();
            sheet.set("objective", objective.as_str());
            sheet.set("suite", "household");
            sheet.set("preset", name);
            fields::preset(&mut sheet);
            let plan = plan(&sheet).unwrap();
            assert!(command(&plan, "embedded").contains(objective.as_str()));
        }
    }
}
