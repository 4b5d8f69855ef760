//! What this program wrote itself, marks of what is learnt, names, and reading that is ended.

use super::*;
use crate::agent::prompt::Questions;
use crate::agent::prompt::chat::{Observations, Question, answer, messages};
use crate::experience::State;

const EFFECTS: [ActionEffect; 7] = ActionEffect::ALL;

/// An episode with all that ATIF has room for.
fn rich() -> Record {
    let step = |action: &str, observation: &str| {
        json!({"action": action, "source": "policy", "observation": observation,
            "admissible": ["look", "wait"], "free": ["say X"], "reward": 0.25, "done": false,
            "success": false, "truncated": false})
    };
    let mut last = step("stop", "");
    last["truncated"] = json!(true);
    last["admissible"] = Value::Null;
    let branch = |(n, effect): (usize, ActionEffect)| {
        json!({"id": 0, "trajectory": 0, "t": n % 2, "action": format!("other {n}"),
            "source": "uniform", "observation": "One.\n\nTwo.", "effect": effect, "reward": 0.5,
            "done": n == 6, "success": n == 3, "created_ms": 7})
    };
    let mut branches: Vec<Value> = EFFECTS.into_iter().enumerate().map(branch).collect();
    branches.sort_by_key(|branch| branch["t"].as_u64());
    let placed = |branch: &Value| {
        json!({"t": branch["t"], "action": branch["action"], "pool": "uniform: two", "rank": 3,
            "source": "policy", "model": "m"})
    };
    // What an expert would have done in a policy's state may be just what was done.
    let mut same = branch((0, ActionEffect::SameAsExpert));
    same["action"] = json!("look");
    branches.insert(0, same);
    let pools: Vec<Value> = branches.iter().map(placed).collect();
    let trajectory = json!({"id": 0, "suite": "household", "split": "test", "task_id": "train/7",
        "kind": "heat", "task": "First line.\n\nYour task is to: go on.", "purpose": "visit",
        "actor": "run 3", "seed": u64::MAX, "observation": "Above.\n\nBelow.\n\nAnd more.",
        "admissible": ["look"], "free": ["say Y"], "steps": [step("look", "A\n\nB"), last],
        "created_ms": 11, "world": u64::MAX - 1});
    let thoughts = [Thought { trajectory: 0, t: 1, text: "Enough.".into() }];
    let record = json!({"trajectory": trajectory, "branches": branches, "pools": pools,
        "reflections": [], "thoughts": thoughts});
    serde_json::from_value(record).unwrap()
}

#[test]
fn what_this_program_wrote_as_atif_comes_back_as_it_was_filed() {
    let record = rich();
    let back = of(&serde_json::from_str(&atif(&record).to_string()).unwrap());
    assert!(back.check().is_ok());
    assert_eq!(Record { origin: None, ..back }, record);
}

#[test]
fn older_files_of_its_own_have_task_and_observation_in_one_message() {
    let record = rich();
    let mut older = atif(&record);
    for field in ["task", "observation"] {
        older["extra"].as_object_mut().unwrap().remove(field);
    }
    for step in older["steps"].as_array_mut().unwrap().iter_mut().skip(1) {
        step["extra"].as_object_mut().unwrap().remove("source");
    }
    let tr = of(&older).trajectory;
    // The last such words are the writer's own.
    assert_eq!(tr.task, "go on.");
    let mut plain = record.clone();
    plain.trajectory.task = "First line.\n\nAnd a second.".into();
    let mut older = atif(&plain);
    older["extra"].as_object_mut().unwrap().remove("task");
    let tr = of(&older).trajectory;
    assert_eq!(
        (&tr.task, &tr.observation),
        (&plain.trajectory.task, &record.trajectory.observation)
    );
}

/// A line of an export of imitation.
fn example(thought: Option<&str>, action: &str) -> Value {
    let state = State {
        task: "put a mug on the shelf.".into(),
        observation: "You see a shelf.".into(),
        history: vec![("go".into(), "A mug 1.".into())],
    };
    let questions = Questions::default();
    let given = messages(&state, Question::Act, &questions, Observations::Stripped);
    let said = json!({"role": "assistant", "content": answer(thought, action)});
    json!({"prompt": given, "completion": [said]})
}

#[test]
fn examples_of_its_own_come_back_as_what_was_thought_and_done() {
    for (thought, action) in [
        (None, "walk to counter 1"),
        (Some("It is <action>there</action>.</think> So."), "say <action>x</action>"),
    ] {
        let item = example(thought, action);
        let Record { trajectory: tr, thoughts, .. } = of(&item);
        assert_eq!(tr.steps[0].action, action);
        assert_eq!(thoughts.first().map(|thought| thought.text.as_str()), thought);
        assert_eq!(tr.task, "put a mug on the shelf.");
        // Exported again it is the same line.
        let questions = Questions::default();
        let again = messages(&tr.state(0), Question::Act, &questions, Observations::Stripped);
        assert_eq!(json!(again), item["prompt"]);
    }
    let says = |text: &str| {
        let asked = json!({"role": "user", "content": "Do it."});
        episodes(&json!({"messages": [asked, {"role": "assistant", "content": text}]}))
    };
    let done = |text: &str| {
        let done = says(text).unwrap().remove(0).0.steps.remove(0);
        (done.thought.unwrap_or_default(), done.action)
    };
    for (text, thought, action) in [
        ("I go.\n<action>go</action>", "I go.", "go"),
        ("<think>\nHm.\n</think>\n\nThought: So.\nAction: go", "Hm.\nSo.", "go"),
        ("Hm.</think><action>\ngo\n</action>", "Hm.", "go"),
        ("<think></think>go", "", "go"),
        ("write[The mark <action> means do]", "", "write[The mark <action> means do]"),
    ] {
        assert_eq!(done(text), (thought.to_string(), action.to_string()), "{text}");
    }
    for (text, said) in [
        ("<think>Hm.", "message 2: a <think> that does not end"),
        ("<action>go", "an <action> that does not end"),
        ("<action>go</action><action>stop</action>", "more than one <action>"),
        ("<action></action>", "does nothing"),
    ] {
        let error = says(text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    let state = State { task: "a".into(), ..State::default() };
    let questions = Questions::default();
    let given = messages(&state, Question::Predict("go"), &questions, Observations::Stripped);
    let seen = json!({"prompt": given, "completion": "A mug 1."});
    assert!(episodes(&seen).unwrap_err().to_string().contains("world modelling"));
}

#[test]
fn an_answer_that_is_not_to_be_learnt_is_no_action() {
    let with = |field: &str, mark: Value| {
        let mut first = json!({"role": "assistant", "content": "hello"});
        first[field] = mark;
        episodes(&json!({"messages": [{"role": "user", "content": "Do it."}, first,
            {"role": "user", "content": "Now."}, {"role": "assistant", "content": "go"}]}))
    };
    for field in ["loss", "weight", "training", "train"] {
        for (mark, steps) in
            [(json!(false), 1), (json!(0), 1), (json!(true), 2), (json!(1.0), 2), (Value::Null, 2)]
        {
            let found = with(field, mark.clone()).unwrap();
            assert_eq!(found[0].0.steps.len(), steps, "{field}: {mark}");
        }
        let error = with(field, json!("no")).unwrap_err().to_string();
        assert!(error.contains(&format!("message 2: {field}: \"no\"")), "{error}");
    }
    let part = json!([{"begin_offset": 0, "end_offset": 2, "train": false}]);
    let error = with("training_detail", part).unwrap_err().to_string();
    assert!(error.contains("learnt in part"), "{error}");
    assert_eq!(with("training_detail", json!([])).unwrap()[0].0.steps.len(), 2);
}

#[test]
fn a_file_that_grows_or_is_called_otherwise_adds_only_what_is_new() {
    let line = |action: &str| {
        json!({"messages": [{"role": "user", "content": "Do it."},
            {"role": "assistant", "content": action}]})
        .to_string()
    };
    let (a, b, c) = (line("a"), line("b"), line("c"));
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data")).unwrap();
    let take = |name: &str, lines: &[&String]| -> (usize, usize) {
        let path = dir.path().join(name);
        let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        let control = Control::default();
        let from = (path.as_path(), None);
        let intake = crate::formats::import::import(&store, from, true, &control, &mut |_| {});
        let Intake { trajectories, known, .. } = intake.unwrap();
        (trajectories, known)
    };
    assert_eq!(take("runs.jsonl", &[&a]), (1, 0));
    assert_eq!(take("runs.jsonl", &[&a, &b]), (1, 1), "a line below");
    assert_eq!(take("runs.jsonl", &[&c, &a, &b]), (1, 2), "a line above");
    assert_eq!(take("copy.jsonl", &[&b, &a, &c]), (0, 3), "in another order and file");
    assert_eq!(take("runs.jsonl", &[&a, &a]), (1, 1), "the same again is a second one");
    assert_eq!(take("runs.jsonl", &[&a, &a]), (0, 2));
}

#[test]
fn many_alternatives_are_read_at_once_and_reading_ends_when_it_is_asked_to() {
    let others: Vec<Value> = (0..150_000).map(|n| json!({"action": format!("o {n}")})).collect();
    let item = json!({"schema_version": "ATIF-v1.8", "agent": {"name": "a"}, "steps": [
        {"source": "user", "message": "Go."},
        {"source": "agent", "message": "go", "extra": {"alternatives": others}}]});
    let begun = std::time::Instant::now();
    assert_eq!(of(&item).branches.len(), 150_000);
    let took = begun.elapsed();
    assert!(took.as_secs() < 60, "squared it would be hours: {took:?}");
    let chat = json!({"messages": [{"role": "user", "content": "Go."},
        {"role": "assistant", "content": "go"}]});
    for item in [item, chat] {
        let cancel = Cancel::default();
        let read = budget::under(&cancel, || {
            cancel.cancel();
            episodes(&item)
        });
        assert!(read.unwrap_err().is_cancelled());
    }
}
