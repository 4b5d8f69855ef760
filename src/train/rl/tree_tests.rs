//! The tree of a group against its rollouts one by one.

use super::*;
use crate::control::Cancel;
use crate::experience::{Purpose, Step};
use crate::model::config::Config;
use crate::model::params::Buffers;
use crate::model::parts::Parts;
use crate::model::step::step;
use crate::model::weights::Trainable;
use crate::rng::Rng;
use crate::train::examples::tests::{tokenizer, trajectory};
use crate::train::rl::estimate::Visit;

const HOW: How = How { clip: (0.2, 0.28), kl: 0.05, temperature: 0.7 };

fn model(seed: u64) -> Trainable {
    let tokenizer = std::sync::Arc::new(tokenizer());
    let config = Config { context: 4096, ..Config::small(2, 32, tokenizer.vocab()).unwrap() };
    let mut fresh = Trainable::fresh(&config, tokenizer, seed).unwrap();
    for weight in fresh.weights.iter_mut().filter(|weights| weights.len() > 32).flatten() {
        *weight *= 3.0; // so that actions are not equally likely
    }
    fresh
}

/// The same a little aside.
fn nudged(mut model: Trainable, seed: u64) -> Trainable {
    let mut rng = Rng::new(seed);
    for weight in model.weights.iter_mut().flatten() {
        *weight *= 1.0 + 0.8 * (rng.unit() as f32 - 0.5);
    }
    model
}

/// Three rollouts of one task that part at their second step, each with a list of three actions.
fn rollouts() -> Vec<Trajectory> {
    let list = |t: usize| -> Vec<String> {
        [format!("walk to shelf {t}"), "look around".into(), format!("walk to shelf {}", t + 7)]
            .to_vec()
    };
    let chosen = [[0, 0], [0, 2], [1, 0]];
    let mut all = Vec::new();
    for choices in chosen {
        let mut one = trajectory(2);
        one.purpose = Purpose::Rollout;
        one.admissible = Some(list(0));
        for (t, choice) in choices.into_iter().enumerate() {
            let action = list(t)[choice].clone();
            let observation = format!("You did: {action}.");
            one.steps[t] =
                Step { action, observation, admissible: Some(list(t + 1)), ..one.steps[t].clone() };
        }
        all.push(one);
    }
    all
}

/// What the tokens of a tree cost some weights.
fn costs(weights: &Trainable, example: &Example) -> Costs {
    let parts = Parts::whole(&example.tree);
    let found = step(weights.net(), &parts, None, &Cancel::default()).unwrap().nll;
    found.into_iter().map(|(node, cost)| (parts.origin[node], cost)).collect()
}

fn gradient(weights: &Trainable, example: &Example) -> Buffers {
    let parts = Parts::whole(&example.tree);
    let mut grads: Buffers = weights.workspace.grads(&weights.net().shapes());
    step(weights.net(), &parts, Some(&mut grads), &Cancel::default()).unwrap();
    grads
}

/// The rollouts as the estimator has them: drawn by the weights given, or by hand where written.
fn drawn(weights: &Trainable, grown: &Grown, written: bool) -> Vec<Rollout> {
    let costs = costs(weights, &grown.example);
    let chosen = [[0, 0], [0, 2], [1, 0]];
    let rollout = |(states, chosen): (&Vec<Option<Actions>>, [usize; 2])| {
        let visits = states.iter().zip(chosen).map(|(actions, chosen)| {
            let logs = logs(actions.as_ref().unwrap(), &costs, HOW.temperature);
            let logs = if written { Vec::new() } else { logs };
            Visit { logs, chosen, ..Visit::default() }
        });
        Rollout { visits: visits.collect(), won: false, fork: None }
    };
    grown.states.iter().zip(chosen).map(rollout).collect()
}

fn close(a: &Buffers, b: &Buffers) {
    let norm = |all: &Buffers| {
        all.iter().flatten().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
    };
    let apart: f64 = a
        .iter()
        .flatten()
        .zip(b.iter().flatten())
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum::<f64>()
        .sqrt();
    assert!(norm(a) > 1e-3, "there is a gradient at all");
    assert!(apart < 1e-5 * norm(a).max(1.0), "{apart} apart of {}", norm(a));
}

#[test]
fn a_groups_tree_has_the_loss_and_the_gradient_of_its_rollouts_one_by_one() {
    for written in [false, true] {
        let (old, new, start) = (model(1), nudged(model(1), 2), nudged(model(1), 3));
        let (mut all_clipped, mut all_ratios) = (0, 0);
        let framing = Framing::new(&new.tokenizer).unwrap();
        let mut trajectories = rollouts();
        if written {
            for one in &mut trajectories {
                one.free = vec!["say …".into()];
            }
        }
        let all: Vec<&Trajectory> = trajectories.iter().collect();
        let whole = grow(&framing, &all, 4096).unwrap().unwrap();
        let rollouts = drawn(&old, &whole, written);
        let mut rng = Rng::new(3);
        for _ in 0..4 {
            // Of either sign, on what the rollouts share and on what they do not.
            let mut terms = Vec::new();
            for (rollout, own) in rollouts.iter().enumerate() {
                for (t, visit) in own.visits.iter().enumerate() {
                    let action = if written { visit.chosen } else { rng.below(3) };
                    let advantage = 4.0 * rng.unit() - 2.0;
                    terms.push(Term { rollout, t, action, advantage, scale: 0.1 + rng.unit() });
                }
            }
            let weigh = |mut grown: Grown, terms: &[Term], rollouts: &[Rollout]| {
                let [old, new, start] =
                    [&old, &new, &start].map(|weights| costs(weights, &grown.example));
                let known = Known { old: Some(&old), new: Some(&new), start: Some(&start) };
                let sums = grown.weigh(terms, rollouts, known, HOW);
                (grown.example, sums)
            };
            let (example, sums) = weigh(whole.clone(), &terms, &rollouts);
            all_clipped += sums.clipped;
            all_ratios += sums.ratios;
            let together = gradient(&new, &example);
            let mut apart: Buffers = new.workspace.grads(&new.net().shapes());
            let (mut loss, mut clipped) = (0.0, 0);
            for i in 0..3 {
                let alone = grow(&framing, &all[i..=i], 4096).unwrap().unwrap();
                let own: Vec<Term> = terms
                    .iter()
                    .filter(|term| term.rollout == i)
                    .map(|term| Term { rollout: 0, ..*term })
                    .collect();
                let (example, sums) = weigh(alone, &own, &rollouts[i..=i]);
                loss += sums.loss;
                clipped += sums.clipped;
                for (sum, part) in
                    apart.iter_mut().flatten().zip(gradient(&new, &example).iter().flatten())
                {
                    *sum += part;
                }
            }
            assert_eq!(clipped, sums.clipped);
            assert!((loss - sums.loss).abs() < 1e-5, "{loss} and {}", sums.loss);
            close(&together, &apart);
        }
        assert!(all_clipped > 0 && all_clipped < all_ratios, "{all_clipped} of {all_ratios}");
    }
}

#[test]
fn the_gradient_is_that_of_the_surrogate_it_reports() {
    // By differences: a step along the gradient lowers the loss by its square.
    let (old, start) = (model(1), nudged(model(1), 3));
    let mut new = model(1);
    let framing = Framing::new(&old.tokenizer).unwrap();
    let trajectories = rollouts();
    let all: Vec<&Trajectory> = trajectories.iter().collect();
    let grown = grow(&framing, &all, 4096).unwrap().unwrap();
    let rollouts = drawn(&old, &grown, false);
    let terms: Vec<Term> = (0..3)
        .map(|rollout| Term {
            rollout,
            t: 1,
            action: rollouts[rollout].visits[1].chosen,
            advantage: 1.0 - rollout as f64,
            scale: 0.5,
        })
        .collect();
    let loss = |weights: &Trainable| {
        let mut grown = grown.clone();
        let [new, start] = [weights, &start].map(|weights| costs(weights, &grown.example));
        let known = Known { old: None, new: Some(&new), start: Some(&start) };
        let sums = grown.weigh(&terms, &rollouts, known, HOW);
        (sums, grown.example)
    };
    let (before, example) = loss(&new);
    assert!(before.off < 1e-6, "nothing has moved yet: {}", before.off);
    let grads = gradient(&new, &example);
    let square: f64 = grads.iter().flatten().map(|g| f64::from(*g) * f64::from(*g)).sum();
    let by = 1e-3 / square.sqrt();
    for (weights, grads) in new.weights.iter_mut().zip(grads.iter()) {
        for (weight, grad) in weights.iter_mut().zip(grads) {
            *weight -= (f64::from(*grad) * by) as f32;
        }
    }
    let fell = before.loss - loss(&new).0.loss;
    assert!((fell / (by * square) - 1.0).abs() < 0.05, "{fell} and not {}", by * square);
}

#[test]
fn rollouts_that_begin_alike_share_their_tokens() {
    let weights = model(1);
    let framing = Framing::new(&weights.tokenizer).unwrap();
    let trajectories = rollouts();
    let all: Vec<&Trajectory> = trajectories.iter().collect();
    let together = grow(&framing, &all, 4096).unwrap().unwrap();
    let alone: usize = all
        .iter()
        .map(|one| grow(&framing, &[one], 4096).unwrap().unwrap().example.tree.len())
        .sum();
    assert!(together.example.tree.len() * 2 < alone + together.example.tree.len());
    // The list of the first state stands once, in its order.
    assert_eq!(together.states[0][0], together.states[2][0]);
    let text = |nodes: &Vec<usize>| {
        let tokens: Vec<u32> = nodes.iter().map(|i| together.example.tree.tokens[*i]).collect();
        weights.tokenizer.decode(&tokens).unwrap().trim().to_string()
    };
    let listed: Vec<String> = together.states[2][0].as_ref().unwrap().iter().map(text).collect();
    assert_eq!(listed, ["walk to shelf 0", "look around", "walk to shelf 7"]);
}
