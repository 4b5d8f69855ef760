//! What is exported is what is trained on.

mod common;

use common::{curated, failure, json, run};
use foretaste::store::Store;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The user's and the assistant's words of exported examples, sorted.
fn exported(dir: &Path, set: &str, more: &[&str]) -> Vec<(String, String)> {
    let rows = json(dir, &[&["data", "export", "--set", set][..], more].concat());
    let words = |row: &Value, i: usize| row["messages"][i]["content"].as_str().unwrap().to_string();
    let mut found: Vec<_> = rows.iter().map(|row| (words(row, 1), words(row, 2))).collect();
    found.sort();
    found
}

#[test]
fn what_is_exported_is_what_is_trained_on() {
    let data = curated("32");
    let dir = data.path();
    // An exploration with an approved reflection, and a test split.
    let mut store = Store::open(dir).unwrap();
    let mut wandering = store.trajectory(2).unwrap();
    wandering.purpose = foretaste::experience::Purpose::Exploration;
    let id = store.add_trajectory(&wandering).unwrap();
    let branch = store.branches(2).unwrap()[0].clone();
    let place = foretaste::experience::Membership {
        pool: "explore".into(),
        rank: 0,
        source: "human".into(),
        model: String::new(),
    };
    let branch = foretaste::experience::Branch { trajectory: id, ..branch };
    let t = branch.t;
    let cites = store.add_branches(&[foretaste::store::Drawn { branch, place }]).unwrap();
    let written = foretaste::store::NewReflection {
        trajectory: id,
        t,
        generator: "template".into(),
        cites,
        text: "I was here by myself.".into(),
    };
    let reflection = store.add_reflections(&[written]).unwrap()[0];
    store.decide(reflection, &foretaste::store::Decision::Approve).unwrap();
    drop(store);
    json(dir, &["collect", "demos", "--games", "3", "--split", "unseen"]);

    let held = ["--held-out", "0.5"];
    let trained = trained_on(dir, &held);
    assert_eq!(exported(dir, "imitation", &held), trained["action"]);
    assert_eq!(exported(dir, "world-model", &held), trained["observation"]);
    let reflections = exported(dir, "reflection", &held);
    assert_eq!(reflections, trained["reflection"]);
    assert!(reflections.iter().any(|(_, text)| text.contains("by myself")), "also of explorations");
    // What is held out is the rest.
    let valid = [&held[..], &["--validation"]].concat();
    let train = exported(dir, "imitation", &held).len();
    let rest = exported(dir, "imitation", &valid).len();
    assert!(rest > 0);
    assert_eq!(train + rest, exported(dir, "imitation", &["--held-out", "0"]).len());
    assert!(
        exported(dir, "imitation", &["--split", "all", "--held-out", "0"]).len() > train + rest
    );
    // An evaluator with the prompt of imitation asks what reflections were trained on.
    let system = |set: &str| {
        json(dir, &["data", "export", "--set", set])[0]["messages"][0]["content"].clone()
    };
    assert_eq!(system("imitation"), system("reflection"));
    let refused = run(dir, &["data", "export", "--set", "trajectories", "--expert", "fair"]);
    assert!(failure(&refused).contains("--expert"));
}

/// The (state, target) pairs of the very trees that runs train on, written as exports write them.
fn trained_on(dir: &Path, held: &[&str]) -> BTreeMap<&'static str, Vec<(String, String)>> {
    use foretaste::model::Model;
    use foretaste::selection::Criteria;
    use foretaste::train::data::Data;
    use foretaste::train::{Objective, Plan};
    let store = Store::open(dir).unwrap();
    let model = Model::embedded().unwrap();
    let tokenizer = &model.tokenizer;
    let mut found: BTreeMap<&'static str, Vec<(String, String)>> = BTreeMap::new();
    for objective in [Objective::WorldModel, Objective::Reflection] {
        let mut plan = Plan::new(objective, 1, 1);
        plan.data = Criteria { held_out: held[1].parse().unwrap(), ..Criteria::default() };
        let data = Data::choose(&store, &plan, tokenizer, 1 << 16).unwrap();
        for (kind, before, own) in data.pairs() {
            let text = |tokens: &[u32]| tokenizer.decode_all(tokens).unwrap();
            let user = text(&before)
                .replace("<|task|>", "Task: ")
                .replacen("<|obs|>", "\n\n", 1)
                .replace("<|end|><|act|>", "\n\n> ")
                .replace("<|end|><|obs|>", "\n")
                .replace("<|end|><|think|>", "");
            let own = text(&own);
            let own = own.trim_end_matches("<|end|>");
            let pair = match kind {
                "action" if objective == Objective::WorldModel => {
                    (user.trim_end_matches("\n\n> ").to_string(), format!("<action>{own}</action>"))
                }
                "observation" if objective == Objective::WorldModel => {
                    (user.trim_end_matches('\n').to_string(), own.into())
                }
                "reflection" => {
                    let (thought, action) = own.split_once("<|end|><|act|>").unwrap();
                    (user, format!("<think>{thought}</think><action>{action}</action>"))
                }
                _ => continue,
            };
            found.entry(kind).or_default().push(pair);
        }
    }
    for pairs in found.values_mut() {
        pairs.sort();
    }
    found
}

#[test]
fn a_rationale_cites_nothing_and_is_trained_on_only_when_asked_for() {
    let data = curated("4");
    let dir = data.path();
    let written = json(
        dir,
        &[
            "collect",
            "reflections",
            "--games",
            "2",
            "--generator",
            "model",
            "--checkpoint",
            "embedded",
        ],
    );
    let ids: Vec<String> = written
        .iter()
        .flat_map(|row| row["reflections"].as_array().unwrap().clone())
        .map(|id| id.to_string())
        .collect();
    assert!(!ids.is_empty());
    let all = json(dir, &["data", "list", "reflections"]);
    for row in all.iter().filter(|row| ids.contains(&row["id"].to_string())) {
        assert_eq!(row["generator"], "rationale-only by embedded");
        assert_eq!(row["cites"], Value::Array(vec![]));
    }
    let mut args = vec!["curate", "approve"];
    args.extend(ids.iter().map(String::as_str));
    json(dir, &args);
    let begun = |more: &[&str]| {
        let plan = [
            "train",
            "--objective",
            "reflection",
            "--from",
            "novice",
            "--steps",
            "1",
            "--held-out",
            "0",
        ];
        json(dir, &[&plan[..], more].concat())[0]["data"].clone()
    };
    let without = begun(&[]);
    let with = begun(&["--rationales"]);
    assert_eq!(without["left_out"]["rationales"], ids.len());
    assert_eq!(with["left_out"]["rationales"], 0);
    assert_eq!(
        without["reflections"], with["reflections"],
        "a rationale takes the place of the older text of its state"
    );
    let texts = |more: &[&str]| {
        json(
            dir,
            &[&["data", "export", "--set", "reflection", "--held-out", "0"][..], more].concat(),
        )
    };
    assert_ne!(texts(&[]), texts(&["--rationales"]));
}
