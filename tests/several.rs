//! Several processes at once: on one store, on stores of their own that are merged, and many games of
//! one process.

mod common;

use std::process::Stdio;

use common::{failure, foretaste, json, run};

fn count(data: &std::path::Path, field: &str) -> u64 {
    json(data, &["data", "list"])[0][field].as_u64().unwrap()
}

#[test]
fn what_another_program_saves_meanwhile_is_not_saved_twice() {
    let dir = tempfile::tempdir().unwrap();
    // The same games in different orders.
    let order = ["collect", "demos", "--suite", "household", "--split", "unseen", "--games", "140"];
    let all: Vec<_> = ["1", "2", "3"]
        .into_iter()
        .map(|seed| {
            let mut command = foretaste(dir.path(), &[&order[..], &["--seed", seed]].concat());
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in all {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(count(dir.path(), "demonstrations"), 140);
}

#[test]
fn parts_are_collected_apart_and_merged_while_one_still_collects() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let demos = ["collect", "demos", "--suite", "household", "--split", "unseen", "--games", "140"];
    for (at, data) in [("1/2", first.path()), ("2/2", second.path())] {
        json(data, &[&demos[..], &["--part", at]].concat());
    }
    let (one, two) =
        (count(first.path(), "demonstrations"), count(second.path(), "demonstrations"));
    assert!(one + two == 140 && one > 40 && two > 40, "{one} and {two}");
    let branches = ["collect", "branches", "--suite", "household", "--split", "unseen"];
    json(second.path(), &[&branches[..], &["--games", "20", "-k", "2"]].concat());
    let merge = ["data", "import", second.path().to_str().unwrap()];
    let checked = json(first.path(), &[&merge[..], &["--check"]].concat());
    assert_eq!(
        (checked[0]["imported"].as_bool(), count(first.path(), "demonstrations")),
        (Some(false), one)
    );
    json(first.path(), &merge);
    assert_eq!(count(first.path(), "demonstrations"), 140);
    let before = count(first.path(), "branches");
    assert!(before > 0 && before == count(second.path(), "branches"));
    // The other one goes on; what is new there comes with the same command.
    json(second.path(), &[&branches[..], &["--games", "40", "-k", "2"]].concat());
    json(first.path(), &merge);
    assert_eq!(count(first.path(), "demonstrations"), 140);
    let after = count(first.path(), "branches");
    assert!(after > before && after == count(second.path(), "branches"), "{before}, {after}");
    // A part's alternatives are of its own games alone.
    let part =
        [&branches[..], &["--games", "140", "-k", "1", "--pool", "own", "--part", "2/2"]].concat();
    let rows = json(first.path(), &part);
    assert!(!rows.is_empty());
    let steps = count(first.path(), "branches") - after;
    assert!(steps > 0);
    let own = json(
        second.path(),
        &[&branches[..], &["--games", "140", "-k", "1", "--pool", "own"]].concat(),
    );
    assert_eq!(rows.len(), own.len());
    for (odd, why) in [
        (first.path().to_str().unwrap(), "this data directory"),
        (std::env::temp_dir().to_str().unwrap(), "no data directory"),
    ] {
        let out = run(first.path(), &["data", "import", odd]);
        let told = String::from_utf8_lossy(&out.stderr).to_string();
        assert!(!out.status.success() && told.contains(why), "{told}");
    }
    let named = run(first.path(), &[&merge[..], &["--suite", "x"]].concat());
    assert!(!named.status.success());
    let _ = failure(&run(first.path(), &["data", "import", "/nowhere"]));
}

#[test]
fn many_games_go_on_as_answers_come() {
    let dir = tempfile::tempdir().unwrap();
    let order = [
        "bench",
        "rollouts",
        "--games",
        "40",
        "--at-once",
        "16",
        "--limit",
        "5",
        "--delay-ms",
        "5",
    ];
    let found = &json(dir.path(), &order)[0];
    assert_eq!(found["questions"], 200, "{found}");
    let most = found["under_way_at_most"].as_u64().unwrap();
    assert!((2..=16).contains(&most), "{found}");
}
