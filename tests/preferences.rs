//! What a person prefers among the answers to captured calls, and what is learnt from it, by the real
//! binary.

mod common;

use std::path::Path;

use common::served::Running;
use common::{json, run};
use serde_json::{Value, json};

/// A game through a tool, as its agent asks in it.
fn game(seed: u64) -> Value {
    let parameters = json!({"type": "object", "properties": {"command": {"type": "string"}}});
    let tool = json!({"type": "function", "function": {"name": "act", "parameters": parameters}});
    let text = "The room has a cupboard 1, a rack 1, a shelf 1, and a sink 1.\n\nYour errand: a bottle \
                belongs in the cupboard.";
    json!({"model": "any", "temperature": 1, "seed": seed, "tools": [tool],
        "messages": [{"role": "system", "content": "You play."}, {"role": "user", "content": text}]})
}

/// Why a command was refused.
fn refused(data: &Path, args: &[&str]) -> String {
    let said = run(data, args);
    let text = String::from_utf8_lossy(&said.stderr).to_string();
    assert!(!said.status.success() && !text.contains("panicked"), "{args:?}: {text}");
    text
}

#[test]
fn what_a_person_prefers_among_answers_that_nobody_executed_is_learnt_from() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(dir.path(), &["--mind", "novice"]);
    for (session, seed) in [("a", 1), ("b", 2)] {
        let path = format!("/s/{session}/v1/chat/completions");
        assert_eq!(gateway.post(&path, "fk-t.player", &game(seed)).0, 200);
    }
    // A game for evaluation teaches nothing, whatever is said about it.
    let world = json!({"suite": "household", "task": "unseen/0"});
    assert_eq!(gateway.post("/s/b/v1/world", "fk-t", &world).0, 200);
    drop(gateway);
    let calls = json(dir.path(), &["gateway", "calls"]);
    let ids: Vec<String> = calls.iter().map(|call| call["id"].to_string()).collect();
    let order = ["train", "--objective", "dpo", "--captured", "player", "--from", "novice"];
    let none = refused(dir.path(), &order);
    assert!(none.contains("nobody said what is better"), "{none}");
    for id in &ids {
        json(dir.path(), &["gateway", "try", id, "-k", "12", "--temperature", "1.5"]);
        let answers = json(dir.path(), &["gateway", "prefer", id]);
        assert!(answers.len() >= 4, "{answers:?}");
        assert!(answers[0]["executed"] == json!(true) && answers[1]["executed"] == json!(false));
        json(dir.path(), &["gateway", "prefer", id, "1"]);
        json(dir.path(), &["gateway", "prefer", id, "1", "--over", "2"]);
        json(dir.path(), &["gateway", "prefer", id, "0", "--over", "3"]);
    }
    // The newest word about two answers counts, in whatever order they are named.
    json(dir.path(), &["gateway", "prefer", &ids[0], "3", "--neither"]);
    let standing = json(dir.path(), &["gateway", "prefer", &ids[0]]);
    assert_eq!(standing[1]["better_than"], json!([0, 2]));
    assert_eq!(standing[0]["better_than"], json!([]));
    let page = run(dir.path(), &["gateway", "show", &ids[0]]);
    let page = String::from_utf8_lossy(&page.stdout).to_string();
    assert!(page.contains("better than what was said, better than 2"), "{page}");
    for odd in [&["99"][..], &["1", "--over", "1"]] {
        refused(dir.path(), &[&["gateway", "prefer", &ids[0]], odd].concat());
    }

    let how = ["--steps", "12", "--workers", "1", "--rate", "1e-3", "--save-every", "6", "--json"];
    let said = run(dir.path(), &[&order[..], &how].concat());
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let rows = common::lines(&said);
    let begun = rows.iter().find(|row| row["data"].is_object()).unwrap();
    assert_eq!(begun["data"]["preferences"], json!(2), "{begun}");
    assert_eq!(begun["data"]["preferences_left"]["evaluation"], json!(3), "{begun}");
    let margins: Vec<f64> = rows.iter().filter_map(|row| row["margin"].as_f64()).collect();
    assert!(margins.len() == 12 && margins[0].abs() < 1e-6, "it starts at what it started from");
    assert!(margins[11] > 0.1, "{margins:?}");
    // What is said later is for another run: this one goes on by what was said then.
    json(dir.path(), &["gateway", "prefer", &ids[0], "0", "--over", "1"]);
    let store = foretaste::store::Store::open(dir.path()).unwrap();
    let agent = store.called_agent("player").unwrap();
    let then = foretaste::gateway::preferred(&store, &agent, store.last_preference().unwrap() - 1);
    assert_eq!(then.unwrap().0[0].worse, 2);
    let now = foretaste::gateway::preferred(&store, &agent, store.last_preference().unwrap());
    assert_eq!(now.unwrap().0.iter().map(|one| one.worse).collect::<Vec<_>>(), [1, 1]);
    let other = ["train", "--objective", "imitation", "--captured", "player", "--from", "novice"];
    assert!(refused(dir.path(), &other).contains("--captured means nothing"));
    let stored = refused(dir.path(), &[&order[..], &["--expert", "fair"]].concat());
    assert!(stored.contains("all that is learnt from"), "{stored}");
}
