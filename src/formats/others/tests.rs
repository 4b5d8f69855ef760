//! Small items of every shape, and what is refused.

use serde_json::{Value, json};

use super::*;
use crate::control::{Cancel, Control};
use crate::digest::{self, hex};
use crate::experience::{ActionEffect, Purpose, Trajectory};
use crate::store::{Intake, Store, Thought};

mod own;

fn of(item: &Value) -> Record {
    let mut found = episodes(item).unwrap();
    assert_eq!(found.len(), 1);
    let (episode, source) = found.remove(0);
    episode.record(None, &source.to_string()).unwrap()
}

fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.jsonl");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

#[test]
fn a_conversation_is_an_episode_however_its_fields_are_called() {
    let game = "You are in a room. You see a desk 1.\n\nYour task is to: look at a mug.";
    let chat = json!({"id": 7, "messages": [
        {"role": "system", "content": "Play."}, {"role": "user", "content": game},
        {"role": "assistant", "content": "Thought: A desk.\nAction: go to desk 1"},
        {"role": "user", "content": "Observation: You see a mug 1."},
        {"role": "assistant", "content": "Action: take mug 1"}]});
    let sharegpt = json!({"item_id": "7", "conversations": [
        {"from": "human", "loss": null, "value": "You play a game."},
        {"from": "gpt", "loss": false, "value": "Ok."},
        {"from": "human", "value": game},
        {"from": "gpt", "loss": true, "value": "Thought:\nA desk.\n\nAction:\ngo to desk 1"},
        {"from": "human", "value": "You see a mug 1."},
        {"from": "gpt", "loss": true, "value": "Action: take mug 1"}]});
    let eto = json!([
        {"role": "user", "content": game},
        {"from": "gpt", "content": "Thought: A desk.\nAction: go to desk 1"},
        {"role": "user", "content": "Observation: You see a mug 1."},
        {"from": "gpt", "content": "Action: take mug 1"}]);
    let named = format!("eto {}", hex(digest::of([eto.to_string().as_str()])));
    for (item, format, id) in
        [(chat, "messages", "7"), (sharegpt, "sharegpt", "7"), (eto, "eto", named.as_str())]
    {
        let Record { trajectory: tr, thoughts, origin, .. } = of(&item);
        assert_eq!((tr.suite.as_str(), tr.task_id.as_str()), (format, id));
        assert_eq!(tr.task, "look at a mug.", "{format}");
        assert_eq!(tr.observation, "You are in a room. You see a desk 1.");
        let done: Vec<(&str, &str)> =
            tr.steps.iter().map(|s| (s.action.as_str(), s.observation.as_str())).collect();
        assert_eq!(done, [("go to desk 1", "You see a mug 1."), ("take mug 1", "")], "{format}");
        assert!(tr.success() && tr.purpose == Purpose::Demonstration);
        assert_eq!((thoughts.len(), thoughts[0].text.as_str()), (1, "A desk."), "{format}");
        assert_eq!(serde_json::from_str::<Value>(&origin.unwrap().source).unwrap(), item);
    }
}

#[test]
fn a_call_of_a_tool_is_an_action() {
    let call = |name: &str, arguments: Value| {
        json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments.to_string()}}]})
    };
    let item = json!({"messages": [{"role": "user", "content": "Do it."},
        call("act", json!({"command": "look"})), {"role": "tool", "content": "A desk."},
        call("search", json!({"query": "mug", "page": 1})), {"role": "tool", "content": "None."}]});
    let tr = of(&item).trajectory;
    assert_eq!(tr.steps[0].action, "look");
    assert_eq!(tr.steps[1].action, r#"search {"query":"mug","page":1}"#);
}

#[test]
fn a_log_says_what_it_came_to_and_nothing_is_made_up() {
    let atif = |reward: Value| {
        json!({"schema_version": "ATIF-v1.8", "session_id": "s", "agent": {"name": "a"},
        "steps": [{"step_id": 1, "source": "user", "message": "Reach G."},
            {"step_id": 2, "source": "agent", "message": "[up]", "reasoning_content": "Up.",
             "observation": {"results": [{"content": "You are at G."}]}}],
        "final_metrics": {"extra": {"reward": reward}}})
    };
    let won = of(&atif(json!(1.0)));
    assert!(won.trajectory.success() && won.trajectory.reward() > 0.99);
    assert_eq!(won.thoughts[0].text, "Up.");
    assert!(!of(&atif(Value::Null)).trajectory.success(), "nobody says that it was");
    let inspect = |value: &str| {
        json!({"version": 2, "eval": {"model": "m", "task": "t"}, "samples": [
        {"id": 1, "epoch": 1, "scores": {"match": {"value": value}},
         "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "No"}]}]})
    };
    assert!(of(&inspect("C")).trajectory.success() && !of(&inspect("I")).trajectory.success());
    let openhands = json!({"instance_id": "i", "test_result": {"resolved": true}, "history": [
        {"id": 1, "source": "user", "action": "message", "args": {"content": "Mend it."}},
        {"id": 2, "source": "agent", "action": "run", "args": {"command": "ls", "thought": "See."}},
        {"id": 3, "source": "agent", "cause": 2, "observation": "run", "content": "a.py"}]});
    let Record { trajectory: tr, thoughts, .. } = of(&openhands);
    assert_eq!((tr.steps[0].action.as_str(), tr.steps[0].observation.as_str()), ("ls", "a.py"));
    assert!(tr.success() && tr.task == "Mend it." && thoughts[0].text == "See.");
}

/// Events of OpenHands' SDK: two calls of one answer, whose results come in another order.
#[test]
fn events_of_a_conversation_are_read_by_their_kinds() {
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    let act = |call: &str, tool: &str, action: Value| {
        json!({"kind": "ActionEvent", "source": "agent", "tool_name": tool, "tool_call_id": call,
            "thought": text("See."), "action": action,
            "tool_call": {"id": call, "name": tool, "arguments": "{}"}})
    };
    let seen = |call: &str, told: &str| {
        json!({"kind": "ObservationEvent", "source": "environment", "tool_call_id": call,
            "observation": {"kind": "TerminalObservation", "content": text(told)}})
    };
    let mut events = vec![
        json!({"kind": "SystemPromptEvent", "source": "agent", "system_prompt": text("You are.")}),
        json!({"kind": "MessageEvent", "source": "user",
            "llm_message": {"role": "user", "content": text("Mend it.")}}),
        act("1", "terminal", json!({"kind": "TerminalAction", "command": "ls", "is_input": false})),
        act(
            "2",
            "file_editor",
            json!({"kind": "FileEditorAction", "command": "view", "path": "a.py"}),
        ),
        seen("2", "x = 1"),
        seen("1", "a.py"),
        act("3", "nothing", Value::Null),
        json!({"kind": "AgentErrorEvent", "source": "agent", "tool_call_id": "3", "error": "No such tool."}),
        json!({"kind": "MessageEvent", "source": "agent",
            "llm_message": {"role": "assistant", "content": text("Done.")}}),
    ];
    let Record { trajectory: tr, thoughts, .. } = of(&Value::Array(events.clone()));
    let steps: Vec<_> =
        tr.steps.iter().map(|step| (step.action.as_str(), step.observation.as_str())).collect();
    let viewed = "file_editor {\"command\":\"view\",\"path\":\"a.py\"}";
    assert_eq!(
        steps,
        [("ls", "a.py"), (viewed, "x = 1"), ("nothing {}", "No such tool."), ("Done.", "")]
    );
    assert_eq!((tr.task.as_str(), thoughts.len()), ("Mend it.", 3));
    // As its folder has them.
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("events")).unwrap();
    for (n, event) in events.iter().enumerate() {
        let name = format!("events/event-{n:05}-some-id.json");
        std::fs::write(dir.path().join(name), event.to_string()).unwrap();
    }
    let records = read(dir.path(), Some("mine")).unwrap();
    assert_eq!(records[0].trajectory.steps, tr.steps);
    // More events than their numbers have zeros for.
    for (from, to) in [("00007", "99999"), ("00008", "100000")] {
        let name = |n: &str| dir.path().join(format!("events/event-{n}-some-id.json"));
        std::fs::rename(name(from), name(to)).unwrap();
    }
    assert_eq!(read(dir.path(), None).unwrap()[0].trajectory.steps, tr.steps);
    // A kind that came later is beside the point where nothing is told in it.
    events.push(json!({"kind": "FutureEvent", "source": "agent", "timestamp": "now"}));
    assert_eq!(of(&Value::Array(events.clone())).trajectory.steps.len(), 4);
    let acp =
        json!({"kind": "ACPToolCallEvent", "source": "agent", "tool_call_id": "9", "title": "x"});
    for (odd, says) in [
        (acp, "`ACPToolCallEvent`"),
        (seen("7", "?"), "`7`, which was not made"),
        (act("1", "terminal", Value::Null), "two calls"),
        (
            json!({"kind": "MessageEvent", "source": "agent", "llm_message": {"content": []}}),
            "nothing",
        ),
    ] {
        let all = [events.clone(), vec![odd]].concat();
        let said = episodes(&Value::Array(all)).unwrap_err().to_string();
        assert!(said.contains("event 11") && said.contains(says), "{said}");
    }
    // What others call a kind makes no event of it.
    let game =
        json!([{"role": "user", "content": "Task: a"}, {"role": "assistant", "content": "go"}]);
    let kinds = json!([{"kind": "heat", "messages": game}, {"kind": "cool", "messages": game}]);
    let (_dir, path) = file(&kinds.to_string());
    assert_eq!(read(&path, None).unwrap().len(), 2);
}

#[test]
fn what_is_written_as_atif_reads_back() {
    let game = json!({"messages": [
        {"role": "user", "content": "You see a desk 1.\n\nYour task is to: look at a mug."},
        {"role": "assistant", "content": "go to desk 1"}, {"role": "user", "content": "A mug 1."}]});
    let mut record = of(&game);
    record.thoughts.push(Thought { trajectory: 0, t: 0, text: "A desk.".into() });
    let back = of(&atif(&record));
    let tr = record.trajectory;
    let steps = |tr: &Trajectory| -> Vec<(String, String, bool)> {
        tr.steps.iter().map(|s| (s.action.clone(), s.observation.clone(), s.done)).collect()
    };
    assert_eq!(steps(&back.trajectory), steps(&tr));
    let told = |tr: &Trajectory| (tr.task.clone(), tr.observation.clone(), tr.success());
    assert_eq!(told(&back.trajectory), told(&tr));
    let filed =
        |tr: &Trajectory| [tr.suite.clone(), tr.split.clone(), tr.kind.clone(), tr.task_id.clone()];
    assert_eq!(
        filed(&back.trajectory),
        filed(&tr),
        "what this program wrote says where it belongs"
    );
    assert_eq!(back.thoughts[0].text, "A desk.");
}

#[test]
fn nothing_of_what_was_said_or_done_is_lost() {
    let says = |text: &str| {
        json!({"messages": [{"role": "user", "content": "Do it."},
        {"role": "assistant", "content": text}, {"role": "user", "content": "Done."}]})
    };
    let action = |item: &Value| of(item).trajectory.steps[0].action.clone();
    assert_eq!(
        action(&says("Action: write[The word Action: means do]")),
        "write[The word Action: means do]"
    );
    assert_eq!(action(&says("Action: a\nThought: no\nAction: b")), "b");
    let old = json!({"messages": [{"role": "user", "content": "Do it."},
        {"role": "assistant", "content": null, "function_call": {"name": "weather", "arguments": "{\"day\": 1}"}},
        {"role": "function", "content": "rainy"}]});
    assert_eq!(action(&old), r#"weather {"day":1}"#);
    let ok = json!({"messages": [{"role": "user", "content": "Your task is to: cook an egg."},
        {"role": "assistant", "content": "Understood."}, {"role": "user", "content": "You are in a kitchen."},
        {"role": "assistant", "content": "look"}, {"role": "user", "content": "Go on?"},
        {"role": "assistant", "content": "ok"}]});
    let tr = of(&ok).trajectory;
    assert_eq!((tr.task.as_str(), tr.steps.len()), ("cook an egg.", 2), "{tr:?}");
    let others = json!({"schema_version": "ATIF-v1.8", "agent": {"name": "a"}, "steps": [
        {"source": "user", "message": "Go."}, {"source": "agent", "message": "go", "extra": {"alternatives": [
            {"action": "go"}, {"action": "better", "reward": 5.0}, {"action": "better", "reward": 5.0}]}}]});
    let Record { trajectory, branches, .. } = of(&others);
    assert_eq!(
        branches.len(),
        1,
        "the step's own action is no alternative, and the same twice is one"
    );
    assert!(!branches[0].is_below(&trajectory.steps[0]), "what was worth more is not worse");
}

#[test]
fn what_is_no_trajectory_is_refused_by_name_and_place() {
    for (text, said) in [
        (
            "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]}\n{\"colour\": 3}",
            "line 2: none of the shapes",
        ),
        (
            "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]}\n{\"messages\": [{\"role\": \"x\"}]}",
            "a message of `x`",
        ),
        ("{\"input_ids\": [1]}", "tokens without their texts"),
        ("{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}", "a preference"),
        (
            "{\"success\": \"false\", \"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]}",
            "success",
        ),
        ("{\"messages\": [{\"role\": \"assistant\", \"content\": \"Action: \"}]}", "does nothing"),
        ("{\"schema_version\": \"ATIF-v9\", \"steps\": []}", "ATIF-v9"),
        (
            "{\"schema_version\": \"ATIF-v1.8\", \"steps\": [{\"source\": \"agent\", \"message\": \"a\", \
             \"extra\": {\"alternatives\": [{\"action\": \"b\", \"effect\": \"worse\"}]}}]}",
            "step 1: alternative 1: effect: an alternative has no effect `worse`",
        ),
        (
            "{\"schema_version\": \"ATIF-v1.8\", \"steps\": [], \"final_metrics\": \
             {\"extra\": {\"reward\": \"1\"}}}",
            "reward: \"1\" is no number",
        ),
        ("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}", "nothing is done in it"),
        ("{\"messages\": [}\n{}", "not JSON"),
        ("[1, 2", "not JSON"),
    ] {
        let (_dir, path) = file(text);
        let error = read(&path, None).unwrap_err();
        assert!(error.to_string().contains(said), "{text}: {error}");
    }
}
