//! The interface as the tests of its screens draw it: a real game, a real store, fixed numbers for
//! the model's answers.

#[path = "called.rs"]
mod called;
#[path = "studied.rs"]
mod studied;

use std::sync::Arc;

use foretaste::agent::Scores;
use foretaste::agent::template::Template;
use foretaste::collect::{self, Contrast, Draw};
use foretaste::control::{Control, Progress};
use foretaste::curation::judged;
use foretaste::env::Suite;
use foretaste::env::household::Household;
use foretaste::episode::{Scope, Teacher};
use foretaste::experience::Verdict;
use foretaste::explore::Session;
use foretaste::store::{
    EvalRow, Filter, Listing, MetricPoint, Near, NewRun, Place, Prediction, RunStatus, Store, Told,
};
use foretaste::train::data::DataSummary;
use foretaste::train::{Mixture, Objective, Plan};
use foretaste::tui::app::App;
use foretaste::tui::caps::Caps;
use foretaste::tui::effect::{Effect, JobKind, MindCmd, WorldCmd};
use foretaste::tui::frame;
use foretaste::tui::msg::{JobMsg, Msg};
use foretaste::tui::screens::{agents, curate, data, explore, replay, study, train};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// The third training task of the household, as it is opened.
pub fn third_task() -> Session {
    let suite: Arc<dyn Suite> = Arc::new(Household);
    Session::open(&suite, "train", "train/3", Some("walkthrough")).unwrap()
}

pub fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "train".into(), games: 2, seed: 1, share: None };
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    collect::demonstrations(
        &mut store,
        &Household,
        &scope,
        Teacher::Suite(Some("walkthrough")),
        &control,
        quiet,
    )
    .unwrap();
    collect::branches(&mut store, &Household, &scope, Draw::uniform(3), &control, quiet).unwrap();
    collect::reflections(
        &mut store,
        &Household,
        &scope,
        &Contrast::default(),
        collect::Writing::once(&mut Template),
        &control,
        quiet,
    )
    .unwrap();
    (dir, store)
}

/// The interface with everything the threads would have told it, the model's answers being fixed
/// numbers.
pub fn app(caps: Caps) -> App {
    let mut app = App::new("household", caps);
    let mut session = third_task();
    let advice = session.view().unwrap().expert.unwrap().1;
    session.step(&advice.action, "walkthrough").unwrap();
    show(&mut app, &mut session);
    let (_dir, store) = store();
    let pending = Filter::verdict(Some(Verdict::Pending));
    let queue = store.queue(&pending, Place::Start, 100).unwrap();
    let first = queue.items[0].clone();
    let branches = store.branches(first.trajectory).unwrap();
    let trajectory = store.trajectory(first.trajectory).unwrap();
    let evidence = curate::Evidence::of(&first, judged(&store, &first).unwrap());
    app.update(Msg::from(curate::Msg::Queue(pending, Place::Start, queue)));
    app.update(Msg::from(curate::Msg::Case(first.id, Box::new(evidence))));
    let config = serde_json::json!({
        "plan": Plan::new(Objective::Imitation, 200, 1),
        "data": DataSummary { demonstrations: 2, tokens: 512, trees: 2, held_out: 1,
        ..DataSummary::default() },
        "stages": [{"name": "imitation", "updates": 200, "mixture": Mixture::IMITATION,
        "trees": 2}],
    });
    let config = config.to_string();
    let new =
        NewRun { objective: "imitation", config: &config, seed: 1, start: "embedded", steps: 200 };
    let (run, _lock) = store.begin_run(new, "{}").unwrap();
    store.set_run(run, RunStatus::Stopped, 120, None).unwrap();
    let points = (1..=120)
        .map(|i| MetricPoint {
            step: i,
            value: Some(2.0 / i as f64 + 0.1),
            wall_ms: 0,
            tokens: None,
        })
        .collect();
    app.update(Msg::from(train::Msg::Runs(store.runs().unwrap(), vec![], vec![], evaluations())));
    app.update(Msg::from(train::Msg::Curve(run, "loss".into(), None, points)));
    app.update(Msg::from(train::Msg::About(run, vec!["loss".into(), "rate".into()], vec![])));
    let foreseen = vec![Prediction {
        trajectory: trajectory.id,
        t: 0,
        action: branches[0].action.clone(),
        model: "embedded".into(),
        text: "You reach the shelf 1. It holds a vase 1.".into(),
        created_ms: 0,
    }];
    app.update(Msg::from(replay::Msg::List(
        Listing::default(),
        store.list(&Listing::default(), Near::Position(0), 10).unwrap(),
    )));
    let told = Told { predictions: foreseen, ..store.told(trajectory.id).unwrap() };
    app.update(Msg::from(replay::Msg::Opened(Box::new(told), None)));
    app.update(Msg::from(data::Msg::Counts(store.counts().unwrap(), 1_234_567)));
    app.screens.data.root = "DATA".into();
    app.update(Msg::from(data::Msg::Origins(store.origins().unwrap(), vec!["walkthrough".into()])));
    app.update(Msg::from(data::Msg::Trajectories(
        store.list(&Listing::default(), Near::Position(0), 10).unwrap(),
    )));
    app.update(Msg::from(study::Msg::Studies(vec![studied::standing()])));
    app.update(Msg::from(agents::Msg::Seen(called::seen())));
    let (session, calls) = called::calls();
    app.update(Msg::from(agents::Msg::Calls(session, calls)));
    app.update(Msg::Job(
        JobKind::Train,
        JobMsg::Progress(Progress {
            doing: "imitation".into(),
            done: 120,
            total: 200,
            rate: 4.0,
            left_s: Some(20.0),
        }),
    ));
    app
}

/// Tells Explore where a session stands, and answers what it asks of world and mind.
pub fn show(app: &mut App, session: &mut Session) {
    let view = Box::new(session.view().unwrap());
    if app.screens.explore.minds.described.is_empty() {
        app.update(Msg::from(explore::Msg::Model(explore::Minds {
            world: "embedded".into(),
            described: "embedded".into(),
            named: false,
        })));
    }
    let effects = app.update(Msg::from(explore::Msg::View { view, place: 4, of: 4000 }));
    let Some(Effect::Mind(MindCmd::Evaluate(look))) = effects.into_iter().next() else { return };
    let n = look.actions.len() as f64;
    let shares = (0..look.actions.len()).map(|i| 2.0 * (n - i as f64) / (n * (n + 1.0))).collect();
    app.update(Msg::from(explore::Msg::Scores(look.ticket, shares, Scores::Exact)));
    let others = look.actions.iter().filter(|a| Some(*a) != look.expert.as_ref()).take(3);
    let chosen: Vec<_> = others.map(|action| (action.clone(), "policy".to_string())).collect();
    for effect in app.update(Msg::from(explore::Msg::Chosen(look.ticket, chosen))) {
        if let Effect::World(WorldCmd::Execute(node, actions)) = effect {
            let outcomes = session.outcomes(&actions).unwrap();
            app.update(Msg::from(explore::Msg::Outcomes(node, outcomes)));
        }
    }
    let predictions = vec!["You reach the shelf 1. It holds a vase 1.".to_string(); 4];
    app.update(Msg::from(explore::Msg::Predicted(look.ticket, predictions, true)));
}

/// The cells of a frame, with their colours.
pub fn cells(app: &App, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|f| frame::draw(app, f)).unwrap();
    terminal.backend().buffer().clone()
}

pub fn drawn(app: &App, width: u16, height: u16) -> String {
    let buffer = cells(app, width, height);
    let line = |y: u16| {
        (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string()
    };
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

/// Two evaluations of different models on the same games.
fn evaluations() -> Vec<EvalRow> {
    let eval = |id, checkpoint: &str, successes, think| EvalRow {
        id,
        checkpoint: checkpoint.into(),
        suite: "household".into(),
        split: "unseen".into(),
        games_seed: Some(1),
        seed: 1,
        temperature: Some(0.4),
        step_limit: Some(50),
        think: Some(think),
        restriction: Some("list".into()),
        games: None,
        record: None,
        n: 20,
        broke_off: 0,
        successes,
        mean_steps: 21.5,
        mean_reward: None,
        trained_on: Some(0),
        no_repeat: Some(false),
    };
    vec![eval(2, "run 1 step 120", 13, true), eval(1, "embedded", 8, false)]
}
