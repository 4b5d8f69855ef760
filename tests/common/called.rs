//! Some calls of agents, as Agents shows them.

use foretaste::store::{AgentRow, CallRow, Relation, SessionRow};
use foretaste::tui::screens::agents::{Listed, Seen};

fn session(id: i64, name: &str, calls: u64, reward: Option<f64>) -> SessionRow {
    SessionRow {
        id,
        name: name.into(),
        calls,
        failed: u64::from(id == 2),
        tokens: 812,
        reward,
        created_ms: 0,
    }
}

fn agent(id: i64, name: &str, tools: &str, calls: u64) -> AgentRow {
    let system = "You play a household game.".into();
    let (prompt_tokens, answer_tokens) = (48_564, 1_050);
    AgentRow {
        id,
        name: name.into(),
        system,
        tools: tools.into(),
        sessions: 3,
        calls,
        prompt_tokens,
        answer_tokens,
        cost: None,
    }
}

/// Three sessions of two agents.
pub fn seen() -> Seen {
    Seen {
        sessions: vec![
            session(3, "run/langgraph-unseen-2", 4, None),
            session(2, "run/openai-unseen-1", 31, Some(0.0)),
            session(1, "run/openai-unseen-0", 6, Some(1.0)),
        ],
        total: 3,
        agents: vec![agent(1, "player", "act", 37), agent(2, "planner", "", 4)],
        routes: vec![
            "every agent: embedded".into(),
            "player: novice, run 1 step 200, each session one of them".into(),
        ],
    }
}

/// The calls of the newest session.
pub fn calls() -> (String, Vec<Listed>) {
    let call = |id: i64, relation: Relation, asked: &str, said: &str, others: usize| Listed {
        row: CallRow {
            id,
            session: "run/langgraph-unseen-2".into(),
            agent: "player".into(),
            relation,
            dialect: "chat".into(),
            model: "any".into(),
            mind: "novice".into(),
            asked: id,
            answered: (id != 4).then_some(id),
            prompt_tokens: 44 + 20 * id as u64,
            answer_tokens: 5,
            cost: None,
            exact: id != 3,
            began_ms: 0,
            ms: 9,
        },
        asked: asked.into(),
        said: said.into(),
        others,
    };
    let all = vec![
        call(
            1,
            Relation::Root,
            "The room has a bin 1 and a shelf 1. Your errand: put a clean mug on the shelf.",
            "act(walk to bin 1)",
            0,
        ),
        call(
            2,
            Relation::Continued,
            "You reach the bin 1. It holds a mug 1.",
            "act(grab mug 1 from bin 1)",
            3,
        ),
        call(
            3,
            Relation::Realigned,
            "You lift the mug 1 off the bin 1.",
            "act(walk to shelf 1)",
            0,
        ),
        call(
            4,
            Relation::Continued,
            "You reach the shelf 1. It holds nothing.",
            "FAILED no answer in 600 s",
            0,
        ),
    ];
    ("run/langgraph-unseen-2".into(), all)
}
