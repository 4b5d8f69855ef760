//! From one store into another: everything arrives, once, and a file with a mistake is refused as a
//! whole.

mod common;

use common::{failure, foretaste, json, lines, run};
use foretaste::store::Store;
use serde_json::Value;

/// A store with a few games of which some reflections are decided.
fn curated() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    json(dir, &["collect", "demos", "--games", "4"]);
    json(dir, &["collect", "branches", "--games", "4", "-k", "3"]);
    json(dir, &["collect", "reflections", "--games", "4"]);
    json(dir, &["curate", "approve", "1", "2"]);
    json(dir, &["curate", "reject", "3", "GENERIC"]);
    json(dir, &["curate", "edit", "4", "I should look there first, 日本 \"quoted\"."]);
    data
}

#[test]
fn everything_arrives_in_another_store_and_only_once() {
    let from = curated();
    let to = tempfile::tempdir().unwrap();
    let file = from.path().join("all.jsonl");
    let path = file.to_str().unwrap();
    let check = json(from.path(), &["data", "export", "--set", "trajectories", "--check"]);
    let written = json(from.path(), &["data", "export", "--set", "trajectories", "--out", path]);
    assert_eq!(
        (&check[0]["examples"], &check[0]["bytes"]),
        (&written[0]["examples"], &written[0]["bytes"])
    );
    assert_eq!(check[0]["bytes"].as_u64().unwrap(), std::fs::metadata(&file).unwrap().len());
    assert!(
        failure(&run(from.path(), &["data", "export", "--set", "trajectories", "--out", path]))
            .contains("already there")
    );

    let said = &json(to.path(), &["data", "import", path, "--check"])[0];
    assert_eq!(
        (&said["trajectories"], &said["decided"], &said["known"]),
        (&4.into(), &4.into(), &0.into())
    );
    assert_eq!(
        json(to.path(), &["data", "list"])[0]["demonstrations"],
        0,
        "a check takes nothing in"
    );
    let done = &json(to.path(), &["data", "import", path])[0];
    assert_eq!(done["reflections"], said["reflections"]);
    let whole = |dir: &std::path::Path| {
        let store = Store::open(dir).unwrap();
        let ids: Vec<i64> =
            store.experiences(None, None).unwrap().iter().map(|row| row.id).collect();
        ids.iter()
            .map(|id| serde_json::to_value(store.record(*id).unwrap()).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(whole(from.path()), whole(to.path()));
    for set in ["imitation", "world-model", "reflection"] {
        let sft = |dir: &std::path::Path| lines(&run(dir, &["data", "export", "--set", set]));
        assert_eq!(sft(from.path()), sft(to.path()), "{set}");
    }
    let again = &json(to.path(), &["data", "import", path])[0];
    assert_eq!((&again["trajectories"], &again["known"]), (&0.into(), &4.into()));
    // Every act with its time, though the rows have other numbers.
    let acts = |dir: &std::path::Path| {
        let mut acts = json(dir, &["data", "audit"]);
        let unnumbered = |act: &mut Value| {
            for key in ["id", "batch", "reflection"] {
                act[key] = Value::Null;
            }
            act.to_string()
        };
        let mut acts: Vec<String> = acts.iter_mut().map(unnumbered).collect();
        acts.sort();
        acts
    };
    assert_eq!(acts(from.path()), acts(to.path()));
    assert_eq!(json(to.path(), &["curate", "undo"])[0]["count"], 4, "what came decided is one act");
    assert_eq!(json(to.path(), &["data", "list"])[0]["approved"], 0);
    let none = json(
        from.path(),
        &["data", "export", "--set", "imitation", "--split", "unseen", "--check"],
    );
    assert_eq!(none[0]["examples"], 0);
}

#[test]
fn the_same_demonstration_twice_in_a_file_is_two_with_the_decisions_of_both() {
    let from = curated();
    let mut store = Store::open(from.path()).unwrap();
    let again = store.trajectory(1).unwrap();
    let second = store.add_trajectory(&again).unwrap();
    drop(store);
    json(from.path(), &["collect", "branches", "--games", "4", "-k", "3"]);
    json(from.path(), &["collect", "reflections", "--games", "4"]);
    let own = |dir: &std::path::Path, id: i64| Store::open(dir).unwrap().record(id).unwrap();
    let reflections = own(from.path(), second).reflections.len();
    assert!(reflections > 0, "the second has reflections of its own");
    let file = from.path().join("all.jsonl");
    let path = file.to_str().unwrap();
    json(from.path(), &["data", "export", "--set", "trajectories", "--out", path]);
    let to = tempfile::tempdir().unwrap();
    let done = &json(to.path(), &["data", "import", path])[0];
    assert_eq!((&done["trajectories"], &done["known"]), (&5.into(), &0.into()));
    assert_eq!(own(to.path(), 5).reflections.len(), reflections);
    // A store that has one of the two gets the other, and what the first lacks.
    let third = tempfile::tempdir().unwrap();
    let mut store = Store::open(third.path()).unwrap();
    store.add_trajectory(&again).unwrap();
    drop(store);
    let done = &json(third.path(), &["data", "import", path])[0];
    let counts = ["trajectories", "known", "completed"].map(|key| done[key].as_u64().unwrap());
    assert_eq!(counts, [4, 1, 1]);
    assert_eq!(own(third.path(), 1).reflections.len(), own(from.path(), 1).reflections.len());
}

#[test]
fn a_file_with_a_mistake_is_refused_as_a_whole_with_its_line() {
    let from = curated();
    let to = tempfile::tempdir().unwrap();
    let good = run(from.path(), &["data", "export", "--set", "trajectories"]).stdout;
    let good: Vec<String> = String::from_utf8(good).unwrap().lines().map(str::to_string).collect();
    let spoiled = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&good[2]).unwrap();
        change(&mut value);
        value.to_string()
    };
    let third = [
        (String::from("{\"half\": "), "not a trajectory"),
        (spoiled(&|v| v["branches"][0]["t"] = 999.into()), "999"),
        (spoiled(&|v| v["reflections"][0]["cites"][0] = "fly away".into()), "UNEXECUTED"),
        (spoiled(&|v| v["reflections"][0]["cites"] = Value::Array(vec![])), "UNEXECUTED"),
        (spoiled(&|v| v["reflections"][0]["version"] = 7.into()), "version 7"),
        (spoiled(&|v| v["trajectory"]["purpose"] = "evaluation".into()), "evaluation"),
        (spoiled(&|v| _ = v["trajectory"].as_object_mut().unwrap().remove("steps")), "steps"),
    ];
    for (line, why) in third {
        let file = from.path().join("bad.jsonl");
        std::fs::write(&file, format!("{}\n\n{line}\n{}\n", good[0], good[1])).unwrap();
        let said = failure(&run(to.path(), &["data", "import", file.to_str().unwrap()]));
        assert!(said.contains("line 3") && said.contains(why), "{said}");
        assert_eq!(json(to.path(), &["data", "list"])[0]["demonstrations"], 0, "{why}");
    }
    assert!(
        failure(&run(to.path(), &["data", "import", "/nowhere.jsonl"])).contains("/nowhere.jsonl")
    );
}

#[test]
fn an_import_killed_at_any_moment_goes_on_where_it_was() {
    let from = curated();
    let to = tempfile::tempdir().unwrap();
    let one = run(from.path(), &["data", "export", "--set", "trajectories"]).stdout;
    let mut record: Value =
        serde_json::from_str(String::from_utf8(one).unwrap().lines().next().unwrap()).unwrap();
    let total = 3000;
    let lines: Vec<String> = (0..total)
        .map(|i| {
            record["trajectory"]["task_id"] = format!("train/{i}").into();
            record.to_string()
        })
        .collect();
    let file = from.path().join("many.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let path = file.to_str().unwrap();
    let reflections = record["reflections"].as_array().unwrap().len() as u64;
    let mut seen = std::collections::BTreeSet::new();
    for pause in [80, 160, 240, 320, 400, 480] {
        let mut child = foretaste(to.path(), &["data", "import", path])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        _ = child.kill();
        child.wait().unwrap();
        let counts = &json(to.path(), &["data", "list"])[0];
        let there = counts["demonstrations"].as_u64().unwrap();
        let decided: u64 = ["pending", "approved", "rejected"]
            .iter()
            .map(|key| counts[*key].as_u64().unwrap())
            .sum();
        assert_eq!(decided, there * reflections, "a trajectory came without its reflections");
        seen.insert(there);
    }
    eprintln!("trajectories there after each kill: {seen:?}");
    json(to.path(), &["data", "import", path]);
    assert_eq!(json(to.path(), &["data", "list"])[0]["demonstrations"], total);
    assert_eq!(json(to.path(), &["data", "import", path])[0]["known"], total);
}

#[test]
fn what_another_demonstration_says_already_is_found_taken_out_and_put_back() {
    let data = curated();
    let dir = data.path();
    assert!(json(dir, &["data", "duplicates"]).is_empty());
    let store = &mut Store::open(dir).unwrap();
    let first = store.trajectory(1).unwrap();
    let again = store.add_trajectory(&first).unwrap();
    let mut other = first.clone();
    other.actor = "somebody else".into();
    store.add_trajectory(&other).unwrap();
    let found = json(dir, &["data", "duplicates"]);
    let [one] = &found[..] else { panic!("{found:?}") };
    // The decided one stays, whichever came first.
    assert_eq!((&one["trajectory"], &one["same_as"]), (&again.into(), &1.into()));
    assert_eq!((&one["deleted"], &one["reflections"]), (&false.into(), &0.into()));
    let count = || json(dir, &["data", "list"])[0]["demonstrations"].as_u64().unwrap();
    assert_eq!(count(), 6);
    let gone = json(dir, &["data", "duplicates", "--delete"]);
    assert_eq!((gone.len(), count()), (2, 5));
    let undo = gone[1]["undo"].as_str().unwrap().strip_prefix("foretaste ").unwrap();
    assert!(failure(&run(dir, &["data", "undelete", "1", "99"])).contains("no trajectory 99"));
    json(dir, &undo.split(' ').collect::<Vec<_>>());
    assert_eq!(count(), 6);
    assert_eq!(json(dir, &["data", "duplicates"]).len(), 1);
}

/// The data of others that stands beside the checkout, if it does.
fn formats() -> Option<std::path::PathBuf> {
    let folder = common::shared()?.parent()?.join("formats");
    folder.is_dir().then_some(folder)
}

#[test]
fn trajectories_of_other_tools_are_taken_in_whole_or_not_at_all() {
    let Some(folder) = formats() else { return };
    let dir = tempfile::tempdir().unwrap();
    // File, trajectories, steps: as its tool wrote them.
    for (name, trajectories, steps) in [
        ("atif_v1.7_ours_validated.json", 1, 1),
        ("inspect_log_v2_abridged.json", 1, 1),
        ("otel_genai_span.json", 1, 1),
        ("llamafactory_messages.jsonl", 1, 1),
        ("trl_messages.jsonl", 1, 1),
        ("trl_prompt_completion.jsonl", 1, 1),
        ("sharegpt_agentgym.json", 1, 1),
        ("swe_agent_function_calling_demo.traj", 1, 5),
        ("swe_agent_v0_demo.traj", 1, 4),
        ("swe_agent_v1.traj", 1, 5),
    ] {
        let path = folder.join(name).display().to_string();
        let check = json(dir.path(), &["data", "import", "--check", &path]);
        assert_eq!(check[0]["trajectories"], trajectories, "{name}");
        let taken = json(dir.path(), &["data", "import", &path]);
        assert_eq!(
            (&taken[0]["trajectories"], &taken[0]["steps"]),
            (&trajectories.into(), &steps.into()),
            "{name}"
        );
        // Again it is known, and nothing is added.
        let again = json(dir.path(), &["data", "import", &path]);
        assert_eq!(
            (&again[0]["trajectories"], &again[0]["completed"]),
            (&0.into(), &0.into()),
            "{name}"
        );
    }
    let whole = json(dir.path(), &["data", "show", "1"]);
    assert_eq!(whole[0]["branches"][0]["action"], "[down]", "an executed alternative of ours");
    // What is not understood is kept: the item as it came.
    let source = whole[0]["imported_from"]["source"].as_str().unwrap();
    assert!(source.contains("replay_verified"), "{source}");
    for (name, said) in [
        ("trl_pretokenized.jsonl", "tokens without"),
        ("openhands_shapes.json", "none of the shapes"),
    ] {
        let path = folder.join(name).display().to_string();
        assert!(failure(&run(dir.path(), &["data", "import", &path])).contains(said), "{name}");
    }
    let before = json(dir.path(), &["data", "list"]);
    let broken = dir.path().join("broken.jsonl");
    let line = std::fs::read_to_string(folder.join("trl_messages.jsonl")).unwrap();
    std::fs::write(&broken, format!("{}\n{{\"messages\": 3}}\n", line.trim())).unwrap();
    let said = failure(&run(dir.path(), &["data", "import", &broken.display().to_string()]));
    assert!(said.contains("broken.jsonl line 2"), "{said}");
    assert_eq!(json(dir.path(), &["data", "list"]), before, "nothing of it was taken in");
}

#[test]
fn training_sets_leave_in_the_layouts_of_other_trainers_with_a_manifest() {
    let data = common::curated("6");
    let dir = data.path();
    let lines = |file: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let export = |set: &str, more: &[&str], file: &str| {
        let path = dir.join(file).display().to_string();
        json(dir, &[&["data", "export", "--set", set, "--out", &path], more].concat());
        lines(file)
    };
    let split = export("imitation", &["--format", "prompt-completion"], "a.jsonl");
    let whole = export("imitation", &[], "b.jsonl");
    assert_eq!(split.len(), whole.len());
    for (split, whole) in split.iter().zip(&whole) {
        let parts = ["prompt", "completion"].map(|part| split[part].as_array().unwrap().clone());
        assert_eq!(parts.concat(), *whole["messages"].as_array().unwrap());
    }
    let pairs = export("preference", &["--branches", "all"], "c.jsonl");
    assert!(!pairs.is_empty());
    assert!(
        pairs.iter().all(|pair| pair["chosen"] != pair["rejected"] && pair["prompt"].is_array())
    );
    let atif = export("trajectories", &["--format", "atif"], "d.jsonl");
    assert!(atif.iter().all(|one| one["schema_version"] == "ATIF-v1.8"));
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(dir.join("a.jsonl.manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["lines"], &manifest["set"]), (&split.len().into(), &"imitation".into()));
    assert_eq!(manifest["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(manifest["criteria"]["split"], "train");
    // What leaves as ATIF comes in elsewhere.
    let other = tempfile::tempdir().unwrap();
    let path = dir.join("d.jsonl").display().to_string();
    let taken = json(other.path(), &["data", "import", &path]);
    assert_eq!(taken[0]["trajectories"], atif.len());
    assert!(taken[0]["branches"].as_u64() > Some(0), "alternatives come along: {taken:?}");
    let listed = json(other.path(), &["data", "list", "trajectories"]);
    assert_eq!((&listed[0]["suite"], &listed[0]["split"]), (&"household".into(), &"train".into()));
    let odd = run(other.path(), &["data", "import", &path, "--suite", "household"]);
    assert!(
        !odd.status.success(),
        "what comes from elsewhere is no game of a suite of this program"
    );
    let odd = ["data", "export", "--set", "imitation", "--format", "atif"];
    assert!(!run(dir, &odd).status.success());
}
