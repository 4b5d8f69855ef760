use super::*;
use crate::experience::{ActionEffect, Branch, Purpose, Step, Verdict};
use crate::store::{Prediction, Standing};

/// A game of one step, with everything hanging off its first state; all its texts are `text`, where
/// one is given.
pub(super) fn told(text: Option<&str>) -> Told {
    let or = |own: &str| text.unwrap_or(own).to_string();
    let step = Step {
        action: or("open <box>"),
        source: or("fair"),
        observation: or("It \u{1b}[31mholds 日本 & \"tea\"."),
        admissible: None,
        free: vec![],
        reward: 0.0,
        truncated: false,
        done: true,
        success: true,
    };
    let trajectory = Trajectory {
        id: 7,
        suite: or("household"),
        split: or("train"),
        task_id: or("t/1"),
        kind: or("place"),
        task: or("find <tea>"),
        purpose: Purpose::Demonstration,
        actor: or("fair"),
        seed: 1,
        observation: or("A room."),
        admissible: None,
        free: vec![],
        steps: vec![step],
        created_ms: 0,
        world: None,
    };
    let branch = Branch {
        id: 3,
        trajectory: 7,
        t: 0,
        action: or("kick <box>"),
        source: or("uniform"),
        observation: or("Nothing happens."),
        effect: ActionEffect::NoOp,
        reward: 0.0,
        done: false,
        success: false,
        created_ms: 0,
    };
    let expected = |action: String, said: &str| Prediction {
        trajectory: 7,
        t: 0,
        action,
        model: or("embedded"),
        text: format!("{}{said}", text.unwrap_or_default()),
        created_ms: 0,
    };
    let reflection = Standing {
        id: 5,
        t: 0,
        author: or("you"),
        generator: or("template"),
        text: or("Kicking it showed nothing; so I open the <box>."),
        version: 2,
        versions: 2,
        cites: vec![3],
        verdict: Verdict::Rejected,
        reason: Some(or("GENERIC")),
        note: Some(or("say what it holds")),
    };
    Told {
        predictions: vec![
            expected(trajectory.steps[0].action.clone(), "It holds 日本 & coffee."),
            expected(branch.action.clone(), "Nothing happens."),
        ],
        trajectory,
        branches: vec![branch],
        thoughts: vec![],
        reflections: vec![reflection],
    }
}

#[test]
fn every_form_tells_every_step_and_nothing_drives_the_reader() {
    for (transcript, _) in Transcript::ALL {
        let told = transcript.tell(&told(None));
        for words in [
            "A room.",
            "日本",
            "open",
            "kick",
            "embedded predicted",
            "Reflection 5",
            "by you, version 2 of 2, first by template",
            "rejected: GENERIC",
            "Kicking it showed nothing",
            "say what it holds",
            "goal reached in 1 step",
            "foretaste 0.",
        ] {
            assert!(told.contains(words), "{transcript:?} without {words}: {told}");
        }
        assert!(!told.contains("[31m\u{1b}") && !told.contains("\u{1b}[31m"), "{transcript:?}");
    }
}

#[test]
fn what_was_predicted_and_what_came_are_marked_both_ways() {
    let text = Transcript::Text.tell(&told(None));
    assert!(text.contains("It [holds] 日本 & [coffee.]"), "{text}");
    assert!(text.contains("It {␛[31mholds} 日本 & {\"tea\".}"), "{text}");
    assert!(text.contains("actual: the same"), "{text}");
}
