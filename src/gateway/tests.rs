//! What becomes of calls: trees, stretches, demonstrations, old beside new.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::env::Suite;
use crate::env::household::Household;
use crate::explore::Session;
use crate::store::{Called, NewAgent, NewCall, REWARD, Relation, Store};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn act(command: &str) -> Value {
    let function = json!({"name": "act", "arguments": json!({"command": command}).to_string()});
    json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": function}]})
}

fn seen(text: &str) -> Value {
    json!({"role": "tool", "tool_call_id": "c", "content": text})
}

fn tool() -> Value {
    json!([{"type": "function", "function": {"name": "act", "parameters": {"properties": {"command": {"type": "string"}}}}}])
}

struct Made<'a> {
    session: &'a str,
    agent: &'a str,
    mind: &'a str,
}

const PLAYER: Made<'static> = Made { session: "s", agent: "player", mind: "old" };

/// Writes a call down; none as its answer is one that failed.
fn call(
    store: &mut Store,
    made: &Made<'_>,
    asked: &[Value],
    answer: Option<&Value>,
) -> (i64, Relation) {
    let agent = NewAgent {
        mark: format!("named {}", made.agent),
        name: Some(made.agent.into()),
        system: String::new(),
        tools: "act".into(),
    };
    let new = NewCall {
        session: made.session.into(),
        agent,
        asked: asked.iter().map(said::written).collect(),
        answered: answer.map(said::written),
        dialect: "chat",
        model: "any".into(),
        mind: made.mind.into(),
        request: json!({"tools": tool()}),
        reply: json!({}),
        tokens: None,
        usage: (u64::from(u32::MAX), 9),
        cost: None,
        took: (0, 1),
    };
    let id = store.add_calls(&[new]).unwrap()[0];
    (id, store.call(id).unwrap().row.relation)
}

fn reward(store: &mut Store, session: &str, value: f64) {
    store.add_session_event(session, (REWARD, Some(value)), &json!({})).unwrap();
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn system(text: &str) -> Value {
    json!({"role": "system", "content": text})
}

const GAME: &str = "You see a desk 1.\n\nYour task is to: find a mug.";

fn taken(store: &mut Store, agent: &str) -> Taken {
    let who = store.called_agent(agent).unwrap();
    take(store, &who, &Wanted::default()).unwrap()
}

#[test]
fn a_conversation_is_one_whatever_the_system_says_and_however_it_is_written() {
    let (_dir, mut store) = store();
    let told = |minute: u32| system(&format!("It is 12:{minute:02}."));
    let (one, two) = (act("go to desk 1"), act("take mug 1"));
    assert_eq!(call(&mut store, &PLAYER, &[told(1), user(GAME)], Some(&one)).1, Relation::Root);
    let next = [told(2), user(GAME), one.clone(), seen("A mug 1.")];
    assert_eq!(call(&mut store, &PLAYER, &next, Some(&two)).1, Relation::Continued);
    assert_eq!(call(&mut store, &PLAYER, &next, Some(&two)).1, Relation::Again);
    // The harness tells of its calls in words; and what only looks like that is another way.
    let words = json!({"role": "assistant", "content": "Calling tools: [{'name': 'act', 'arguments': {'command': 'take mug 1'}}]"});
    let anew = [&next[..], &[words, seen("You have it.")]].concat();
    let (id, relation) = call(&mut store, &PLAYER, &anew, Some(&act("look")));
    assert_eq!(relation, Relation::Realigned);
    assert_eq!(store.call(id).unwrap().messages, anew, "as the agent wrote it");
    let other = json!({"role": "assistant", "content": "as a matter of fact I take mug 1"});
    let forked = [&next[..], &[other, seen("?")]].concat();
    assert_eq!(call(&mut store, &PLAYER, &forked, Some(&act("look"))).1, Relation::Forked);
    // Another agent that is told the same has a tree of its own.
    let planner = Made { agent: "planner", ..PLAYER };
    assert_eq!(call(&mut store, &planner, &[user(GAME)], Some(&user("x"))).1, Relation::Root);
    // The same in other words is the same, and what was sent is kept.
    let thought = json!({"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": two["tool_calls"]});
    let (id, _) = call(&mut store, &PLAYER, &next, Some(&thought));
    assert_eq!(store.call(id).unwrap().answer, Some(thought));
}

#[test]
fn a_reward_is_about_what_was_done_since_the_one_before() {
    let (_dir, mut store) = store();
    for (game, value) in [("one", 0.0), ("two", 1.0), ("three", 0.0)] {
        let told = user(&format!("{game}\n\nYour task is to: find {game}."));
        let first = act("look");
        call(&mut store, &PLAYER, std::slice::from_ref(&told), Some(&first));
        // A second sample in its place, which the agent goes on from.
        let second = act("go to desk 1");
        call(&mut store, &PLAYER, std::slice::from_ref(&told), Some(&second));
        call(&mut store, &PLAYER, &[told, second, seen("A mug 1.")], Some(&act("take mug 1")));
        reward(&mut store, "s", value);
    }
    let found = taken(&mut store, "player");
    assert_eq!((found.taken, found.less, found.abandoned), (1, 2, 3), "{found:?}");
    let played = store.trajectory(1).unwrap();
    assert_eq!((played.task.as_str(), played.steps.len()), ("find two.", 2));
    assert_eq!(taken(&mut store, "player").before, 1);
    // It was worth less after all.
    let more = [user("four"), act("look"), seen("x")];
    call(&mut store, &Made { session: "other", ..PLAYER }, &more, Some(&act("look")));
    assert_eq!(taken(&mut store, "player").unrewarded, 1);
}

#[test]
fn a_demonstration_follows_its_conversation() {
    let (_dir, mut store) = store();
    let (one, two) = (act("go to desk 1"), act("take mug 1"));
    call(&mut store, &PLAYER, &[user(GAME)], Some(&one));
    reward(&mut store, "s", 1.0);
    assert_eq!(taken(&mut store, "player").taken, 1);
    // It goes on, and is worth something again: the whole takes the place of its beginning.
    call(&mut store, &PLAYER, &[user(GAME), one, seen("A mug 1.")], Some(&two));
    reward(&mut store, "s", 1.0);
    let found = taken(&mut store, "player");
    assert_eq!((found.taken, found.withdrawn), (1, 1), "{found:?}");
    reward(&mut store, "s", 0.0);
    let found = taken(&mut store, "player");
    assert_eq!((found.taken, found.less, found.withdrawn), (0, 1, 1), "{found:?}");
}

#[test]
fn agents_are_told_apart_by_number_whatever_they_are_called() {
    let (_dir, mut store) = store();
    for (agent, session, value) in [("2", "a", 1.0), ("other", "b", 0.0)] {
        let made = Made { session, agent, mind: "old" };
        call(&mut store, &made, &[user(GAME)], Some(&act("look")));
        reward(&mut store, session, value);
    }
    let other = store.called_agent("other").unwrap();
    assert_eq!((other.id, sides(&store, &other, None).unwrap().sides[0].won), (2, 0));
    assert_eq!(store.called_agent("2").unwrap().id, 1, "a name goes before a number");
    assert!(rename(&mut store, &other, "a=b").is_err() && rename(&mut store, &other, "2").is_err());
    add_route(&mut store, &Route::parse("other=novice").unwrap()).unwrap();
    rename(&mut store, &other, "third").unwrap();
    assert_eq!(current(&routes(&store).unwrap())[0].agent.as_deref(), Some("third"));
    let which = Called { search: Some("Your task is to: find".into()), ..Called::default() };
    assert_eq!(store.calls(&which).unwrap().len(), 2);
    let which = Called { search: Some("\"content\"".into()), ..Called::default() };
    assert!(store.calls(&which).unwrap().is_empty(), "what is searched is what was said");
}

#[test]
fn minds_are_compared_on_episodes_that_they_answered_alone() {
    let (_dir, mut store) = store();
    let mut play = |session: &str, mind: &str, answered: bool, value: Option<f64>| {
        let made = Made { session, agent: "player", mind };
        let look = act("look");
        call(&mut store, &made, &[user(GAME)], answered.then_some(&look));
        if let Some(value) = value {
            let task = json!({"suite": "household", "task": "unseen/1"});
            store.add_session_event(session, ("world", None), &task).unwrap();
            reward(&mut store, session, value);
        }
    };
    play("a", "old", true, Some(0.0));
    play("b", "old", true, Some(1.0));
    play("c", "new", false, Some(0.0)); // failed, and lost by that
    play("d", "new", true, Some(1.0));
    play("e", "old", true, None);
    play("f", "old", true, None);
    play("f", "new", true, Some(1.0));
    let who = store.called_agent("player").unwrap();
    let found = sides(&store, &who, None).unwrap();
    let figures: Vec<_> =
        found.sides.iter().map(|side| (side.mind.as_str(), side.won, side.episodes)).collect();
    assert_eq!(figures, [("new", 1, 2), ("old", 1, 2)]);
    assert_eq!((found.mixed, found.unrewarded), (1, 1));
    assert!(
        found
            .told()
            .iter()
            .any(|line| line.contains("new less old") || line.contains("old less new"))
    );
    assert!(sides(&store, &who, Some("train")).unwrap().sides.is_empty());
}

#[test]
fn what_is_taken_is_played_again_in_the_world_that_it_names() {
    let suite = Household;
    let shared: Arc<dyn Suite> = Arc::new(Household);
    let mut session = Session::open(&shared, "train", "train/3", Some("walkthrough")).unwrap();
    let mut way = Vec::new();
    while !session.view().unwrap().done {
        let (_, advice) = session.view().unwrap().expert.unwrap();
        session.step(&advice.action, "walkthrough").unwrap();
        way.push(advice.action);
    }
    let play = |store: &mut Store, session: &str, task: &str, spoil: bool| {
        let made = Made { session, ..PLAYER };
        let mut opened = suite.open("train/3").unwrap();
        let mut said = vec![user(&opened.env.turn().observation)];
        for action in &way {
            call(store, &made, &said, Some(&act(action)));
            opened.env.step(action).unwrap();
            let told =
                if spoil { "Something else." } else { opened.env.turn().observation.as_ref() };
            said.extend([act(action), seen(told)]);
        }
        store
            .add_session_event(
                session,
                ("world", None),
                &json!({"suite": "household", "task": task}),
            )
            .unwrap();
        reward(store, session, 1.0);
    };
    let (_dir, mut store) = store();
    play(&mut store, "won", "train/3", false);
    play(&mut store, "spoilt", "train/3", true);
    play(&mut store, "elsewhere", "train/4", false);
    play(&mut store, "nowhere", "train/none", false);
    play(&mut store, "evaluation", "unseen/3", false);
    let found = taken(&mut store, "player");
    assert_eq!(
        (found.taken, found.replayed, found.not_so, found.evaluation),
        (1, 1, 3, 1),
        "{found:?}"
    );
    let played = store.trajectory(1).unwrap();
    assert!(played.success() && played.steps.len() == way.len() && played.admissible.is_some());
    assert_eq!((played.split.as_str(), played.task_id.as_str()), ("train", "train/3"));
    assert!(!played.steps.last().unwrap().observation.is_empty(), "the end is known now");
}
