//! A policy over a list of known actions, whose shares can be worked out by hand.

use super::*;
use crate::agent::prompt::Framing;
use crate::model::config::Config;
use crate::model::params::Buffers;
use crate::model::parts::Parts;
use crate::model::step::step;
use crate::selection::Chosen;
use crate::train::Mixture;
use crate::train::examples::tests::{tokenizer, trajectory};
use crate::train::examples::{Roles, example as written};

const OTHERS: [&str; 2] = ["walk to shelf 7", "look around"];

fn model() -> Trainable {
    let tokenizer = std::sync::Arc::new(tokenizer());
    let config = Config { context: 4096, ..Config::small(1, 32, tokenizer.vocab()).unwrap() };
    let mut fresh = Trainable::fresh(&config, tokenizer, 5).unwrap();
    for weight in fresh.weights.iter_mut().filter(|weights| weights.len() > 32).flatten() {
        *weight *= 4.0; // so that actions are not equally likely
    }
    fresh
}

/// Two states with three actions each; the expert's is the first of the list in one of them.
fn example(weights: &Trainable) -> Example {
    let mut trajectory = trajectory(2);
    let listed = |own: &str, at: usize| {
        let mut all: Vec<String> = OTHERS.map(str::to_string).to_vec();
        all.insert(at, own.to_string());
        Some(all)
    };
    trajectory.admissible = listed("walk to shelf 0", 0);
    trajectory.steps[0].admissible = listed("walk to shelf 1", 2);
    let (branches, reflections, answers) = (vec![], vec![], vec![]);
    let chosen = Chosen { trajectory, branches, reflections, answers };
    let framing = Framing::new(&weights.tokenizer).unwrap();
    let roles = Roles { listed: true, ..Roles::DEMONSTRATION };
    let whole = written(&framing, &chosen, roles, 4096).unwrap().unwrap();
    whole.weighed(&Mixture::IMITATION).unwrap()
}

fn mark(weights: &Trainable) -> usize {
    Framing::new(&weights.tokenizer).unwrap().act().len()
}

/// `-Σ ln p_e` of the states by the definition, from what each token costs.
fn by_hand(weights: &Trainable, example: &Example) -> f64 {
    let parts = Parts::whole(&example.tree);
    let nll = step(weights.net(), &parts, None, &Cancel::default()).unwrap().nll;
    let costs: HashMap<usize, f32> = nll.into_iter().map(|(n, c)| (parts.origin[n], c)).collect();
    choices(example, mark(weights)).iter().map(|actions| -shares(actions, &costs)[0].ln()).sum()
}

#[test]
fn the_actions_of_a_state_stand_together_and_the_experts_is_the_first() {
    let weights = model();
    let example = example(&weights);
    let text = |nodes: &Vec<usize>| {
        let tokens: Vec<u32> = nodes.iter().map(|node| example.tree.tokens[*node]).collect();
        weights.tokenizer.decode(&tokens).unwrap().trim().to_string()
    };
    let found: Vec<Vec<String>> = choices(&example, mark(&weights))
        .iter()
        .map(|all| all.iter().map(text).collect())
        .collect();
    let expected = ["walk to shelf 0", "walk to shelf 1"].map(|own| [own, OTHERS[0], OTHERS[1]]);
    assert_eq!(found.len(), 2);
    for (found, expected) in found.iter().zip(expected) {
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} {expected}");
        }
    }
}

#[test]
fn the_gradient_is_that_of_the_cross_entropy_over_the_list() {
    let mut weights = model();
    let example = example(&weights);
    let mark = mark(&weights);
    let parts = Parts::whole(&example.tree);
    let nll = step(weights.net(), &parts, None, &Cancel::default()).unwrap().nll;
    let costs: HashMap<usize, f32> = nll.into_iter().map(|(n, c)| (parts.origin[n], c)).collect();
    let mut weighed = example.clone();
    for actions in choices(&example, mark) {
        let shares = shares(&actions, &costs);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9 && shares[0] < 0.999);
        for (j, (nodes, share)) in actions.iter().zip(&shares).enumerate() {
            let own = if j == 0 { 1.0 - share } else { -share };
            for node in nodes {
                weighed.tree.weights[*node] = own as f32;
            }
        }
    }
    is_gradient(&mut weights, &weighed, |weights| by_hand(weights, &example));
}

/// Whether the weights of a tree's tokens make the gradient of a loss: along that of the largest
/// parameter the loss rises by its squared length.
fn is_gradient(weights: &mut Trainable, weighed: &Example, loss: impl Fn(&Trainable) -> f64) {
    let mut grads: Buffers = weights.workspace.grads(&weights.net().shapes());
    step(weights.net(), &Parts::whole(&weighed.tree), Some(&mut grads), &Cancel::default())
        .unwrap();
    let which = (0..grads.len()).max_by_key(|i| grads[*i].len()).unwrap();
    let direction: Vec<f32> = grads[which].clone();
    let square: f64 = direction.iter().map(|g| f64::from(*g) * f64::from(*g)).sum();
    let mut moved = |by: f32| {
        let shift = |weights: &mut Trainable, by: f32| {
            weights.weights[which].iter_mut().zip(&direction).for_each(|(w, g)| *w += by * g);
        };
        shift(weights, by);
        let loss = loss(weights);
        shift(weights, -by);
        loss
    };
    let h = 1e-3;
    let slope = (moved(h) - moved(-h)) / (2.0 * f64::from(h));
    assert!((slope - square).abs() < 0.02 * square, "{slope} {square}");
    assert!(square > 1e-4, "there is something to learn: {square}");
}

#[test]
fn a_preference_weighs_both_actions_by_how_wrong_it_is() {
    let actions = [vec![0], vec![1], vec![2]];
    let now = Costs::from([(0, 1.0), (1, 2.0), (2, 0.5)]);
    let start = Costs::from([(0, 1.5), (1, 2.0), (2, 0.25)]);
    let (mut states, mut weights) = (States::default(), [0.0; 3]);
    states.prefer(&actions, (&now, &start), 2.0, &mut weights);
    // The expert's action gained 0.5 nats, the others 0 and -0.25: the margins are 1 and 1.5.
    let softly = |m: f64| (-m).exp().ln_1p();
    assert!((states.loss - softly(1.0) - softly(1.5)).abs() < 1e-9);
    let pull = |m: f64| 2.0 / (1.0 + m.exp());
    let expected = [pull(1.0) + pull(1.5), -pull(1.0), -pull(1.5)];
    for (found, expected) in weights.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{weights:?} {expected}");
    }
    assert_eq!((states.count, states.agreed), (2, 2));
    // Nothing overflows, however far apart they are.
    let far = Costs::from([(0, 9e4), (1, 0.0)]);
    let mut states = States::default();
    states.prefer(&actions[..2], (&far, &Costs::new()), 1.0, &mut [0.0; 3]);
    assert!((states.loss - 9e4).abs() < 1.0 && states.agreed == 0);
}

#[test]
fn the_gradient_is_that_of_the_preferences() {
    let (start, mut weights) = (model(), model());
    for weight in weights.weights.iter_mut().filter(|weights| weights.len() > 32).flatten() {
        *weight *= 1.1;
    }
    let example = example(&weights);
    let mark = mark(&weights);
    let costs = |weights: &Trainable| -> Costs {
        let parts = Parts::whole(&example.tree);
        let nll = step(weights.net(), &parts, None, &Cancel::default()).unwrap().nll;
        nll.into_iter().map(|(n, c)| (parts.origin[n], c)).collect()
    };
    let before = costs(&start);
    let of = |weights: &Trainable, weighed: &mut Example| {
        weighed.tree.weights.fill(0.0);
        let (now, mut states) = (costs(weights), States::default());
        for actions in choices(&example, mark) {
            states.prefer(&actions, (&now, &before), 0.3, &mut weighed.tree.weights);
        }
        states.loss
    };
    let mut weighed = example.clone();
    of(&weights, &mut weighed);
    is_gradient(&mut weights, &weighed, |weights| of(weights, &mut example.clone()));
}
