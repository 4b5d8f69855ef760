//! A world that is dear (far away, one instance, no copies, slow, failing now and then) and a mind
//! that gives no scores, through everything: collecting, evaluating, agreement, surprise, Explore,
//! curating, training, exchange.

#[path = "common/far.rs"]
mod far;
#[path = "common/mind.rs"]
mod mind;
#[path = "common/shop.rs"]
mod shop;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use far::FarShops;
use foretaste::agent::alternatives::AlternativeSampling;
use foretaste::agent::{Agent, Scores};
use foretaste::agreement::{Which, agreement};
use foretaste::budget;
use foretaste::collect::{self, Contrast, Draw, Proposer};
use foretaste::control::{Cancel, Control, Progress};
use foretaste::env::{Forks, Suite};
use foretaste::episode::{Play, Scope, Teacher};
use foretaste::error::Kind;
use foretaste::eval::{Known, evaluate, foresight};
use foretaste::experience::{ActionEffect, POLICY, State, Verdict};
use foretaste::explore::{
    EvaluateState, Evaluated, Keeping, Session, Tried, evaluate_state, keep, play_on, reflect,
};
use foretaste::formats::import::import;
use foretaste::formats::{Observations, Order, Questions, Set, export_file};
use foretaste::model::config::Config;
use foretaste::model::tokenizer::Tokenizer;
use foretaste::model::weights::Trainable;
use foretaste::selection::{ALL, Criteria};
use foretaste::store::{Decision, Filter, Place, RunStatus, Store};
use foretaste::surprise::surprises;
use foretaste::train::{Objective, Plan, trainer};
use mind::Scripted;

/// What a clerk would say, for a mind without one: it reads the task and looks at the page.
fn clever(state: &State, seed: u64) -> String {
    let wanted = state.task.trim_start_matches("buy a ").trim_end_matches('.');
    let way =
        [format!("search[{wanted}]"), format!("click[{wanted}]"), "click[buy now]".to_string()];
    // One in four draws wanders.
    let wanders = ["search[blue]", "search[cup]", "click[blue mug]", "dance"];
    match seed % 4 {
        3 => wanders[(seed / 4 % 4) as usize].to_string(),
        _ => way[state.history.len().min(2)].clone(),
    }
}

fn clever_mind() -> Scripted {
    Scripted::says(|state, _, seed| clever(state, seed))
        .thinks(|state, _| format!("I need {}", state.task))
        .foresees(|_, action| Ok(format!("something about {action}")))
        .named("clever")
}

fn scope() -> Scope {
    Scope { split: "train".into(), games: 3, seed: 1, share: None }
}

const PLAY: Play =
    Play { temperature: 1.0, seed: 1, think: true, free: false, predict: true, no_repeat: false };

/// Does something that may fail because the line broke off, until it does not.
fn patiently<T>(mut attempt: impl FnMut() -> foretaste::error::Result<T>) -> T {
    for _ in 0..200 {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(
                error.message().contains("broke off") || error.message().contains("tired"),
                "{error}"
            ),
        }
    }
    panic!("it never went through");
}

/// Evaluating: it writes what it does, since it cannot score a list, and that is how it is
/// recorded.
fn evaluates(store: &mut Store, suite: &FarShops) {
    let control = Control::default();
    suite.fails.store(0, Ordering::SeqCst);
    let mut mind = clever_mind();
    let known = Known::default();
    let summary =
        evaluate(store, suite, &scope(), &mut mind, (PLAY, &known), &control, &mut |_, _| {})
            .unwrap();
    assert_eq!((summary.n, summary.restriction.as_str()), (3, "free"));
    assert!(summary.successes > 0 && summary.usage.asks > 0, "{summary:?}");
    // A game whose world breaks off counts neither way; where all do, there is nothing to say.
    let mut broken = |fails: u64| {
        suite.steps.store(0, Ordering::SeqCst);
        suite.fails.store(fails, Ordering::SeqCst);
        let play = Play { seed: 2, ..PLAY };
        let done =
            evaluate(store, suite, &scope(), &mut mind, (play, &known), &control, &mut |_, _| {});
        (done, store.evaluations().unwrap().len())
    };
    let (some, saved) = broken(5);
    let some = some.unwrap();
    assert!(some.broke_off > 0 && some.n > 0 && some.n + some.broke_off == 3, "{some:?}");
    assert!(some.why.is_some_and(|why| why.contains("broke off")));
    let (none, still) = broken(1);
    assert!(none.unwrap_err().message().contains("broke off"));
    assert_eq!((saved, still), (2, 2), "what was not played is not recorded");
    suite.fails.store(0, Ordering::SeqCst);
    let right = foresight(suite, &scope(), 2, &mut mind, &control, &mut |_| {}).unwrap();
    assert!(right.all.transitions > 9 && right.all.exact == 0.0, "{right:?}");
    let which = Which { suite: "far-shops", split: "train", expert: "clerk", games: 9 };
    let found = agreement(store, which, &mut mind, true, &control, &mut |_| {}).unwrap();
    assert_eq!(
        (found.scores, found.states, found.unlisted),
        (Scores::Frequency, 6, 3),
        "a search is not in the list"
    );
    assert!(found.same > 0.9 && found.bits < found.bits_uniform, "{found:?}");
    let most =
        surprises(store, ("far-shops", "train"), 9, &mut mind, &control, &mut |_| {}).unwrap();
    assert_eq!((most.scores, most.states.len()), (Scores::Frequency, 9));
}

/// Curating, and training on what came of it.
fn trains(store: &mut Store) {
    let control = Control::default();
    let pending =
        store.queue(&Filter::verdict(Some(Verdict::Pending)), Place::Start, 50).unwrap().items;
    assert!(!pending.is_empty());
    for item in &pending {
        store.decide(item.id, &Decision::Approve).unwrap();
    }
    let tokenizer = Arc::new(
        Tokenizer::train(&["buy a red mug. search click things are there".into()], 290).unwrap(),
    );
    let config = Config { context: 2048, ..Config::small(1, 32, tokenizer.vocab()).unwrap() };
    let fresh = || Trainable::fresh(&config, Arc::clone(&tokenizer), 5).unwrap();
    for objective in [Objective::Imitation, Objective::WorldModel] {
        let data =
            Criteria { suite: Some("far-shops".into()), held_out: 0.0, ..Criteria::default() };
        let plan = Plan { batch: 2, data, workers: 1, ..Plan::new(objective, 2, 1) };
        let run = trainer::train(store, &plan, fresh(), "fresh", &control, &mut |_| {}).unwrap();
        assert_eq!(store.run(run).unwrap().status, RunStatus::Finished);
    }
}

#[test]
fn a_dear_world_and_a_mind_without_scores_go_through_collecting_evaluating_training_and_exchange() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let suite = FarShops::default();
    suite.delay.store(300, Ordering::SeqCst);
    suite.fails.store(89, Ordering::SeqCst);
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    // A world that breaks says nothing of the games that are there.
    let two = Scope { games: 2, ..scope() };
    let suites = Teacher::Suite(None);
    suite.fails.store(0, Ordering::SeqCst);
    collect::demonstrations(&mut store, &suite, &two, suites, &control, quiet).unwrap();
    suite.fails.store(1, Ordering::SeqCst);
    let mut said = Vec::new();
    let mut note = |row: serde_json::Value, _: Progress| said.push(row);
    collect::demonstrations(&mut store, &suite, &scope(), suites, &control, &mut note).unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0]["skipped"].is_string());
    suite.fails.store(0, Ordering::SeqCst);
    let nobody = Teacher::Suite(Some("nobody"));
    let wrong = collect::demonstrations(&mut store, &suite, &scope(), nobody, &control, quiet);
    assert_eq!(wrong.unwrap_err().kind(), Kind::Usage);
    collect::demonstrations(&mut store, &suite, &scope(), suites, &control, quiet).unwrap();
    // Jobs that break off go on where they were.
    suite.fails.store(89, Ordering::SeqCst);
    patiently(|| {
        collect::branches(&mut store, &suite, &scope(), Draw::uniform(4), &control, quiet)
    });
    let mut mind = clever_mind().slow(Duration::from_micros(200)).failing(41);
    patiently(|| {
        let proposer =
            Proposer::Policy { policy: &mut mind, think: true, keep_invalid: false, mixed: false };
        let draw = Draw { pool: None, k: 3, proposer, expert: None, visits: false };
        collect::branches(&mut store, &suite, &scope(), draw, &control, quiet)
    });
    let contrast = Contrast { pool: Some(POLICY.into()), ..Contrast::default() };
    patiently(|| {
        collect::reflections(
            &mut store,
            &suite,
            &scope(),
            &contrast,
            collect::Writing::once(&mut mind),
            &control,
            quiet,
        )
    });
    let demos = store.demonstrations(Some("far-shops"), None).unwrap();
    assert_eq!(demos.len(), 3);
    let drawn: Vec<_> =
        demos.iter().flat_map(|demo| store.drawn(demo.id, Some(POLICY)).unwrap()).collect();
    let free = |action: &str| action.starts_with("search[");
    assert!(
        drawn.iter().any(|drawn| free(&drawn.branch.action)),
        "free text of a form is an alternative: {drawn:?}"
    );
    assert!(
        drawn
            .iter()
            .all(|drawn| !free(&drawn.branch.action) || drawn.branch.effect != ActionEffect::Error),
        "and admissible"
    );
    assert!(
        drawn.iter().all(|drawn| drawn.branch.action != "dance"),
        "what cannot be sent is none"
    );

    evaluates(&mut store, &suite);
    trains(&mut store);

    // Out, and into another store.
    let file = other.path().join("t.jsonl");
    let criteria = Criteria {
        suite: Some("far-shops".into()),
        expert: Some(ALL.into()),
        ..Criteria::default()
    };
    let order = Order {
        layout: foretaste::formats::Layout::default(),
        set: Set::Trajectories,
        criteria,
        held_out: false,
        alternatives_only: false,
        observations: Observations::default(),
        questions: Questions::default(),
        model: None,
    };
    assert_eq!(export_file(&store, &order, &file, &control, &mut |_| {}).unwrap().lines, 3);
    let second = Store::open(&other.path().join("data")).unwrap();
    assert_eq!(
        import(&second, (&file, None), true, &control, &mut |_| {}).unwrap().trajectories,
        3
    );
    let all = |store: &Store| -> usize {
        let demos = store.demonstrations(None, None).unwrap();
        demos.iter().map(|demo| store.branches(demo.id).unwrap().len()).sum()
    };
    assert_eq!(all(&second), all(&store));
}

#[test]
fn explore_goes_on_where_the_world_stands_and_comes_back_by_a_verified_replay() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let far = FarShops::default();
    let suite: Arc<dyn Suite> = Arc::new(far.clone());
    let opened = || far.opened.load(Ordering::SeqCst);
    let mut session = Session::open(&suite, "train", "train/0", Some("human")).unwrap();
    // Stepping on never forks and never opens another.
    for action in ["search[mug]", "click[blue mug]"] {
        session.step(action, "human").unwrap();
        assert_eq!(session.view().unwrap().forks, Forks::Replay);
    }
    assert_eq!(opened(), 1, "one world, stepped where it stands");
    // Back is a record; going on from there leads a world there once more.
    let there = session.view().unwrap();
    assert!(session.back());
    let first = session.view().unwrap();
    assert_eq!(first.observation, "2 things are there.");
    assert_eq!(first.forms, ["search[…]"]);
    let before = opened();
    session.step("click[red mug]", "human").unwrap();
    assert_eq!(opened(), before, "the view led one there, and it goes on from there");
    session.goto(there.node).unwrap();
    assert_eq!(session.view().unwrap().observation, there.observation);
    session.goto(0).unwrap();
    session.next_expert();
    while let Some((name, advice)) = session.view().unwrap().expert {
        let tried = session.outcomes(&[("search[blue]".into(), "policy".into())]).unwrap();
        assert_eq!(tried.len(), 1);
        session.step(&advice.action, &name).unwrap();
    }
    assert!(session.view().unwrap().success);
    let kept = keep(&mut session, &Tried::default(), &mut store, false).unwrap();
    assert!(matches!(kept, Keeping::Kept(kept) if kept.steps == 3));
    let walked = session.remember();
    assert!(
        Session::restore(&suite, &walked, None).is_err(),
        "there is one shop, and somebody is in it"
    );
    session.release();
    drop(Session::restore(&suite, &walked, None).unwrap());
    assert!(session.view().unwrap().success, "let go of, it is led there again");
    drop(session);
    let start = Session::open(&suite, "train", "train/0", None).unwrap().remember();
    let mut session = Session::restore(&suite, &start, None).unwrap();

    // The mind's part: frequencies, said to be; free text beside the list; playing on.
    let lines = ["search[blue]", "click[red mug]", "dance"];
    let mut mind = Scripted::says(move |_, _, seed| lines[(seed % 3) as usize].into())
        .thinks(|state, _| format!("I need {}", state.task))
        .foresees(|_, action| Ok(format!("something about {action}")));
    session.step("search[mug]", "human").unwrap();
    let view = session.view().unwrap();
    let asked = EvaluateState {
        ticket: 1,
        state: view.state.clone(),
        actions: view.admissible.clone(),
        forms: view.forms.clone(),
        expert: view.expert.as_ref().map(|(_, advice)| advice.action.clone()),
        choosing: AlternativeSampling { k: 8, ..AlternativeSampling::default() },
        think: true,
    };
    let mut told = Vec::new();
    evaluate_state(&mut mind, &asked, &Cancel::default(), &mut |found| told.push(found)).unwrap();
    assert!(matches!(&told[0], Evaluated::Thought(text) if text.contains("red mug")));
    let Evaluated::Shares(shares, Scores::Frequency) = &told[1] else { panic!("{told:?}") };
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    let Evaluated::Chosen(chosen) = &told[2] else { panic!("{told:?}") };
    assert!(chosen.iter().any(|(action, _)| action.starts_with("search[")), "{chosen:?}");
    assert!(chosen.iter().all(|(action, _)| action != "dance"), "{chosen:?}");
    assert!(matches!(told.last(), Some(Evaluated::Predicted(texts,
        true)) if texts.len() == chosen.len() + 1));
    let outcomes = session.outcomes(chosen).unwrap();
    assert_eq!(outcomes.len(), chosen.len());
    let episode = session.after("click[red mug]").unwrap();
    assert!(
        session.after("click[blue mug]").is_err(),
        "the shop is taken while the first is played on"
    );
    let how = play_on(&mut mind as &mut dyn Agent, episode, &Cancel::default()).unwrap();
    assert!(how.contains("more"), "{how}");
    assert!(session.expert_goes_on("click[red mug]").unwrap().contains("solved in 1 more"));
    reflect(&mut session, &outcomes, &mut store).unwrap();
}

#[test]
fn a_cancel_is_heard_in_a_slow_step_and_a_slow_mind() {
    let far = FarShops::default();
    let suite: Arc<dyn Suite> = Arc::new(far.clone());
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let soon = |cancel: &Cancel| {
        let cancel = cancel.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            cancel.cancel();
        })
    };
    // The world: opening and stepping.
    let mut session = Session::open(&suite, "train", "train/0", None).unwrap();
    far.delay.store(60_000_000, Ordering::SeqCst);
    let cancel = Cancel::default();
    let began = Instant::now();
    let canceller = soon(&cancel);
    let stepped = budget::under(&cancel, || session.step("search[mug]", "human"));
    assert!(stepped.unwrap_err().is_cancelled());
    canceller.join().unwrap();
    drop(session);
    let cancel = Cancel::default();
    let canceller = soon(&cancel);
    let opened =
        budget::under(&cancel, || Session::open(&suite, "train", "train/0", None).map(drop));
    assert!(opened.unwrap_err().is_cancelled());
    canceller.join().unwrap();
    // The mind, and the world under it, in a job.
    far.delay.store(0, Ordering::SeqCst);
    for slow_world in [true, false] {
        let control = Control::default();
        let canceller = soon(&control.cancel);
        let mut mind =
            if slow_world { clever_mind() } else { clever_mind().slow(Duration::from_mins(1)) };
        if slow_world {
            far.delay.store(60_000_000, Ordering::SeqCst);
        }
        let known = Known::default();
        let done = evaluate(
            &mut store,
            suite.as_ref(),
            &scope(),
            &mut mind,
            (PLAY, &known),
            &control,
            &mut |_, _| {},
        );
        assert!(done.unwrap_err().is_cancelled());
        canceller.join().unwrap();
        far.delay.store(0, Ordering::SeqCst);
    }
    assert!(began.elapsed() < Duration::from_secs(20));
}
