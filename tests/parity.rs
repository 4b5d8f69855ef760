//! Replays transcripts of the original engine: observation, admissible commands in order, victory, and the hash of the
//! text facts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use foretaste::env::Environment;
use foretaste::env::tw_pddl::TwPddl;
use foretaste::env::tw_pddl::game::Game;

/// The folder with the real games and transcripts, or none (said loudly: these tests then check nothing).
fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("FORETASTE_SHARED").map(PathBuf::from);
    let path = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared")).join("alfworld");
    if path.join("oracle").is_dir() {
        return Some(path);
    }
    eprintln!("\n!!! NOT CHECKED: no ALFWorld transcripts at {}. Set FORETASTE_SHARED. !!!\n", path.display());
    None
}

fn fact_hash(env: &TwPddl) -> String {
    sha1_smol::Sha1::from(env.world().text_facts().join("\n")).digest().to_string()
}

fn replay(file: &str) -> usize {
    let Some(root) = shared() else { return 0 };
    let text = std::fs::read_to_string(root.join("oracle").join(file)).unwrap();
    let mut games: HashMap<String, Arc<Game>> = HashMap::new();
    let mut running: Option<TwPddl> = None;
    let (mut states, mut episodes) = (0, 0);
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(feedback) = row["feedback"].as_str() else { continue };
        let name = row["game"].as_str().unwrap();
        let place = format!("{file} {name} t={}", row["t"]);
        if row["t"] == 0 {
            let game = games.entry(name.to_string()).or_insert_with(|| Game::load(&root.join(name)).unwrap());
            running = Some(TwPddl::new(Arc::clone(game)).unwrap());
            episodes += 1;
        } else {
            running.as_mut().unwrap().step(row["action"].as_str().unwrap()).unwrap();
        }
        let env = running.as_ref().unwrap();
        let want: Vec<&str> = row["admissible"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let got: Vec<&str> = env.turn().admissible.as_ref().unwrap().iter().map(AsRef::as_ref).collect();
        assert_eq!(env.turn().observation.as_ref(), feedback, "{place}: observation");
        assert_eq!(got, want, "{place}: admissible");
        assert_eq!(env.turn().success, row["won"].as_bool().unwrap(), "{place}: won");
        assert_eq!(fact_hash(env), row["fh"].as_str().unwrap(), "{place}: text facts after {}", row["action"]);
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
