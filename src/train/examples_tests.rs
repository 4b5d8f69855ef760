//! Trees on data where the right answer is known.

use super::*;
use crate::experience::{ActionEffect, Purpose, Step};
use crate::model::tokenizer::Tokenizer;
use crate::store::Approved;

/// A trajectory of so many steps.
pub(in crate::train) fn trajectory(steps: usize) -> Trajectory {
    let step = |i: usize| Step {
        action: format!("walk to shelf {i}"),
        source: "walkthrough".into(),
        observation: format!("You reach the shelf {i}. It holds nothing."),
        admissible: None,
        free: vec![],
        reward: 0.0,
        truncated: false,
        done: false,
        success: false,
    };
    Trajectory {
        id: 9,
        suite: "household".into(),
        split: "train".into(),
        task_id: "train/1".into(),
        kind: "place".into(),
        task: "put a mug on the shelf.".into(),
        purpose: Purpose::Demonstration,
        actor: "walkthrough".into(),
        seed: 1,
        observation: "The room has a shelf 1.".into(),
        admissible: None,
        free: vec![],
        steps: (0..steps).map(step).collect(),
        created_ms: 0,
        world: None,
    }
}

pub(in crate::train) fn branch(t: usize, action: &str, observation: &str) -> Branch {
    Branch {
        id: 1,
        trajectory: 9,
        t,
        action: action.into(),
        source: "uniform".into(),
        observation: observation.into(),
        effect: ActionEffect::Changed,
        done: false,
        reward: 0.0,
        success: false,
        created_ms: 0,
    }
}

pub(in crate::train) fn approved(t: usize, text: &str) -> Approved {
    Approved { reflection: 1, version: 1, t, author: "template".into(), text: text.into() }
}

pub(in crate::train) fn tokenizer() -> Tokenizer {
    Tokenizer::train(&["walk to shelf 1 You reach the It holds nothing.".into()], 300).unwrap()
}

/// The tokens on the way from the root to a node, that one included.
fn path(tree: &TokenTree, node: usize) -> Vec<u32> {
    let mut tokens = vec![tree.tokens[node]];
    let mut above = tree.parents[node];
    while let Some(i) = above {
        tokens.push(tree.tokens[i]);
        above = tree.parents[i];
    }
    tokens.reverse();
    tokens
}

/// Every run of targets of one kind, as the tokens before it and its own.
fn targets(example: &Example, kind: TokenRole) -> Vec<(Vec<u32>, Vec<u32>)> {
    let tree = &example.tree;
    let kinds = &example.kinds;
    let starts =
        |i: usize| kinds[i] == kind && tree.parents[i].is_none_or(|above| kinds[above] != kind);
    let below =
        |i: usize| (i + 1..tree.len()).find(|j| tree.parents[*j] == Some(i) && kinds[*j] == kind);
    (0..tree.len())
        .filter(|i| starts(*i))
        .map(|i| {
            let mut own = vec![tree.tokens[i]];
            let mut at = i;
            while let Some(next) = below(at) {
                own.push(tree.tokens[next]);
                at = next;
            }
            let mut before = path(tree, i);
            before.pop();
            (before, own)
        })
        .collect()
}

#[test]
fn one_trajectory_is_one_tree_in_which_every_target_follows_what_is_read_when_acting() {
    let tokenizer = tokenizer();
    let framing = Framing::new(&tokenizer).unwrap();
    let branches: Vec<Branch> =
        (0..60).map(|i| branch(i % 6, &format!("open shelf {i}"), "It is shut.")).collect();
    let chosen = Chosen {
        trajectory: trajectory(6),
        branches,
        reflections: vec![approved(1, "I should look there.")],
        answers: vec![],
    };
    let tree = example(&framing, &chosen, Roles::DEMONSTRATION, 4096).unwrap().unwrap();
    let limit = 4096 - ROOM;
    let state = |t: usize| framing.state(&chosen.trajectory.state(t), limit).unwrap();
    let actions = targets(&tree, TokenRole::Action);
    assert_eq!(actions.len(), 6);
    for (t, (before, own)) in actions.iter().enumerate() {
        assert_eq!(*before, [state(t), framing.act()].concat());
        assert_eq!(*own, framing.action(&chosen.trajectory.steps[t].action).unwrap());
    }
    let next = targets(&tree, TokenRole::Observation);
    assert_eq!(next.len(), 66, "the expert's own and sixty others");
    for b in &chosen.branches {
        let given = [state(b.t), framing.acted(&b.action).unwrap(), framing.observe()].concat();
        assert!(next.contains(&(given, framing.observation("It is shut.").unwrap())), "{b:?}");
    }
    // What a thought is trained on is the state alone, and what follows it the state and the
    // thought.
    let thought = framing.reflection("I should look there.").unwrap();
    assert_eq!(
        targets(&tree, TokenRole::Reflection),
        [([state(1), framing.think()].concat(), thought.clone())]
    );
    let after = [state(1), framing.think(), thought].concat();
    assert_eq!(
        targets(&tree, TokenRole::Conclusion),
        [(after, framing.acted("walk to shelf 1").unwrap())]
    );
    assert_eq!(
        (tree.targets()[0], tree.too_long),
        (actions.iter().map(|(_, own)| own.len() as u64).sum(), 0)
    );
}

#[test]
fn what_a_mixture_gives_no_weight_is_not_computed() {
    let tokenizer = tokenizer();
    let framing = Framing::new(&tokenizer).unwrap();
    let bare = Chosen {
        trajectory: trajectory(6),
        branches: vec![],
        reflections: vec![],
        answers: vec![],
    };
    let branches =
        (0..12).map(|i| branch(i % 6, &format!("open shelf {i}"), "It is shut.")).collect();
    let full = Chosen { branches, reflections: vec![approved(5, "I look.")], ..bare.clone() };
    let tree = |of: &Chosen| example(&framing, of, Roles::DEMONSTRATION, 4096).unwrap().unwrap();
    let alone = tree(&bare);
    let all = tree(&full);
    let imitation = all.weighed(&Mixture::IMITATION).unwrap();
    assert_eq!(
        imitation.tree,
        alone.weighed(&Mixture::IMITATION).unwrap().tree,
        "as if nothing hung off it"
    );
    let last = framing.turn("x", &trajectory(6).steps[5].observation).unwrap().len()
        - framing.acted("x").unwrap().len();
    assert_eq!(
        imitation.tree.len(),
        alone.tree.len() - last,
        "what comes of the last action is no way to a target"
    );
    assert!(all.weighed(&Mixture::WORLD).unwrap().tree.len() > alone.tree.len());
    assert_eq!(all.weighed(&Mixture::ALL).unwrap().tree.len(), all.tree.len());
    let none = Mixture { action: 0.0, ..Mixture::IMITATION };
    assert!(all.weighed(&none).is_none());
    let only = Mixture { action: 0.0, ..Mixture::REFLECTION };
    assert!(alone.weighed(&only).is_none(), "nothing was reflected on");
    let weights = all.weighed(&Mixture::JOINT).unwrap();
    for (weight, kind) in weights.tree.weights.iter().zip(&weights.kinds).skip(1) {
        assert!((weight - Mixture::JOINT.of(*kind)).abs() < 1e-9);
    }
}

#[test]
fn the_way_to_a_state_that_a_person_reflected_on_is_no_target() {
    let tokenizer = tokenizer();
    let framing = Framing::new(&tokenizer).unwrap();
    let chosen = Chosen {
        trajectory: trajectory(3),
        branches: vec![],
        reflections: vec![approved(2, "I look.")],
        answers: vec![],
    };
    let tree = example(&framing, &chosen, Roles::EXPLORATION, 4096).unwrap().unwrap();
    let [actions, observations, reflections, conclusions] = tree.targets();
    assert_eq!((actions, observations), (0, 0));
    assert!(reflections > 0 && conclusions > 0);
}

#[test]
fn late_states_are_trained_on_as_they_are_read_when_acting() {
    let tokenizer = tokenizer();
    let framing = Framing::new(&tokenizer).unwrap();
    let chosen = Chosen {
        trajectory: trajectory(60),
        branches: vec![branch(55, "open shelf 3", "It is shut.")],
        reflections: vec![approved(58, "I look.")],
        answers: vec![],
    };
    let context = 600;
    let tree = example(&framing, &chosen, Roles::DEMONSTRATION, context).unwrap().unwrap();
    let actions = targets(&tree, TokenRole::Action);
    assert_eq!((actions.len(), tree.too_long), (60, 0), "no step is dropped");
    let mut cut = 0;
    for t in 0..60 {
        let state = framing.state(&chosen.trajectory.state(t), context - ROOM).unwrap();
        let own = framing.action(&chosen.trajectory.steps[t].action).unwrap();
        assert!(actions.contains(&([state.clone(), framing.act()].concat(), own)), "step {t}");
        let whole = framing.state(&chosen.trajectory.state(t), 100_000).unwrap();
        cut += usize::from(state.len() < whole.len());
    }
    assert!(cut > 30, "{cut} states are longer than what is read");
    assert!(tree.tree.positions().iter().all(|position| (*position as usize) < context));
    let late = framing.state(&chosen.trajectory.state(58), context - ROOM).unwrap();
    assert_eq!(targets(&tree, TokenRole::Reflection)[0].0, [late, framing.think()].concat());
}

#[test]
fn what_no_path_reaches_is_counted_and_what_cannot_be_read_is_no_tree() {
    let tokenizer = tokenizer();
    let framing = Framing::new(&tokenizer).unwrap();
    let mut chosen = Chosen {
        trajectory: trajectory(4),
        branches: vec![],
        reflections: vec![],
        answers: vec![],
    };
    let length = |text: &str| framing.observation(text).unwrap().len();
    // A little more than the context leaves room for.
    let words = (1..400).find(|words| length(&"nothing ".repeat(*words)) > 380).unwrap();
    chosen.trajectory.steps[1].observation = "nothing ".repeat(words);
    let long = length(&chosen.trajectory.steps[1].observation);
    let tree = example(&framing, &chosen, Roles::DEMONSTRATION, 400).unwrap().unwrap();
    assert!(long < 400, "{long}");
    assert_eq!((targets(&tree, TokenRole::Action).len(), tree.too_long), (4, long));
    chosen.trajectory.observation = "nothing ".repeat(400);
    assert!(example(&framing, &chosen, Roles::DEMONSTRATION, 400).unwrap().is_none());
}

#[test]
fn in_a_visit_the_experts_answers_are_imitated_and_never_what_the_policy_did() {
    let tokenizer = tokenizer();
    let framing = Framing::new(&tokenizer).unwrap();
    let visit = Trajectory { purpose: Purpose::Visit, ..trajectory(4) };
    // In the second state the expert would have done something else, in the third the same.
    let answers = vec![
        branch(1, "open drawer 1", "It holds a mug."),
        branch(2, "walk to shelf 2", "You reach the shelf 2. It holds nothing."),
    ];
    let branches = vec![branch(1, "open shelf 9", "It is shut.")];
    let chosen = Chosen { trajectory: visit, branches, reflections: vec![], answers };
    let tree = example(&framing, &chosen, Roles::VISIT, 4096).unwrap().unwrap();
    let state = |t: usize| framing.state(&chosen.trajectory.state(t), 4096 - ROOM).unwrap();
    let mut actions = targets(&tree, TokenRole::Action);
    actions.sort();
    let mut wanted: Vec<_> = [(1, "open drawer 1"), (2, "walk to shelf 2")]
        .map(|(t, action)| ([state(t), framing.act()].concat(), framing.action(action).unwrap()))
        .to_vec();
    wanted.sort();
    assert_eq!(actions, wanted);
    // What really happened is learnt of all: four steps of the policy, the answer, the alternative.
    assert_eq!(targets(&tree, TokenRole::Observation).len(), 6);
    // As an export has it: the same texts after the same tokens.
    let pairs = tree.pairs();
    assert_eq!(pairs.iter().filter(|(what, ..)| *what == "action").count(), 2);
}

#[test]
fn the_experts_own_next_states_can_be_left_out() {
    let tokenizer = tokenizer();
    let framing = Framing::new(&tokenizer).unwrap();
    let branches = vec![branch(1, "open shelf 9", "It is shut.")];
    let chosen =
        Chosen { trajectory: trajectory(3), branches, reflections: vec![], answers: vec![] };
    let roles = Roles { next_states: false, ..Roles::DEMONSTRATION };
    let tree = example(&framing, &chosen, roles, 4096).unwrap().unwrap();
    assert_eq!(targets(&tree, TokenRole::Action).len(), 3);
    let next = targets(&tree, TokenRole::Observation);
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].1, framing.observation("It is shut.").unwrap());
}
