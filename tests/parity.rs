//! Replays transcripts of the original engine: observation, admissible commands in order, victory,
//! and the hash of the text facts.

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use common::shared;
use foretaste::env::Environment;
use foretaste::env::tw_pddl::TwPddl;
use foretaste::env::tw_pddl::game::Game;

fn fact_hash(env: &TwPddl) -> String {
    sha1_smol::Sha1::from(env.world().text_facts().join("\n")).digest().to_string()
}

fn replay(file: &str) -> usize {
    let Some(root) = shared() else { return 0 };
    let text = std::fs::read_to_string(root.join("oracle").join(file)).unwrap();
    let mut games: HashMap<String, Arc<Game>> = HashMap::new();
    let mut running: Option<TwPddl> = None;
    let mut states = 0;
    let mut episodes = 0;
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(feedback) = row["feedback"].as_str() else { continue };
        let name = row["game"].as_str().unwrap();
        let place = format!("{file} {name} t={}", row["t"]);
        if row["t"] == 0 {
            let game = games
                .entry(name.to_string())
                .or_insert_with(|| Game::load(&root.join(name)).unwrap());
            running = Some(TwPddl::new(game).unwrap());
            episodes += 1;
        } else {
            running.as_mut().unwrap().step(row["action"].as_str().unwrap()).unwrap();
        }
        let env = running.as_ref().unwrap();
        let want: Vec<&str> =
            row["admissible"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let got: Vec<&str> = env.turn().actions.list().iter().map(AsRef::as_ref).collect();
        assert_eq!(env.turn().observation.as_ref(), feedback, "{place}: observation");
        assert_eq!(got, want, "{place}: admissible");
        assert_eq!(env.turn().success, row["won"].as_bool().unwrap(), "{place}: won");
        assert_eq!(
            fact_hash(env),
            row["fh"].as_str().unwrap(),
            "{place}: text facts after {}",
            row["action"]
        );
        states += 1;
    }
    eprintln!("{file}: {episodes} episodes, {states} states, 0 differences");
    states
}

#[test]
fn every_transcript_is_reproduced() {
    let Some(root) = shared() else { return };
    let mut files: Vec<String> = std::fs::read_dir(root.join("oracle"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let states: usize = files.iter().map(|file| replay(file)).sum();
    assert!(states > 10_000, "only {states} states replayed");
}

/// Through the program as a user runs it: `foretaste env step` on every validation game.
#[test]
fn every_validation_game_is_won_by_its_walkthrough() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let Some(root) = shared() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut games = 0;
    for split in ["valid_seen", "valid_unseen"] {
        for group in std::fs::read_dir(root.join("json_2.1.1").join(split)).unwrap() {
            for trial in std::fs::read_dir(group.unwrap().path()).unwrap() {
                let game = trial.unwrap().path().join("game.tw-pddl");
                let plan = Game::load(&game).unwrap().walkthrough.join("\n");
                let mut child = Command::new(env!("CARGO_BIN_EXE_foretaste"))
                    .args(["env", "step", "--suite", "alfworld", "--json", "--data-dir"])
                    .arg(data.path())
                    .arg("--game")
                    .arg(&game)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap();
                child.stdin.take().unwrap().write_all(plan.as_bytes()).unwrap();
                let output = child.wait_with_output().unwrap();
                let text = String::from_utf8(output.stdout).unwrap();
                let last: serde_json::Value =
                    serde_json::from_str(text.lines().last().unwrap()).unwrap();
                assert!(output.status.success() && last["success"] == true, "{}", game.display());
                games += 1;
            }
        }
    }
    eprintln!("{games} validation games, all won");
    assert!(games >= 173, "only {games} games");
}
