//! On-policy states: a policy plays training games, an expert says what it would have done there,
//! and that is what is imitated.

mod common;

use std::collections::BTreeSet;

use common::{failure, json, run};
use serde_json::Value;

fn told(rows: &[Value], name: &str) -> u64 {
    rows.iter().filter_map(|row| row[name].as_u64()).sum()
}

#[test]
fn what_the_expert_answers_where_a_policy_came_is_collected_once_and_imitated() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    json(dir, &["collect", "demos", "--games", "3"]);
    let visit = ["collect", "visits", "--games", "4", "--seed", "2", "--mind", "novice"];
    let rows = json(dir, &visit);
    let visits: Vec<&Value> = rows.iter().filter(|row| row["trajectory"].is_u64()).collect();
    assert_eq!(visits.len(), 4);
    let answers = told(&rows, "answers");
    let steps = told(&rows, "steps");
    assert!(answers > 20 && answers <= steps, "{answers} answers in {steps} states");
    let agreed = told(&rows, "as_the_expert");
    assert!(agreed < answers, "a novice does not do what the expert does");
    // Again: nothing new, and it is said.
    let again = json(dir, &visit);
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(again[0]["visited_before"], 4);
    // Another expert answers in the same visits; the same in another way is refused.
    let other =
        json(dir, &[&visit[..], &["--expert", "planner", "--pool", "answers: other"]].concat());
    assert_eq!(told(&other, "answers"), steps);
    let warm = failure(&run(dir, &[&visit[..], &["--temperature", "1"]].concat()));
    assert!(warm.contains("by this seed before") && warm.contains("--seed"), "{warm}");
    assert_eq!(json(dir, &["data", "list", "visits"]).len(), 4);
    // With other draws they are other visits; no more answers than asked for, in states of all of it.
    let few = json(
        dir,
        &[
            "collect",
            "visits",
            "--games",
            "2",
            "--seed",
            "3",
            "--mind",
            "novice",
            "--answers",
            "5",
            "--pool",
            "answers: few",
        ],
    );
    assert!(few.iter().all(|row| row["answers"].as_u64().unwrap() <= 5), "{few:?}");
    assert_eq!(told(&few, "answers"), 10);

    let train = [
        "train",
        "--objective",
        "imitation",
        "--from",
        "novice",
        "--steps",
        "2",
        "--held-out",
        "0",
    ];
    let begun = |more: &[&str]| -> Value {
        let rows = json(dir, &[&train[..], more].concat());
        rows.into_iter().find(|row| row["data"].is_object()).unwrap()["data"].clone()
    };
    let without = begun(&[]);
    assert_eq!((&without["visits"], &without["answers"]), (&0.into(), &0.into()));
    let with = begun(&["--visits"]);
    assert_eq!(with["visits"], 4);
    assert_eq!(with["answers"], answers);
    assert_eq!(with["demonstrations"], 3);
    assert_eq!(begun(&["--visits", "answers: few"])["answers"], 10);
    // An export has the same examples: a line for each.
    let lines = |more: &[&str]| {
        json(
            dir,
            &[&["data", "export", "--set", "imitation", "--held-out", "0"][..], more].concat(),
        )
        .len() as u64
    };
    assert_eq!(lines(&["--visits"]), lines(&[]) + answers);
}

#[test]
fn alternatives_are_executed_where_a_policy_came_and_all_of_it_goes_into_another_store() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    json(dir, &["collect", "demos", "--games", "3"]);
    let rows = json(dir, &["collect", "visits", "--games", "4", "--mind", "novice"]);
    let answers = told(&rows, "answers");
    // Held against the answers; world modelling takes both.
    json(dir, &["collect", "branches", "--games", "3", "-k", "2"]);
    let branches = json(dir, &["collect", "branches", "--games", "9", "-k", "2", "--visits"]);
    assert!(branches.last().unwrap()["new"].as_u64().unwrap() > answers, "{branches:?}");
    let world = json(
        dir,
        &[
            "train",
            "--objective",
            "world-model",
            "--from",
            "novice",
            "--steps",
            "2",
            "--held-out",
            "0",
            "--visits",
            "--match",
            "total",
            "--alternatives-only",
            "--without",
            "no-op,error",
        ],
    );
    let world = &world.iter().find(|row| row["data"].is_object()).unwrap()["data"];
    assert!(world["left_out"]["effects"].as_u64().unwrap() > 0, "{world}");
    assert_eq!(world["answers"], answers);

    // They go into another store with everything else, as what they are.
    let file = dir.join("all.jsonl");
    let file = file.to_str().unwrap();
    json(dir, &["data", "export", "--set", "trajectories", "--out", file]);
    let other = tempfile::tempdir().unwrap();
    json(other.path(), &["data", "import", file]);
    let kinds: BTreeSet<String> = json(other.path(), &["data", "list", "trajectories"])
        .iter()
        .map(|row| row["purpose"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(kinds, BTreeSet::from(["demonstration".to_string(), "visit".to_string()]));
}

#[test]
fn what_means_nothing_about_visits_is_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    json(dir, &["collect", "demos", "--games", "2"]);
    let train = |more: &[&str]| {
        failure(&run(
            dir,
            &[&["train", "--from", "novice", "--steps", "2", "--objective"], more].concat(),
        ))
    };
    assert!(train(&["list", "--visits"]).contains("--visits"));
    assert!(train(&["imitation", "--visits"]).contains("no answers of this expert"));
    assert!(train(&["imitation", "--visits", "uniform"]).contains("not of an expert's answers"));
    assert!(train(&["imitation", "--without", "error"]).contains("--without"));
    assert!(train(&["imitation", "--errors", "0.5"]).contains("--errors"));
    assert!(train(&["imitation", "--alternatives-only"]).contains("--alternatives-only"));
    let odd = run(dir, &["train", "--objective", "world-model", "--without", "nothing"]);
    assert_eq!(odd.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&odd.stderr).contains("no effect `nothing`"));
    let all = "changed,no-op,error,same-as-expert,equally-good,no-worse,ends";
    json(dir, &["collect", "branches", "--games", "2", "-k", "2"]);
    assert!(train(&["world-model", "--without", all]).contains("left out by their effects"));
    let pool = run(dir, &["collect", "branches", "--games", "2", "--pool", "answers"]);
    assert!(failure(&pool).contains("cannot be filled in this way"));
    let none = run(dir, &["collect", "branches", "--games", "2", "--visits"]);
    let said = failure(&none);
    assert!(said.contains("there are no visits") && said.contains("collect visits"), "{said}");
}
