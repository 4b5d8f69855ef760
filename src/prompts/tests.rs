use std::collections::BTreeMap;

use super::front::{fronts, kept};
use super::rewrite::text_of;
use super::*;
use crate::control::Control;
use crate::error::Error;

/// A mind that succeeds on an item if its instructions have the item's word, and a writer that adds a
/// word that the feedback names.
struct Obeys {
    words: Vec<&'static str>,
    trials: usize,
    /// Fails after so many answers.
    breaks: Option<usize>,
}

impl Obeys {
    fn new() -> Self {
        Self { words: vec!["alpha", "beta", "gamma", "delta"], trials: 0, breaks: None }
    }

    fn spend(&mut self) -> Result<()> {
        if let Some(left) = &mut self.breaks {
            if *left == 0 {
                return Err(Error::new("cut off"));
            }
            *left -= 1;
        }
        Ok(())
    }
}

impl Trial for Obeys {
    fn run(
        &mut self,
        text: &str,
        items: &[Item],
        each: &mut dyn FnMut(usize, Scored) -> Result<()>,
    ) -> Result<()> {
        for (at, item) in items.iter().enumerate() {
            self.spend()?;
            self.trials += 1;
            let (Item::Train(i) | Item::Validation(i)) = item;
            let word = self.words[i % self.words.len()];
            let score = f64::from(u8::from(text.contains(word)));
            let feedback = if score > 0.0 { "good".into() } else { format!("say {word}") };
            let (input, output) = (format!("item {i}"), text.to_string());
            each(at, Scored { score, input, output, feedback })?;
        }
        Ok(())
    }

    fn rewrite(&mut self, request: &str) -> Result<String> {
        self.spend()?;
        let text = text_of(&request[..request.find("\n\nBelow").unwrap()]);
        let word = request.split("say ").nth(1).unwrap().split_whitespace().next().unwrap();
        Ok(format!("Here it is:\n```text\n{text} {word}\n```"))
    }
}

impl Journal for BTreeMap<String, String> {
    fn known(&self, name: &str) -> Result<Option<String>> {
        Ok(self.get(name).cloned())
    }

    fn keep(&mut self, name: &str, answer: &str) -> Result<()> {
        assert!(self.insert(name.into(), answer.into()).is_none(), "{name} was asked twice");
        Ok(())
    }
}

fn plan(select: Select) -> Plan {
    Plan { train: 12, validation: 8, budget: 300, minibatch: 3, select, seed: 1 }
}

fn run(plan: &Plan, trial: &mut Obeys, journal: &mut BTreeMap<String, String>) -> Result<Outcome> {
    optimise("Act.", plan, trial, journal, &Control::default(), &mut |_| {})
}

#[test]
fn a_hidden_rule_is_found_whatever_is_rewritten_next() {
    for select in [Select::Front, Select::Beam, Select::Best] {
        let (mut trial, mut journal) = (Obeys::new(), BTreeMap::new());
        let found = run(&plan(select), &mut trial, &mut journal).unwrap();
        let best = &found.candidates[found.best];
        assert!(best.mean() >= 1.0, "{select:?}: {} after {}", best.text, found.trials);
        assert!(found.candidates[0].mean() < 0.01 && found.trials <= 300, "{select:?}");
        assert_eq!(found.trials, trial.trials as u64, "each trial is counted");
        // Each child does better somewhere than its parent.
        for known in &found.candidates[1..] {
            let parent = &found.candidates[known.parent.unwrap()];
            assert!(known.scores.iter().zip(&parent.scores).any(|(a, b)| a > b));
        }
    }
}

#[test]
fn one_that_breaks_off_anywhere_goes_on_to_the_same_end() {
    let whole = run(&plan(Select::Front), &mut Obeys::new(), &mut BTreeMap::new()).unwrap();
    let (mut journal, mut tries) = (BTreeMap::new(), 0);
    let found = loop {
        tries += 1;
        let mut trial = Obeys { breaks: Some(7), ..Obeys::new() };
        if let Ok(found) = run(&plan(Select::Front), &mut trial, &mut journal) {
            break found;
        }
    };
    assert!(tries > 5);
    assert_eq!(found, whole);
}

#[test]
fn no_budget_is_passed_and_senseless_plans_are_refused() {
    for budget in [8, 9, 14, 20, 50] {
        let mut trial = Obeys::new();
        let found = run(&Plan { budget, ..plan(Select::Front) }, &mut trial, &mut BTreeMap::new());
        assert!(found.unwrap().trials <= budget && trial.trials as u64 <= budget, "{budget}");
    }
    for odd in [
        Plan { budget: 7, ..plan(Select::Front) },
        Plan { validation: 0, ..plan(Select::Front) },
        Plan { minibatch: 0, ..plan(Select::Front) },
        Plan { train: 2, ..plan(Select::Front) },
    ] {
        assert!(run(&odd, &mut Obeys::new(), &mut BTreeMap::new()).is_err(), "{odd:?}");
    }
}

#[test]
fn who_is_best_only_where_others_are_is_not_kept() {
    let scores = vec![vec![1.0, 0.0, 0.0], vec![1.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]];
    assert_eq!(fronts(&scores)[0].iter().copied().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(kept(&scores).into_iter().collect::<Vec<_>>(), [1, 2]);
    // Of equals one stays.
    let same = vec![vec![1.0, 0.0], vec![1.0, 0.0]];
    assert_eq!(kept(&same).len(), 1);
}

#[test]
fn a_text_is_what_stands_in_the_fence() {
    for (answer, text) in [
        ("Say a.", "Say a."),
        ("So:\n```\nSay a.\nAnd b.\n```\nDone.", "Say a.\nAnd b."),
        ("```markdown\nSay a.\n```", "Say a."),
        ("```\nSay ```x``` twice.\n```", "Say ```x``` twice."),
        ("```\nSay a.", "Say a."),
        ("", ""),
    ] {
        assert_eq!(text_of(answer), text, "{answer:?}");
    }
}

#[test]
fn more_to_spend_later_comes_to_what_it_would_have_at_once() {
    let whole = run(&plan(Select::Front), &mut Obeys::new(), &mut BTreeMap::new()).unwrap();
    let mut journal = BTreeMap::new();
    for budget in [14, 23, 31, 60, 150, 300] {
        let found = run(&Plan { budget, ..plan(Select::Front) }, &mut Obeys::new(), &mut journal);
        assert!(found.unwrap().trials <= budget);
    }
    let found = run(&plan(Select::Front), &mut Obeys::new(), &mut journal).unwrap();
    assert_eq!(found, whole);
}
