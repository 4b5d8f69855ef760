//! Worlds and experts through the commands: games made as files, who plays them, and what is said
//! of odd ones.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use common::{failure, foretaste, json, lines, run};
use serde_json::Value;

/// Made games, and the folder they are in.
fn made(split: &str, games: &str) -> (tempfile::TempDir, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("games");
    let rows = json(
        dir.path(),
        &["env", "make", "--split", split, "--games", games, "--out", out.to_str().unwrap()],
    );
    (dir, rows)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn made_games_are_the_same_each_time_and_are_won_by_every_expert() {
    let (dir, rows) = made("unseen", "12");
    let (_again, same) = made("unseen", "12");
    assert_eq!(rows.len(), 12);
    for (one, two) in rows.iter().zip(&same) {
        let path = |row: &Value| Path::new(row["game"].as_str().unwrap()).to_path_buf();
        assert_eq!(text(&path(one)), text(&path(two)));
    }
    let games = dir.path().join("games");
    let listed = json(
        dir.path(),
        &[
            "env",
            "list",
            "--suite",
            "alfworld",
            "--data",
            games.to_str().unwrap(),
            "--split",
            "unseen",
        ],
    );
    assert_eq!(listed.len(), 12, "laid out as ALFWorld's data is");
    for expert in ["planner", "fair", "walkthrough"] {
        let mut lengths = Vec::new();
        for task in &listed {
            let id = task["task"].as_str().unwrap();
            let args = [
                "env",
                "expert",
                "--suite",
                "alfworld",
                "--data",
                games.to_str().unwrap(),
                "--task",
                id,
            ];
            let states = json(dir.path(), &[&args[..], &["--expert", expert]].concat());
            assert_eq!(states.last().unwrap()["success"], true, "{expert} on {id}");
            lengths.push(states.len() - 1);
        }
        assert!(expert != "planner" || lengths.iter().all(|steps| *steps <= 12), "{lengths:?}");
    }
    let figures = json(
        dir.path(),
        &["bench", "env", "--games", "2", "--episodes", "1", "--forks", "10", "--threads", "2"],
    );
    for key in ["steps_per_s", "fork_us", "load_ms", "admissible_us", "peak_rss_mb"] {
        assert!(figures[0][key].as_f64().unwrap() > 0.0, "{key}");
    }
}

#[test]
fn a_demonstration_says_who_gave_it_and_each_expert_gives_its_own() {
    let dir = tempfile::tempdir().unwrap();
    for expert in ["fair", "planner", "walkthrough", "fair"] {
        json(dir.path(), &["collect", "demos", "--games", "3", "--expert", expert]);
    }
    let rows = json(dir.path(), &["data", "list", "demonstrations"]);
    let mut actors: Vec<&str> = rows.iter().map(|row| row["actor"].as_str().unwrap()).collect();
    actors.sort_unstable();
    let each = |name| [name; 3];
    assert_eq!(actors, [each("fair"), each("planner"), each("walkthrough")].concat());
    let found =
        json(dir.path(), &["eval", "--agreement", "fair", "--split", "train", "--games", "2"]);
    assert!(
        found[0]["bits"].as_f64().unwrap() > 0.0 && found[0]["states"].as_u64().unwrap() > 4,
        "{found:?}"
    );
}

#[test]
fn a_person_can_be_the_expert() {
    let dir = tempfile::tempdir().unwrap();
    let plan = json(dir.path(), &["env", "expert", "--task", "train/0", "--expert", "planner"]);
    let actions: Vec<&str> = plan.iter().filter_map(|state| state["action"].as_str()).collect();
    let mut child = foretaste(
        dir.path(),
        &["env", "expert", "--task", "train/0", "--expert", "human", "--json"],
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    // Something that cannot be done there is asked for again and is no step.
    let typed = format!("fly away\n{}\n", actions.join("\n"));
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(lines(&output), plan);
    assert!(String::from_utf8_lossy(&output.stderr).contains("`fly away` is not admissible here"));
    let gone = run(dir.path(), &["env", "expert", "--task", "train/0", "--expert", "human"]);
    assert!(failure(&gone).contains("the input ended"));
}

#[test]
fn how_far_the_goal_is_and_what_starts_a_shortest_way() {
    let dir = tempfile::tempdir().unwrap();
    let plan = json(dir.path(), &["env", "expert", "--task", "seen/3", "--expert", "planner"]);
    let mut args = vec!["env", "actions", "--task", "seen/3"];
    for left in (1..plan.len()).rev() {
        let found = &json(dir.path(), &args)[0];
        assert_eq!(found["steps_left"], left);
        let action = &plan[plan.len() - left]["action"];
        assert!(found["actions"].as_array().unwrap().contains(action), "{action} in {found}");
        args.extend(["--after", action.as_str().unwrap()]);
    }
    assert_eq!(json(dir.path(), &args)[0]["steps_left"], 0);
    let wrong = run(dir.path(), &["env", "actions", "--task", "seen/3", "--after", "sing"]);
    assert!(failure(&wrong).contains("`sing` is not admissible"));
}

#[test]
fn a_game_that_cannot_be_won_loads_and_says_so() {
    let (dir, rows) = made("train", "1");
    let path = rows[0]["game"].as_str().unwrap();
    let mut game: Value = serde_json::from_str(&text(Path::new(path))).unwrap();
    let problem = game["pddl_problem"].as_str().unwrap();
    let kept: String = problem
        .lines()
        .filter(|line| !line.starts_with("(within "))
        .map(|line| format!("{line}\n"))
        .collect();
    game["pddl_problem"] = kept.into();
    game["solvable"] = false.into();
    game["walkthrough"] = Value::Array(Vec::new());
    std::fs::write(path, game.to_string()).unwrap();
    let output = run(dir.path(), &["env", "step", "--game", path, "--json"]);
    assert!(
        output.status.success() && lines(&output)[0]["admissible"].as_array().unwrap().len() > 3
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be won"));
    let proof = run(dir.path(), &["env", "actions", "--game", path]);
    assert!(failure(&proof).contains("the goal cannot be reached from here"));
    let limit = run(dir.path(), &["env", "expert", "--task", "train/1", "--step-limit", "2"]);
    assert!(failure(&limit).contains("within 2 steps"));
    let hard = ["env", "make", "--furniture", "70", "80", "--out", path];
    assert!(failure(&run(dir.path(), &hard)).contains("difficulty"));
}
