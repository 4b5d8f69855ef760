use std::sync::Arc;

use super::*;
use crate::model::config::Config;
use crate::model::parts::Parts;
use crate::model::step::{Products, step};
use crate::model::team::Priority;
use crate::train::data::Data;
use crate::train::data::tests::{plan, store};
use crate::train::examples::TokenRole;
use crate::train::examples::tests::tokenizer;
use crate::train::{Objective, Plan};

fn model() -> Trainable {
    let tokenizer = Arc::new(tokenizer());
    let config = Config { context: 8192, ..Config::small(1, 32, tokenizer.vocab()).unwrap() };
    let mut fresh = Trainable::fresh(&config, tokenizer, 5).unwrap();
    for weight in fresh.weights.iter_mut().filter(|weights| weights.len() > 32).flatten() {
        *weight *= 4.0; // so that tokens cost different amounts
    }
    fresh
}

/// Nats and counts of each kind, tree by tree and token by token.
fn by_hand(weights: &Trainable, trees: &[Example]) -> [(f64, f64); 4] {
    let mut sums = [(0.0, 0.0); 4];
    for tree in trees {
        let parts = Parts::whole(&tree.tree);
        for (node, nats) in step(weights.net(), &parts, None, &Cancel::default()).unwrap().nll {
            if let Some(slot) = tree.kinds[parts.origin[node]].slot() {
                sums[slot] = (sums[slot].0 + f64::from(nats), sums[slot].1 + 1.0);
            }
        }
    }
    sums
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-5 * b.abs().max(1.0)
}

#[test]
fn an_update_is_the_weighted_mean_over_the_targets_of_its_trees_whatever_the_passes() {
    let (_dir, store) = store(10, 3);
    let plan = Plan { batch: 3, ..plan(Objective::Joint, 1) };
    let weights = model();
    let team = Team::new(2, Priority::Background).unwrap();
    let data = Data::choose(&store, &plan, &weights.tokenizer, weights.config.context).unwrap();
    let stage = &plan.stages(|mixture| data.found(mixture))[0];
    let batch = Batch::mean(data.epochs(1, stage).batch(0, 3));
    assert_eq!(batch.trees.len(), 3);
    let kinds = by_hand(&weights, &batch.trees);
    let mixture = Mixture::JOINT;
    let weight = [mixture.action, mixture.observation, mixture.reflection, mixture.conclusion]
        .map(f64::from);
    let whole: f64 = kinds.iter().zip(weight).map(|((_, count), weight)| count * weight).sum();
    let cost: f64 = kinds.iter().zip(weight).map(|((nats, _), weight)| nats * weight).sum();
    for budget in [100_000, 700] {
        let mut trained = model();
        let mut optimiser = AdamW::new(&trained.net().shapes());
        let update = Update {
            number: 1,
            batch: &batch,
            rate: 0.0,
            tuning: Tuning::default(),
            budget,
            recompute: false,
            products: Products::F32,
        };
        let (metrics, sums) =
            update.run(&mut trained, &mut optimiser, &team, &Cancel::default()).unwrap();
        let metric =
            |name: &str| metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        assert!(
            close(metric("loss").unwrap(), cost / whole),
            "budget {budget}: {} {}",
            cost / whole,
            metrics[0].1
        );
        for (slot, (kind, name)) in TARGETS.into_iter().enumerate() {
            let (nats, count) = kinds[slot];
            assert!(count > 0.0 && close(sums.counts[slot], count), "{name}");
            assert!(close(metric(&format!("loss_{name}")).unwrap(), nats / count), "{name}");
            let share = f64::from(mixture.of(kind)) * count / whole;
            assert!(close(metric(&format!("share_{name}")).unwrap(), share), "{name}");
        }
        let tokens: usize = batch.trees.iter().map(|tree| tree.tree.len()).sum();
        assert_eq!(sums.unique, tokens);
        assert!(sums.computed < tokens, "nothing twice, and the ends of branches not at all");
        let trees: Vec<_> = batch.trees.iter().map(|example| &example.tree).collect();
        assert_eq!(Packing::new(&trees, budget).shared > 0, budget < 1000, "one is cut");
    }
    // The mean is by weight: twice the weight everywhere is the same update.
    let norm = |trees: &[Example]| {
        let batch = &Batch::mean(trees.to_vec());
        let mut trained = model();
        let mut optimiser = AdamW::new(&trained.net().shapes());
        let update = Update {
            number: 1,
            batch,
            rate: 0.0,
            tuning: Tuning::default(),
            budget: 100_000,
            recompute: false,
            products: Products::F32,
        };
        let (metrics, _) =
            update.run(&mut trained, &mut optimiser, &team, &Cancel::default()).unwrap();
        metrics.iter().find(|(name, _)| name == "norm").unwrap().1
    };
    let mut twice = batch.trees.clone();
    twice.iter_mut().flat_map(|tree| &mut tree.tree.weights).for_each(|weight| *weight *= 2.0);
    assert!(close(norm(&twice), norm(&batch.trees)));
    let alone = data.epochs(1, stage).batch(0, 1);
    assert!(alone[0].kinds.contains(&TokenRole::Conclusion));
}

#[test]
fn validation_is_the_mean_over_all_held_out_tokens_of_a_kind() {
    let (_dir, store) = store(40, 2);
    let mut plan = plan(Objective::WorldModel, 1);
    plan.data.held_out = 0.3;
    let weights = model();
    let team = Team::new(1, Priority::Background).unwrap();
    let data = Data::choose(&store, &plan, &weights.tokenizer, weights.config.context).unwrap();
    assert!(data.held_out.len() > 3);
    let held: Vec<Example> =
        data.held_out.iter().filter_map(|tree| tree.weighed(&Mixture::ALL)).collect();
    let kinds = by_hand(&weights, &held);
    let found = validate(&data.held_out, 2048, &weights, &team).unwrap();
    let names: Vec<String> = TARGETS.iter().map(|(_, name)| format!("valid_{name}")).collect();
    assert_eq!(
        found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(),
        names,
        "whatever is trained"
    );
    for ((_, value), (nats, count)) in found.iter().zip(kinds) {
        assert!(close(*value, nats / count), "{found:?}");
    }
}

#[test]
fn a_negative_weight_turns_the_gradient_round_and_the_normaliser_is_the_stated_one() {
    let (_dir, store) = store(3, 1);
    let plan = plan(Objective::Imitation, 1);
    let weights = model();
    let team = Team::new(2, Priority::Background).unwrap();
    let data = Data::choose(&store, &plan, &weights.tokenizer, weights.config.context).unwrap();
    let stage = &plan.stages(|mixture| data.found(mixture))[0];
    let trees = data.epochs(1, stage).batch(0, 2);
    let grads = |trees: &[Example]| {
        sums(&team, weights.net(), 4096, trees, true, &Cancel::default()).unwrap()
    };
    let plain = grads(&trees);
    let mut turned = trees.clone();
    for tree in &mut turned {
        tree.tree.weights.iter_mut().for_each(|weight| *weight = -*weight);
    }
    let negative = grads(&turned);
    assert!(plain.loss > 0.0 && close(negative.loss, -plain.loss));
    let opposite = |(a, b): (&f32, &f32)| (a + b).abs() <= 1e-6 * a.abs().max(1e-3);
    let pairs = plain.grads.iter().flatten().zip(negative.grads.iter().flatten());
    assert!(pairs.clone().all(opposite) && pairs.clone().any(|(a, _)| *a != 0.0));
    // An advantage of mixed signs sums to anything: what is divided by is said, not guessed.
    let update = |normaliser: f64, trees: &[Example]| {
        let mut trained = model();
        let mut optimiser = AdamW::new(&trained.net().shapes());
        let batch = Batch { normaliser, ..Batch::mean(trees.to_vec()) };
        let update = Update {
            number: 1,
            batch: &batch,
            rate: 0.0,
            tuning: Tuning::default(),
            budget: 4096,
            recompute: false,
            products: Products::F32,
        };
        let (metrics, _) =
            update.run(&mut trained, &mut optimiser, &team, &Cancel::default()).unwrap();
        metrics
            .iter()
            .filter(|(name, _)| name == "loss" || name == "norm")
            .map(|(_, v)| *v)
            .collect::<Vec<_>>()
    };
    let whole = update(10.0, &turned);
    let half = update(20.0, &turned);
    assert!(
        close(whole[0], 2.0 * half[0]) && close(whole[1], 2.0 * half[1]) && whole[0] < 0.0,
        "{whole:?} {half:?}"
    );
}
