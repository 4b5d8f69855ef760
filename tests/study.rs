//! A study as a user meets it: whole, killed at any moment, gone on with elsewhere, and refused
//! where its file is not what was run.

mod common;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use common::{failure, foretaste, run};
use foretaste::rng::Rng;
use foretaste::store::Store;
use foretaste::study::{self, Design};
use serde_json::Value;

/// A study of a minute's work at most, in a folder of its own.
fn small(dir: &Path, arms: &str, seeds: &str) -> PathBuf {
    let file = dir.join("small.toml");
    let text = format!(
        r#"
name = "small"
about = "Whether the parts fit."
suite = "household"
train = "train"
experts = ["fair"]
seeds = {seeds}
arms = {arms}
k = [2]
reflect_k = 2

[model]
layers = 1
hidden = 32
vocab = 300

[training]
batch = 2
rate = 2e-3

[[data]]
share = 0.002
updates = [5]

[[test]]
name = "seen"
split = "seen"
games = 3
predict = 1

[[primary]]
arm = "IWM"
over = "IL"
test = "seen"
share = 0.002
"#
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn lines(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("results.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What came of each job, without what differs from one time to the next: moments, durations, and
/// numbers of rows.
fn found(folder: &Path) -> Vec<(String, Value)> {
    let own = |mut line: Value| {
        let result = &mut line["result"];
        for name in ["seconds", "training_seconds"] {
            result.as_object_mut().unwrap().remove(name);
            // Of DAgger's first policy.
            result
                .get_mut("first_policy")
                .and_then(Value::as_object_mut)
                .map(|own| own.remove(name));
        }
        if let Some(summary) = result.get_mut("summary").and_then(Value::as_object_mut) {
            summary.remove("evaluation");
            summary.remove("checkpoint");
        }
        (line["job"].as_str().unwrap().to_string(), line["result"].clone())
    };
    lines(folder).into_iter().map(own).collect()
}

fn args<'a>(file: &'a Path, out: &'a Path) -> Vec<&'a str> {
    vec!["study", file.to_str().unwrap(), "--out", out.to_str().unwrap(), "--json"]
}

const ALL: &str =
    r#"["IL", "K0", "IWM", "SHUF", "SR-template", "RAT-template", "BOTH", "LIST", "DAgger"]"#;

#[test]
fn every_arm_is_trained_and_tested_and_the_page_says_what_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let file = small(dir.path(), ALL, "[1, 2]");
    let out = dir.path().join("out");
    let done = run(dir.path(), &args(&file, &out));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let all = lines(&out);
    // For each seed: collecting, a model, training and a test of each arm, and DAgger's visits.
    assert_eq!(all.len(), 2 * (2 + 2 * 9 + 1));
    let of =
        |kind: &str| all.iter().filter(|line| line["task"]["kind"] == kind).collect::<Vec<_>>();
    for test in of("test") {
        let result = &test["result"];
        let predicts = ["K0", "IWM", "SHUF", "BOTH"].map(Value::from);
        let arm = &test["task"]["cell"]["arm"];
        assert_eq!(result["foresight"].is_object(), predicts.contains(arm), "{arm}");
        let thinks = ["SR-template", "RAT-template", "BOTH"].map(Value::from).contains(arm);
        assert_eq!(result["summary"]["think"], Value::from(thinks), "{arm}");
        assert_eq!(result["summary"]["trained_on"], 0);
        assert_eq!(result["won"].as_str().unwrap().len(), 3);
        assert_eq!(result["games"].as_array().unwrap().len(), 3);
    }
    let trained = |arm: &str| {
        let train =
            of("train").into_iter().find(|line| line["task"]["cell"]["arm"] == arm).unwrap();
        train["result"].clone()
    };
    // What an arm trains on is what its name says.
    assert_eq!(trained("IL")["data"]["branches"], 0);
    assert_eq!(trained("K0")["data"]["branches"], 0);
    assert!(trained("IWM")["data"]["branches"].as_u64().unwrap() > 20);
    assert_eq!(trained("IWM")["data"]["branches"], trained("SHUF")["data"]["branches"]);
    assert_ne!(trained("IWM")["digest"], trained("SHUF")["digest"]);
    let (sr, rat) = (trained("SR-template"), trained("RAT-template"));
    assert!(sr["data"]["reflections"].as_u64().unwrap() > 5);
    assert_eq!(sr["data"]["reflections"], rat["data"]["reflections"], "texts at the same states");
    assert_ne!(sr["digest"], rat["digest"]);
    // As many answers of the expert as imitation has, a part of them where a policy came.
    let (il, dagger) = (trained("IL"), trained("DAgger"));
    let visits = &dagger["first_policy"]["visits"];
    assert!(visits["answers"].as_u64().unwrap() > 0, "{dagger}");
    assert_eq!(dagger["data"]["answers"], visits["answers"]);
    assert_eq!(dagger["data"]["visits"], visits["games"]);
    let sum =
        |data: &Value| data["demonstrations"].as_u64().unwrap() + data["visits"].as_u64().unwrap();
    assert_eq!(sum(&dagger["data"]), sum(&il["data"]), "the same games");
    assert_eq!(dagger["start"], il["start"]);
    let stages = |result: &Value| {
        let names = result["stages"].as_array().unwrap().iter().map(|stage| stage["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(stages(&trained("BOTH")), ["world-model", "reflection"]);
    assert_eq!(stages(&trained("IWM")), ["world-model", "imitation"]);
    assert_eq!(stages(&trained("LIST")), ["list"]);
    // Every weight that is tested has a digest, and arms of a seed begin at the same ones.
    assert_eq!(trained("LIST")["start"], trained("IL")["start"]);
    assert_ne!(trained("LIST")["weights"], trained("IL")["weights"]);
    // Seeds differ in the games that they train on; arms of a seed do not.
    let digests: Vec<&Value> = of("train")
        .into_iter()
        .filter(|line| line["task"]["cell"]["arm"] == "IL")
        .map(|line| &line["result"]["digest"])
        .collect();
    assert_ne!(digests[0], digests[1]);
    let page = std::fs::read_to_string(out.join("report.md")).unwrap();
    for said in [
        "State: finished",
        "| **IWM K=2 − IL**, primary |",
        "RAT-template",
        "corrected",
        "Split seen, temperature 0.4 over the admissible list.",
        "IWM K=2 − LIST",
    ] {
        assert!(page.contains(said), "{said} in {page}");
    }
    let web = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert_eq!(web.matches("<svg").count(), 3, "rates, differences, losses");
    assert!(
        !web.contains("http://") || web.matches("http://").count() == web.matches("w3.org").count()
    );
    // The data directory itself holds nothing of it, and the study's own can be looked at.
    assert!(!dir.path().join("foretaste.sqlite").exists());
    let own = Store::open(&dir.path().join("studies/small")).unwrap();
    // One each arm and seed, and DAgger's first policy.
    assert_eq!(own.runs().unwrap().len(), 2 * 10);
    // Again there is nothing to do, and the page is the same.
    let again = run(dir.path(), &args(&file, &out));
    assert!(again.status.success());
    assert!(!String::from_utf8_lossy(&again.stdout).contains("begun"));
    assert_eq!(std::fs::read_to_string(out.join("report.md")).unwrap(), page);
}

#[test]
fn an_arm_goes_on_with_reinforcement_learning_and_is_tested_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = small(dir.path(), r#"["IL", "IWM"]"#, "[1]");
    let bridge = r#"
[[rl]]
method = "rloo"
tokens = 4000
rate = 1e-4
tasks = 2
group = 2
limit = 5
"#;
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[[primary]]", &format!("{bridge}\n[[primary]]"))).unwrap();
    let out = dir.path().join("out");
    let done = run(&dir.path().join("a"), &args(&file, &out));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let all = lines(&out);
    assert_eq!(all.len(), 2 + 2 * 2 * 2);
    let of = |arm: &str, rl: bool| {
        let trained = |line: &&Value| {
            let cell = &line["task"]["cell"];
            line["task"]["kind"] == "train" && cell["arm"] == arm && cell["rl"].is_object() == rl
        };
        all.iter().find(trained).unwrap()["result"].clone()
    };
    for arm in ["IL", "IWM"] {
        // It begins where the arm ended, and ends at its tokens.
        assert_eq!(of(arm, true)["start"], of(arm, false)["weights"], "{arm}");
        assert!(of(arm, true)["tokens"]["tokens"].as_f64().unwrap() >= 4000.0, "{arm}");
        assert!(!of(arm, true)["success"].as_array().unwrap().is_empty(), "{arm}");
    }
    let page = std::fs::read_to_string(out.join("report.md")).unwrap();
    for said in ["| **IWM K=2 − IL**, primary |", "IL + rloo", "IWM K=2 + rloo − IL + rloo"] {
        assert!(page.contains(said), "{said} in {page}");
    }
    // The lines alone say all of it: in another place there is nothing left to do.
    let mut more = args(&file, &out);
    let own = out.join("results.jsonl");
    more.extend(["--results", own.to_str().unwrap()]);
    let again = run(&dir.path().join("b"), &more);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(!String::from_utf8_lossy(&again.stdout).contains("begun"));
}

#[test]
fn a_plan_says_what_it_takes_and_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = small(dir.path(), r#"["IL", "IWM", "SR-template", "DAgger"]"#, "[1, 2]");
    let rows = common::json(dir.path(), &["study", file.to_str().unwrap(), "--plan"]);
    let plan = rows.last().unwrap();
    assert_eq!(plan["jobs"], 2 * (2 + 2 * 4 + 1));
    let arms = plan["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 4);
    // DAgger trains twice.
    assert_eq!((&arms[0]["updates"], &arms[3]["updates"]), (&5.into(), &10.into()));
    let tokens = |at: usize| arms[at]["tokens"].as_f64().unwrap();
    assert!(tokens(1) > tokens(0) && tokens(2) > tokens(0), "{plan}");
    assert_eq!(arms[0]["updates"], 5);
    assert!(
        plan["tokens_per_s"].as_f64().unwrap() > 10.0 && plan["memory_mb"].as_u64().unwrap() > 0
    );
    assert!(!dir.path().join("studies").exists(), "nothing was begun");
}

#[test]
fn a_study_that_is_killed_again_and_again_comes_to_the_same_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let file = small(dir.path(), r#"["IL", "IWM", "SR-template", "DAgger"]"#, "[3]");
    let whole = dir.path().join("whole");
    assert!(run(&dir.path().join("a"), &args(&file, &whole)).status.success());
    let data = dir.path().join("b");
    let out = dir.path().join("killed");
    let mut rng = Rng::new(4);
    for _ in 0..12 {
        let mut child = foretaste(&data, &args(&file, &out))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(rng.between(60, 700) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let done = run(&data, &args(&file, &out));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(found(&whole), found(&out));
}

#[test]
fn finished_lines_go_on_in_another_place_which_does_only_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let file = small(dir.path(), r#"["IL", "IWM"]"#, "[1, 2]");
    let out = dir.path().join("out");
    assert!(run(&dir.path().join("a"), &args(&file, &out)).status.success());
    let whole = found(&out);
    // Everything of the first seed, and the second's first arm: its second is left.
    let kept: Vec<String> = lines(&out)
        .iter()
        .filter(|line| !line["job"].as_str().unwrap().contains("IWM K=2 fair 1/500@2"))
        .map(Value::to_string)
        .collect();
    assert_eq!(kept.len(), whole.len() - 2);
    let lines = dir.path().join("lines.jsonl");
    std::fs::write(&lines, kept.join("\n")).unwrap();
    let there = dir.path().join("there");
    let mut more = args(&file, &there);
    more.extend(["--results", lines.to_str().unwrap()]);
    let done = run(&dir.path().join("b"), &more);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout);
    let begun: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|row| row.get("begun").cloned())
        .collect();
    assert_eq!(
        begun,
        [
            "collect fair 1/500@2",
            "model fair 1/500@2 seed 2",
            "train IWM K=2 fair 1/500@2 5 seed 2",
            "test IWM K=2 fair 1/500@2 5 seed 2 on seen"
        ]
    );
    let of_tests = |all: Vec<(String, Value)>| -> Vec<(String, Value)> {
        all.into_iter().filter(|(job, _)| job.starts_with('t')).collect()
    };
    assert_eq!(of_tests(whole), of_tests(found(&there)));
}

#[test]
fn what_is_not_understood_or_was_changed_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = small(dir.path(), r#"["IL"]"#, "[1]");
    let out = dir.path().join("out");
    let text = std::fs::read_to_string(&file).unwrap();
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        failure(&run(dir.path(), &args(&file, &out)))
    };
    assert!(refused(&text).contains("IWM - IL"), "a comparison of an arm that is not there");
    let text = text.split("[[primary]]").next().unwrap().replace("[\"IL\"]", "[\"IL\", \"K0\"]");
    std::fs::write(&file, &text).unwrap();
    assert!(run(dir.path(), &args(&file, &out)).status.success());
    let said = refused(&text.replace("hidden = 32", "hidden = 64"));
    assert!(said.contains("other settings"), "{said}");
    let primary = "[[primary]]\narm = \"K0\"\nover = \"IL\"\ntest = \"seen\"\nshare = 0.002\n";
    let itself = primary.replace("\"K0\"", "\"IL\"");
    let said = refused(&format!("{text}{itself}"));
    assert!(said.contains("name two arms"), "{said}");
    let said = refused(&format!("{text}{primary}"));
    assert!(said.contains("other primary comparisons"), "{said}");
    // Copied under another name it is another study, which takes over what is done.
    let studies = dir.path().join("studies");
    std::fs::create_dir(studies.join("copied")).unwrap();
    let store = "foretaste.sqlite";
    std::fs::copy(studies.join("small").join(store), studies.join("copied").join(store)).unwrap();
    std::fs::write(&file, format!("{text}{primary}").replace("\"small\"", "\"copied\"")).unwrap();
    let done = run(dir.path(), &args(&file, &out));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!String::from_utf8_lossy(&done.stdout).contains("begun"), "all of it was done before");
    let said = refused(
        &text.replace("split = \"seen\"", "split = \"train\"").replace("\"small\"", "\"leak\""),
    );
    assert!(said.contains("both have the game"), "{said}");
    // Nothing of it is done yet, so that the file is what is refused.
    let text = text.replace("\"small\"", "\"other\"").replace("[\"IL\", \"K0\"]", "[\"IL\"]");
    for (from, to, word) in [
        ("hidden = 32", "width = 32", "width"),
        ("[\"IL\"]", "[\"XL\"]", "XL"),
        ("\"other\"", "\"../up\"", "../up"),
        ("share = 0.002", "share = 0", "a share of 0"),
        ("[1]", "[1, 1]", "seeds"),
        ("updates = [5]", "updates = []", "updates"),
        ("hidden = 32", "hidden = 31", "hidden"),
    ] {
        let said = refused(&text.replace(from, to));
        assert!(said.contains(word), "{word}: {said}");
    }
    // A comparison that is fixed beforehand is one.
    let claims = text.replace("[\"IL\"]", "[\"IL\", \"IWM\"]").replace("k = [2]", "k = [2, 4]");
    let claim = "[[primary]]\narm = \"IWM\"\nover = \"IL\"\ntest = \"seen\"\nshare = 0.002\n";
    let said = refused(&format!("{claims}{claim}"));
    assert!(said.contains("could be of several values of `k`"), "{said}");
    let said = refused(&format!("{claims}{claim}k = 3\n"));
    assert!(said.contains("names a value of `k`"), "{said}");
    std::fs::write(&file, &text).unwrap();
    let odd = dir.path().join("odd.jsonl");
    let mut more = args(&file, &out);
    more.extend(["--results", odd.to_str().unwrap()]);
    for (line, word) in [("{", "odd.jsonl:1"), ("{\"job\": \"x\"}", "odd.jsonl:1")] {
        std::fs::write(&odd, line).unwrap();
        let said = failure(&run(dir.path(), &more));
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn every_study_that_is_shipped_can_be_read_and_asks_what_it_can_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("studies");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let design = Design::read(&entry.unwrap().path()).unwrap();
        let jobs = study::jobs(&design);
        let mut known: Vec<&String> = jobs.iter().map(|job| &job.name).collect();
        known.sort_unstable();
        known.dedup();
        assert_eq!(known.len(), jobs.len(), "{}: two jobs of one name", design.name);
        names.push(design.name);
    }
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert!(names.len() == count && count >= 5, "{names:?}: each has a folder of its own");
}
