//! What a run trains on is what it says, as a user meets it: the record, what held-out games are worth, exports.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{failure, foretaste, json, run};
use foretaste::store::Store;
use serde_json::Value;

/// Demonstrations, alternatives and approved reflections of a few games.
fn curated(games: &str) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    json(dir, &["collect", "demos", "--games", games]);
    json(dir, &["collect", "branches", "--games", games, "-k", "3"]);
    json(dir, &["collect", "branches", "--games", games, "-k", "2", "--proposer", "policy"]);
    json(dir, &["collect", "reflections", "--games", games]);
    approve_all(dir);
    data
}

fn approve_all(dir: &Path) {
    let ids: Vec<String> = json(dir, &["data", "list", "reflections"]).iter().map(|row| row["id"].to_string()).collect();
    let mut args = vec!["curate", "approve"];
    args.extend(ids.iter().map(String::as_str));
    json(dir, &args);
}

fn losses(rows: &[Value]) -> Vec<(u64, f64)> {
    rows.iter().filter_map(|row| Some((row["step"].as_u64()?, row["loss"].as_f64()?))).collect()
}

#[test]
fn a_resumed_run_trains_on_what_it_began_with_whatever_was_collected_decided_or_deleted_since() {
    for objective in ["imitation", "world-model", "reflection"] {
        let data = curated("6");
        let dir = data.path();
        let plan = ["train", "--objective", objective, "--from", "novice", "--steps", "8", "--batch", "2"];
        let matched: &[&str] = if objective == "world-model" { &["--match", "total"] } else { &[] };
        let plan = [&plan[..], matched].concat();
        let whole = losses(&json(dir, &[&plan[..], &["--save-every", "4"]].concat()));
        assert_eq!(whole.len(), 8);
        // The same run stopped after four updates: its record is that of a run that broke off there.
        let mut child = foretaste(dir, &[&plan[..], &["--save-every", "4"]].concat())
            .arg("--json")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut seen = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        assert!(seen.by_ref().map_while(Result::ok).any(|line| line.contains("saved") && line.contains("\"step\":4")));
        child.kill().unwrap();
        child.wait().unwrap();
        let checkpoints = json(dir, &["data", "list", "checkpoints"]);
        let from = checkpoints.iter().find(|row| row["run"] == 2).unwrap()["step"].as_u64().unwrap();
        // Meanwhile everything changes.
        json(dir, &["collect", "demos", "--games", "12", "--expert", "planner"]);
        json(dir, &["collect", "branches", "--games", "12", "-k", "5", "--expert", "fair"]);
        let first = json(dir, &["data", "list", "reflections"]);
        json(dir, &["curate", "reject", &first[0]["id"].to_string(), "GENERIC"]);
        json(dir, &["curate", "edit", &first[1]["id"].to_string(), "I should go on."]);
        json(dir, &["data", "delete", "3"]);
        let resumed = losses(&json(dir, &["train", "--resume", "2"]));
        assert_eq!(resumed, whole[from as usize..].to_vec(), "{objective}: losses of a run that was not stopped");
        // A new run is told that there are two experts now.
        assert!(failure(&run(dir, &plan)).contains("experts: fair"), "{objective}");
    }
}

#[test]
fn a_run_without_a_record_or_with_another_plan_is_not_gone_on_with() {
    let data = curated("3");
    let dir = data.path();
    json(dir, &["train", "--objective", "imitation", "--from", "novice", "--steps", "2", "--batch", "2"]);
    let db = rusqlite::Connection::open(dir.join("foretaste.sqlite")).unwrap();
    db.execute_batch("UPDATE runs SET status = 'stopped'; DELETE FROM run_data").unwrap();
    assert!(failure(&run(dir, &["train", "--resume", "1"])).contains("did not record what it trained on"));
    json(dir, &["train", "--objective", "imitation", "--queue"]);
    db.execute_batch("UPDATE runs SET config = replace(config, '\"batch\":8', '\"batch\":8,\"suite\":null') WHERE id = 2")
        .unwrap();
    let said = failure(&run(dir, &["train", "--queued"]));
    assert!(said.contains("unknown field `suite`"), "{said}");
    assert_eq!(json(dir, &["data", "list", "runs"])[0]["status"], "failed", "it does not wait for ever");
}

#[test]
fn realised_figures_are_recorded_and_stages_are_what_the_budget_says() {
    let data = curated("6");
    let dir = data.path();
    let train = |more: &[&str]| {
        let plan = ["train", "--objective", "world-model", "--from", "novice", "--steps", "6", "--batch", "2"];
        json(dir, &[&plan[..], more].concat())
    };
    let updates = |rows: &[Value]| -> Vec<u64> {
        rows[0]["stages"].as_array().unwrap().iter().map(|stage| stage["updates"].as_u64().unwrap()).collect()
    };
    let matched = train(&["--held-out", "0"]);
    assert_eq!(updates(&matched), [3, 6], "one epoch of six trees, then the six updates that were asked for");
    assert_eq!(updates(&train(&["--held-out", "0", "--match", "total"])), [3, 3]);
    let tokens = updates(&train(&["--held-out", "0", "--match", "tokens"]));
    assert!(tokens[0] < 3 && tokens.iter().sum::<u64>() < 6, "a world-modelling update is dearer: {tokens:?}");
    let rows: Vec<&Value> = matched.iter().filter(|row| row["loss"].is_number()).collect();
    let last = rows.last().unwrap();
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap();
    let count = |row: &Value, name: &str| number(row, name) as u64;
    let targets = &matched[0]["data"]["targets"];
    assert_eq!(count(last, "targets_observation"), targets[1].as_u64().unwrap(), "every next state once");
    assert_eq!(count(last, "targets_action"), 2 * targets[0].as_u64().unwrap(), "every action twice");
    assert!((number(last, "epochs") - 2.0).abs() < 1e-9 && (number(rows[2], "epochs") - 1.0).abs() < 1e-9);
    assert!((number(last, "tokens") - number(last, "tokens_unique")).abs() < 1e-9, "nothing was cut");
    // The second stage warms up anew, to the same rate.
    let rates: Vec<f64> = rows.iter().map(|row| number(row, "rate")).collect();
    assert!((rates[0] - rates[3]).abs() < 1e-12 && rates[2] < rates[3], "{rates:?}");
    let reflection =
        json(dir, &["train", "--objective", "reflection", "--from", "novice", "--steps", "2", "--held-out", "0"]);
    let row = reflection.iter().find(|row| row["loss"].is_number()).unwrap();
    let shares: f64 = ["action", "reflection", "conclusion"].iter().map(|kind| number(row, &format!("share_{kind}"))).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    assert!(row["loss_reflection"].is_number() && row["loss_conclusion"].is_number());
}

#[test]
fn moments_begin_anew_or_are_kept_between_the_stages() {
    let data = curated("4");
    let plan = ["train", "--objective", "world-model", "--from", "novice", "--steps", "4", "--batch", "2"];
    let of = |moments: &str| {
        let rows = json(data.path(), &[&plan[..], &["--moments", moments, "--held-out", "0"]].concat());
        losses(&rows)
    };
    let reset = of("reset");
    let keep = of("keep");
    assert_eq!(reset[..3], keep[..3], "two updates of the first stage, and the loss before the first of the second");
    assert_ne!(reset[3], keep[3]);
}

#[test]
fn a_start_model_that_saw_the_held_out_games_is_said_to_have_seen_them() {
    let data = curated("30");
    let dir = data.path();
    let train = |more: &[&str]| {
        let plan = ["train", "--objective", "imitation", "--steps", "1", "--batch", "2"];
        let begun = json(dir, &[&plan[..], more].concat())[0].clone();
        begun["warnings"].as_array().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let held = ["--held-out", "0.2"];
    assert!(train(&[&held[..], &["--from", "embedded"]].concat())[0].contains("was trained on"), "on all but a twentieth");
    assert!(train(&["--from", "embedded"]).is_empty());
    train(&["--held-out", "0", "--from", "novice"]);
    let said = train(&held); // from the newest checkpoint, that of the run before
    assert!(said.iter().any(|text| text.contains("run 3 step 1 was trained on")), "{said:?}");
    assert!(said.iter().any(|text| text.contains("it starts from run 3 step 1")), "{said:?}");
    // And what comes from it, and from that.
    train(&["--held-out", "0", "--from", "run 3 step 1"]);
    assert!(train(&held).iter().any(|text| text.contains("held-out instances")));
}

#[test]
fn validation_measures_the_same_whatever_is_trained() {
    let data = curated("20");
    let valid = |objective: &str, more: &[&str]| {
        let plan = ["train", "--objective", objective, "--from", "embedded", "--steps", "2", "--batch", "1", "--rate", "0"];
        let rows = json(data.path(), &[&plan[..], &["--held-out", "0.3"], more].concat());
        let row = rows.iter().rev().find(|row| row["valid_action"].is_number()).unwrap().clone();
        ["valid_action", "valid_observation", "valid_reflection"].map(|name| row[name].to_string())
    };
    let imitation = valid("imitation", &[]);
    for (objective, more) in [
        ("world-model", &["--match", "total"][..]),
        ("world-model", &["--match", "total", "-k", "0"]),
        ("world-model", &["--match", "total", "--shuffled"]),
        ("reflection", &[]),
    ] {
        assert_eq!(valid(objective, more), imitation, "{objective} {more:?}");
    }
}

#[test]
fn options_that_mean_nothing_for_an_objective_are_refused() {
    let data = curated("2");
    for (objective, more) in [
        ("imitation", &["--shuffled"][..]),
        ("imitation", &["--branches", "policy"]),
        ("reflection", &["-k", "2"]),
        ("imitation", &["--match", "total"]),
        ("world-model", &["-k", "0", "--shuffled"]),
        ("world-model", &["--match", "total", "--steps", "1"]),
    ] {
        let said = failure(&run(data.path(), &[&["train", "--objective", objective][..], more].concat()));
        assert!(said.contains("means nothing") || said.contains("two stages"), "{objective} {more:?}: {said}");
    }
    assert!(
        failure(&run(data.path(), &["data", "export", "--set", "imitation", "--held-out", "0.9"])).contains("held-out")
    );
    for pool in ["all", "policy", "explore"] {
        let said = failure(&run(data.path(), &["collect", "branches", "--games", "2", "--pool", pool]));
        assert!(said.contains("cannot be filled"), "{said}");
    }
}

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
    let data = curated("12");
    let dir = data.path();
    // An exploration with an approved reflection, and a test split.
    let mut store = Store::open(dir).unwrap();
    let mut wandering = store.trajectory(2).unwrap();
    wandering.purpose = foretaste::experience::Purpose::Exploration;
    let id = store.add_trajectory(&wandering).unwrap();
    let branch = store.branches(2).unwrap()[0].clone();
    let place =
        foretaste::experience::Membership { pool: "explore".into(), rank: 0, source: "human".into(), model: String::new() };
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

    let held = ["--held-out", "0.3"];
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
    assert!(exported(dir, "imitation", &["--split", "all", "--held-out", "0"]).len() > train + rest);
    // An evaluator with the prompt of imitation asks what reflections were trained on.
    let system = |set: &str| json(dir, &["data", "export", "--set", set])[0]["messages"][0]["content"].clone();
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
    let written =
        json(dir, &["collect", "reflections", "--games", "2", "--generator", "model", "--checkpoint", "embedded"]);
    let ids: Vec<String> =
        written.iter().flat_map(|row| row["reflections"].as_array().unwrap().clone()).map(|id| id.to_string()).collect();
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
        let plan = ["train", "--objective", "reflection", "--from", "novice", "--steps", "1", "--held-out", "0"];
        json(dir, &[&plan[..], more].concat())[0]["data"].clone()
    };
    let without = begun(&[]);
    let with = begun(&["--rationales"]);
    assert_eq!(without["left_out"]["rationales"], ids.len());
    assert_eq!(with["left_out"]["rationales"], 0);
    assert_eq!(without["reflections"], with["reflections"], "a rationale takes the place of the older text of its state");
    let texts =
        |more: &[&str]| json(dir, &[&["data", "export", "--set", "reflection", "--held-out", "0"][..], more].concat());
    assert_ne!(texts(&[]), texts(&["--rationales"]));
}
