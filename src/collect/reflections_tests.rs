use super::*;
use crate::agent::template::Template;
use crate::collect::{Draw, branches, demonstrations};
use crate::control::{Cancel, Progress};
use crate::env::household::Household;
use crate::episode::Teacher;
use crate::experience::Reflection;
use crate::store::{Filter, Place};

/// A writer whose n-th attempt at a text has the faults that are said: as many times `bad`.
struct Stubborn {
    faults: Vec<usize>,
    asked: Vec<usize>,
}

impl Reflector for Stubborn {
    fn generator(&self) -> String {
        "stubborn".into()
    }

    fn sees_outcomes(&self) -> bool {
        true
    }

    fn reflect(
        &mut self,
        cases: &[(&Case, u64)],
        how: Sampling,
        _cancel: &Cancel,
    ) -> Result<Vec<String>> {
        assert!((how.temperature - 0.9).abs() < 1e-9);
        let faults = self.faults[self.asked.len()];
        self.asked.push(cases.len());
        let text = |(case, seed): &(&Case, u64)| match faults {
            99 => String::new(), // cut off
            _ => format!("{}{} {seed}", "bad ".repeat(faults), case.alternatives.len()),
        };
        Ok(cases.iter().map(text).collect())
    }
}

fn faults_of(text: &str) -> usize {
    text.matches("bad").count()
}

fn store(dir: &std::path::Path) -> Store {
    let mut store = Store::open(dir).unwrap();
    let (control, quiet) = (Control::default(), &mut |_: serde_json::Value, _: Progress| {});
    let (scope, by) = (scope(), Teacher::Suite(None));
    demonstrations(&mut store, &Household, &scope, by, &control, quiet).unwrap();
    branches(&mut store, &Household, &scope, Draw::uniform(3), &control, quiet).unwrap();
    store
}

fn scope() -> Scope {
    Scope { split: "train".into(), games: 1, seed: 1, share: None }
}

fn write(store: &mut Store, contrast: &Contrast, writer: &mut Stubborn, attempts: usize) {
    let (control, quiet) = (Control::default(), &mut |_: serde_json::Value, _: Progress| {});
    let how = Sampling { temperature: 0.9, ..REFLECTING };
    let faults: Faults<'_> = &|text, _| faults_of(text);
    let writing = Writing { reflector: writer, how, attempts, sample: None, faults };
    reflections(store, &Household, &scope(), contrast, writing, &control, quiet).unwrap();
}

/// The texts that stand, and how many versions each has.
fn written(store: &Store) -> Vec<(String, usize)> {
    let queue = store.queue(&Filter::verdict(None), Place::Start, 1000).unwrap();
    let one = |item: &Reflection| (item.text().to_string(), store.attempts(item.id).unwrap().len());
    queue.items.iter().map(one).collect()
}

#[test]
fn it_is_tried_until_a_text_has_no_faults_and_every_attempt_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path());
    let mut writer = Stubborn { faults: vec![2, 99, 0, 5], asked: Vec::new() };
    write(&mut store, &Contrast::default(), &mut writer, 9);
    let found = written(&store);
    assert!(!found.is_empty());
    assert_eq!(writer.asked, [found.len(); 3], "three attempts at each, the last without faults");
    assert!(
        found.iter().all(|(text, versions)| !text.contains("bad") && *versions == 2),
        "{found:?}"
    );
}

#[test]
fn where_none_is_without_faults_the_best_stands() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path());
    let mut writer = Stubborn { faults: vec![3, 1, 2], asked: Vec::new() };
    write(&mut store, &Contrast::default(), &mut writer, 3);
    let found = written(&store);
    assert!(
        found.iter().all(|(text, versions)| faults_of(text) == 1 && *versions == 3),
        "{found:?}"
    );
}

#[test]
fn each_alternative_is_written_about_by_itself_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path());
    let mut writer = Stubborn { faults: vec![0; 4], asked: Vec::new() };
    let each = Contrast { each: true, ..Contrast::default() };
    write(&mut store, &each, &mut writer, 1);
    let trajectory = store.trajectory(1).unwrap();
    let worse = store.branches(1).unwrap().iter().filter(|branch| branch.worse()).count();
    let found = written(&store);
    assert!(found.len() == worse && worse > trajectory.steps.len(), "{found:?}");
    assert!(found.iter().all(|(text, _)| text.starts_with("1 ")), "one alternative each");
    let seeds: std::collections::HashSet<&String> = found.iter().map(|(text, _)| text).collect();
    assert_eq!(seeds.len(), found.len(), "each by a seed of its own");
    // Again: nothing is missing.
    write(&mut store, &each, &mut writer, 1);
    assert_eq!(written(&store).len(), worse);
    // The template finds the states that it has a contrast in as before.
    let (control, quiet) = (Control::default(), &mut |_: serde_json::Value, _: Progress| {});
    let mut template = Template;
    let writing = Writing::once(&mut template);
    let contrast = Contrast::default();
    reflections(&mut store, &Household, &scope(), &contrast, writing, &control, quiet).unwrap();
    assert!(written(&store).len() > worse);
}

#[test]
fn a_sample_is_of_different_demonstrations_and_all_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let (control, quiet) = (Control::default(), &mut |_: serde_json::Value, _: Progress| {});
    let scope = Scope { games: 4, ..scope() };
    demonstrations(&mut store, &Household, &scope, Teacher::Suite(None), &control, quiet).unwrap();
    branches(&mut store, &Household, &scope, Draw::uniform(3), &control, quiet).unwrap();
    let mut write = |sample: Option<usize>| {
        let mut template = Template;
        let writing = Writing { sample, ..Writing::once(&mut template) };
        let contrast = Contrast::default();
        reflections(&mut store, &Household, &scope, &contrast, writing, &control, quiet).unwrap();
        let written = store.queue(&Filter::default(), Place::Start, 1000).unwrap().items;
        written.iter().map(|item| (item.trajectory, item.t)).collect::<Vec<_>>()
    };
    let sample = write(Some(3));
    let of: std::collections::BTreeSet<i64> = sample.iter().map(|(of, _)| *of).collect();
    assert_eq!((sample.len(), of.len()), (3, 3), "{sample:?}");
    // More than there are demonstrations: several of each, and what is there is not written again.
    let more = write(Some(6));
    assert_eq!(more.len(), 9, "{more:?}");
    let all = write(None);
    assert!(all.len() > more.len());
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "each state once");
}
