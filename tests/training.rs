//! What a run trains on is what it says, as a user meets it: the record, what held-out games are
//! worth, exports.

mod common;

use common::{curated, failure, foretaste, json, run};
use serde_json::Value;

fn losses(rows: &[Value]) -> Vec<(u64, f64)> {
    rows.iter().filter_map(|row| Some((row["step"].as_u64()?, row["loss"].as_f64()?))).collect()
}

#[test]
fn a_resumed_run_trains_on_what_it_began_with_whatever_was_collected_decided_or_deleted_since() {
    for objective in ["imitation", "world-model", "reflection", "dpo"] {
        let data = curated("6");
        let dir = data.path();
        let plan =
            ["train", "--objective", objective, "--from", "novice", "--steps", "8", "--batch", "2"];
        let matched: &[&str] = if objective == "world-model" { &["--match", "total"] } else { &[] };
        let plan = [&plan[..], matched].concat();
        let whole = losses(&json(dir, &[&plan[..], &["--save-every", "4"]].concat()));
        assert_eq!(whole.len(), 8);
        // The same run stopped after four updates: its record is that of a run that broke off
        // there.
        let mut child = foretaste(dir, &[&plan[..], &["--save-every", "4"]].concat())
            .arg("--json")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut seen =
            std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        assert!(
            seen.by_ref()
                .map_while(Result::ok)
                .any(|line| line.contains("saved") && line.contains("\"step\":4"))
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let checkpoints = json(dir, &["data", "list", "checkpoints"]);
        let from =
            checkpoints.iter().find(|row| row["run"] == 2).unwrap()["step"].as_u64().unwrap();
        // Meanwhile everything changes.
        json(dir, &["collect", "demos", "--games", "12", "--expert", "planner"]);
        json(dir, &["collect", "branches", "--games", "12", "-k", "5", "--expert", "fair"]);
        let first = json(dir, &["data", "list", "reflections"]);
        json(dir, &["curate", "reject", &first[0]["id"].to_string(), "GENERIC"]);
        json(dir, &["curate", "edit", &first[1]["id"].to_string(), "I should go on."]);
        json(dir, &["data", "delete", "3"]);
        let resumed = losses(&json(dir, &["train", "--resume", "2"]));
        assert_eq!(
            resumed,
            whole[from as usize..].to_vec(),
            "{objective}: losses of a run that was not stopped"
        );
        // A new run is told that there are two experts now.
        assert!(failure(&run(dir, &plan)).contains("experts: fair"), "{objective}");
    }
}

#[test]
fn a_run_without_a_record_or_with_another_plan_is_not_gone_on_with() {
    let data = curated("3");
    let dir = data.path();
    json(
        dir,
        &["train", "--objective", "imitation", "--from", "novice", "--steps", "2", "--batch", "2"],
    );
    let db = rusqlite::Connection::open(dir.join("foretaste.sqlite")).unwrap();
    db.execute_batch("UPDATE runs SET status = 'stopped'; DELETE FROM run_data").unwrap();
    assert!(
        failure(&run(dir, &["train", "--resume", "1"]))
            .contains("did not record what it trained on")
    );
    json(dir, &["train", "--objective", "imitation", "--queue"]);
    db.execute_batch(
        "UPDATE runs SET config = replace(config, '\"batch\":8', \
                      '\"batch\":8,\"suite\":null') WHERE id = 2",
    )
    .unwrap();
    let said = failure(&run(dir, &["train", "--queued"]));
    assert!(said.contains("unknown field `suite`"), "{said}");
    assert_eq!(
        json(dir, &["data", "list", "runs"])[0]["status"],
        "failed",
        "it does not wait for ever"
    );
}

#[test]
fn realised_figures_are_recorded_and_stages_are_what_the_budget_says() {
    let data = curated("6");
    let dir = data.path();
    let train = |more: &[&str]| {
        let plan = [
            "train",
            "--objective",
            "world-model",
            "--from",
            "novice",
            "--steps",
            "6",
            "--batch",
            "2",
        ];
        json(dir, &[&plan[..], more].concat())
    };
    let updates = |rows: &[Value]| -> Vec<u64> {
        rows[0]["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| stage["updates"].as_u64().unwrap())
            .collect()
    };
    let matched = train(&["--held-out", "0"]);
    assert_eq!(
        updates(&matched),
        [3, 6],
        "one epoch of six trees, then the six updates that were asked for"
    );
    assert_eq!(updates(&train(&["--held-out", "0", "--match", "total"])), [3, 3]);
    let tokens = updates(&train(&["--held-out", "0", "--match", "tokens"]));
    assert!(
        tokens[0] < 3 && tokens.iter().sum::<u64>() < 6,
        "a world-modelling update is dearer: {tokens:?}"
    );
    let rows: Vec<&Value> = matched.iter().filter(|row| row["loss"].is_number()).collect();
    let last = rows.last().unwrap();
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap();
    let count = |row: &Value, name: &str| number(row, name) as u64;
    let targets = &matched[0]["data"]["targets"];
    assert_eq!(
        count(last, "targets_observation"),
        targets[1].as_u64().unwrap(),
        "every next state once"
    );
    assert_eq!(
        count(last, "targets_action"),
        2 * targets[0].as_u64().unwrap(),
        "every action twice"
    );
    assert!(
        (number(last, "epochs") - 2.0).abs() < 1e-9
            && (number(rows[2], "epochs") - 1.0).abs() < 1e-9
    );
    let computed = number(last, "tokens") / number(last, "tokens_unique");
    assert!(
        (0.8..1.0).contains(&computed),
        "{computed}: nothing twice, ends of branches not at all"
    );
    // The second stage warms up anew, to the same rate.
    let rates: Vec<f64> = rows.iter().map(|row| number(row, "rate")).collect();
    assert!((rates[0] - rates[3]).abs() < 1e-12 && rates[2] < rates[3], "{rates:?}");
    let reflection = json(
        dir,
        &[
            "train",
            "--objective",
            "reflection",
            "--from",
            "novice",
            "--steps",
            "2",
            "--held-out",
            "0",
        ],
    );
    let row = reflection.iter().find(|row| row["loss"].is_number()).unwrap();
    let shares: f64 = ["action", "reflection", "conclusion"]
        .iter()
        .map(|kind| number(row, &format!("share_{kind}")))
        .sum();
    assert!((shares - 1.0).abs() < 1e-9);
    assert!(row["loss_reflection"].is_number() && row["loss_conclusion"].is_number());
}

#[test]
fn moments_begin_anew_or_are_kept_between_the_stages() {
    let data = curated("4");
    let plan =
        ["train", "--objective", "world-model", "--from", "novice", "--steps", "4", "--batch", "2"];
    let of = |moments: &str| {
        let rows =
            json(data.path(), &[&plan[..], &["--moments", moments, "--held-out", "0"]].concat());
        losses(&rows)
    };
    let reset = of("reset");
    let keep = of("keep");
    assert_eq!(
        reset[..3],
        keep[..3],
        "two updates of the first stage, and the loss before the first of the second"
    );
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
    let held = ["--held-out", "0.5"];
    assert!(
        train(&[&held[..], &["--from", "embedded"]].concat())[0].contains("was trained on"),
        "on all but a twentieth"
    );
    assert!(train(&["--from", "embedded"]).is_empty());
    train(&["--held-out", "0", "--from", "novice"]);
    let newest = [&held[..], &["--from", "newest"]].concat();
    let said = train(&newest); // that of the run before
    assert!(said.iter().any(|text| text.contains("run 3 step 1 was trained on")), "{said:?}");
    assert!(said.iter().any(|text| text.contains("it starts from run 3 step 1")), "{said:?}");
    // And what comes from it, and from that.
    train(&["--held-out", "0", "--from", "run 3 step 1"]);
    assert!(train(&newest).iter().any(|text| text.contains("held-out instances")));
}

#[test]
fn validation_measures_the_same_whatever_is_trained() {
    let data = curated("32");
    let valid = |objective: &str, more: &[&str]| {
        let plan = [
            "train",
            "--objective",
            objective,
            "--from",
            "embedded",
            "--steps",
            "2",
            "--batch",
            "1",
            "--rate",
            "0",
        ];
        let rows = json(data.path(), &[&plan[..], &["--held-out", "0.5"], more].concat());
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
        let said =
            failure(&run(data.path(), &[&["train", "--objective", objective][..], more].concat()));
        assert!(
            said.contains("means nothing") || said.contains("two stages"),
            "{objective} {more:?}: {said}"
        );
    }
    assert!(
        failure(&run(data.path(), &["data", "export", "--set", "imitation", "--held-out", "0.9"]))
            .contains("held-out")
    );
    for pool in ["all", "policy", "explore"] {
        let said =
            failure(&run(data.path(), &["collect", "branches", "--games", "2", "--pool", pool]));
        assert!(said.contains("cannot be filled"), "{said}");
    }
}

#[test]
fn preferences_begin_undecided_and_come_to_prefer_what_the_expert_does() {
    let data = curated("12");
    let plan = ["train", "--objective", "dpo", "--from", "novice", "--rate", "1e-3"];
    let how = ["--steps", "25", "--batch", "4", "--workers", "1", "--held-out", "0"];
    let rows = json(data.path(), &[&plan[..], &how].concat());
    let of =
        |name: &str| -> Vec<f64> { rows.iter().filter_map(|row| row[name].as_f64()).collect() };
    let (loss, preferred) = (of("loss"), of("preferred"));
    assert_eq!(loss.len(), 25);
    // Nothing has moved since the start, which is the reference: every pair costs ln 2.
    assert!((loss[0] - std::f64::consts::LN_2).abs() < 1e-6, "{loss:?}");
    assert!(preferred[0] < 1e-9 && preferred[24] > 0.8, "{preferred:?}");
    assert!(loss[24] < 0.6 && of("margin")[24] > 0.0, "{loss:?}");
    let dir = data.path();
    for odd in [&["--beta", "0"][..], &["--visits", "answers"], &["--match", "total"]] {
        assert!(!run(dir, &[&plan[..], odd].concat()).status.success(), "{odd:?}");
    }
    assert!(!run(dir, &["train", "--objective", "imitation", "--beta", "0.1"]).status.success());
}
