use super::*;
use crate::experience::{Purpose, Step};

fn trajectory() -> Trajectory {
    let step = Step {
        action: "open <box>".into(),
        source: "fair".into(),
        observation: "It \u{1b}[31mholds 日本 & \"tea\".".into(),
        admissible: None,
        free: vec![],
        reward: 0.0,
        truncated: false,
        done: true,
        success: true,
    };
    Trajectory {
        id: 7,
        suite: "household".into(),
        split: "train".into(),
        task_id: "t".into(),
        kind: "place".into(),
        task: "find <tea>".into(),
        purpose: Purpose::Demonstration,
        actor: "fair".into(),
        seed: 1,
        observation: "A room.".into(),
        admissible: None,
        free: vec![],
        steps: vec![step],
        created_ms: 0,
        world: None,
    }
}

#[test]
fn every_form_tells_every_step_and_nothing_drives_the_reader() {
    for (transcript, _) in Transcript::ALL {
        let told = transcript.tell(&trajectory(), &[]);
        assert!(
            told.contains("A room.") && told.contains("日本") && told.contains("open"),
            "{told}"
        );
        assert!(!told.contains("[31m\u{1b}") && !told.contains("\u{1b}[31m"), "{transcript:?}");
    }
    let html = Transcript::Html.tell(&trajectory(), &[]);
    assert!(html.contains("open &lt;box&gt;") && !html.contains("<box>"));
    let cast = Transcript::Cast.tell(&trajectory(), &[]);
    assert!(
        cast.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
            && cast.lines().count() == 3
    );
}
