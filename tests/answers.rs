//! What the interface makes of what threads answer it.

#[path = "common/drawing.rs"]
mod drawing;

use crossterm::event::{KeyCode, KeyEvent};
use drawing::{app, drawn, show, third_task};
use foretaste::agent::{Scores, Spent};
use foretaste::tui::app::App;
use foretaste::tui::caps::Caps;
use foretaste::tui::effect::{BesideCmd, Effect, JobKind, MindCmd, Notice, WorldCmd};
use foretaste::tui::msg::{JobMsg, Msg};
use foretaste::tui::screen::Screen;
use foretaste::tui::screens::explore::beside::Told;
use foretaste::tui::screens::{curate, explore};

const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 12)];

#[test]
fn an_observation_cannot_drive_the_terminal() {
    let mut app = app(Caps::FULL);
    if let Some(view) = &mut app.screens.explore.view {
        view.observation =
            "\u{1b}[2J\u{1b}]0;owned\u{7} \u{202e}reversed\r\nok 日本語 🎉 e\u{301}".into();
        view.task = "\u{9b}31m".into();
    }
    app.screen = Screen::Explore;
    for (width, height) in SIZES {
        assert!(!drawn(&app, width, height).chars().any(|c| c != '\n' && c.is_control()));
    }
}

#[test]
fn a_thread_that_cannot_be_started_ends_the_program_with_its_name() {
    let mut app = app(Caps::FULL);
    app.update(Msg::Broken("world", "too many".into()));
    assert!(
        app.quit && app.broken.is_some_and(|why| why.contains("world") && why.contains("too many"))
    );
}

#[test]
fn going_back_shows_what_was_known_at_once_and_another_model_forgets_it() {
    let mut app = app(Caps::FULL);
    let mut session = third_task();
    show(&mut app, &mut session);
    let before = drawn(&app, 120, 40);
    let action = session.view().unwrap().admissible[0].clone();
    session.step(&action, "human").unwrap();
    show(&mut app, &mut session);
    session.back();
    let mut view = || {
        Msg::from(explore::Msg::View {
            view: Box::new(session.view().unwrap()),
            place: 4,
            of: 4000,
        })
    };
    assert!(app.update(view()).is_empty(), "nothing is computed again");
    let what_if = |text: &str| {
        text.lines()
            .map(|line| line.rsplit('│').nth(1).unwrap_or("").to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(what_if(&drawn(&app, 120, 40)), what_if(&before));
    app.update(Msg::from(explore::Msg::Model(explore::Minds {
        world: "run 1 step 10".into(),
        described: "run 1 step 10".into(),
        named: false,
    })));
    assert!(
        matches!(app.update(view()).as_slice(), [Effect::Mind(MindCmd::Evaluate(_))]),
        "another model is asked anew"
    );
}

#[test]
fn a_text_that_comes_late_waits_where_it_was_asked_for() {
    let mut app = app(Caps::FULL);
    app.jobs.clear();
    app.screen = Screen::Data;
    app.update(Msg::Text(Screen::Curate, "The curation so far".into(), vec!["the lines".into()]));
    let shown = drawn(&app, 120, 40);
    assert!(!shown.contains("the lines") && shown.contains("ready in Curate"));
    app.update(Msg::Key(KeyEvent::from(KeyCode::F(2))));
    assert!(drawn(&app, 120, 40).contains("the lines"));
    app.update(Msg::Key(KeyEvent::from(KeyCode::Esc)));
    assert!(!drawn(&app, 120, 40).contains("the lines"));
}

#[test]
fn a_policy_that_thinks_first_shows_its_thought_above_what_follows_from_it() {
    let mut app = app(Caps::FULL);
    let mut session = third_task();
    show(&mut app, &mut session);
    let effects = app.update(Msg::Key(KeyEvent::from(KeyCode::Char('i'))));
    let [Effect::Mind(MindCmd::Evaluate(look))] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(look.think);
    assert!(
        drawn(&app, 120, 40).contains("thinking…"),
        "the old distribution is gone until the new one is there"
    );
    app.update(Msg::from(explore::Msg::Thought(look.ticket, "My goal is to find a mug.".into())));
    app.update(Msg::from(explore::Msg::Scores(
        look.ticket,
        vec![1.0 / look.actions.len() as f64; look.actions.len()],
        Scores::Exact,
    )));
    for (width, height) in [(120, 40), (80, 24)] {
        let shown = drawn(&app, width, height);
        let at = |text: &str| {
            shown
                .lines()
                .position(|line| line.contains(text))
                .unwrap_or_else(|| panic!("{text}: {shown}"))
        };
        assert!(at("My goal is to find a mug.") < at("admissible ("), "{shown}");
        assert!(shown.contains("thinks first"), "{shown}");
    }
    app.update(Msg::Key(KeyEvent::from(KeyCode::Char('i'))));
    assert!(!drawn(&app, 120, 40).contains("My goal is to find a mug."));
}

#[test]
fn an_answer_moves_no_screen_away_under_what_is_being_typed() {
    let mut app = app(Caps::FULL);
    app.screen = Screen::Explore;
    let press = |app: &mut App, c| app.update(Msg::Key(KeyEvent::from(KeyCode::Char(c))));
    let written = || Msg::from(curate::Msg::Show(1));
    press(&mut app, 'a'); // an action is being typed
    app.update(written());
    assert_eq!(app.screen, Screen::Explore);
    assert!(app.said().is_some_and(|said| said.text.contains("Curate")));
    let effects = press(&mut app, 'a');
    assert!(effects.is_empty(), "it is a letter of the action: {effects:?}");
    app.update(Msg::Key(KeyEvent::from(KeyCode::Esc)));
    app.update(written());
    assert_eq!(app.screen, Screen::Curate);
}

#[test]
fn a_pasted_line_ends_where_the_terminal_says_that_the_key_was_pressed() {
    let mut app = app(Caps::FULL);
    app.screen = Screen::Curate;
    let press = |app: &mut App, c| app.update(Msg::Key(KeyEvent::from(KeyCode::Char(c))));
    press(&mut app, 'e');
    app.update(Msg::Paste("one line\rand another\r\nand a third".into()));
    let page = drawn(&app, 120, 40);
    let at = |words: &str| page.lines().position(|line| line.contains(words));
    assert_eq!(at("and another"), at("one line").map(|line| line + 1), "{page}");
    assert_eq!(at("and a third"), at("one line").map(|line| line + 2), "{page}");
}

fn pressed(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.update(Msg::Key(KeyEvent::from(code)))
}

fn typed(app: &mut App, c: char) -> Vec<Effect> {
    pressed(app, KeyCode::Char(c))
}

/// An interface without jobs, at the start of the third task with its what-ifs.
fn exploring() -> App {
    let mut app = app(Caps::FULL);
    app.jobs.clear();
    app.screen = Screen::Explore;
    app
}

#[test]
fn arrow_keys_go_to_the_panel_that_is_bright() {
    let mut app = exploring();
    assert!(typed(&mut app, 'j').is_empty());
    assert_eq!((app.screens.explore.selected, app.screens.explore.cell), (1, 0));
    pressed(&mut app, KeyCode::Tab);
    typed(&mut app, 'j');
    assert_eq!((app.screens.explore.selected, app.screens.explore.cell), (1, 1));
    pressed(&mut app, KeyCode::Tab);
    typed(&mut app, 'k');
    assert_eq!((app.screens.explore.selected, app.screens.explore.cell), (1, 1));
    for (width, height) in SIZES {
        let shown = drawn(&app, width, height);
        assert!(shown.contains("seen at step 0"), "{shown}");
    }
    for key in [KeyCode::Enter, KeyCode::Char('t')] {
        let effects = pressed(&mut app, key);
        assert!(matches!(effects[..], [Effect::World(WorldCmd::Goto(0))]), "{effects:?}");
    }
    typed(&mut app, 'j');
    let effects = pressed(&mut app, KeyCode::Enter);
    assert!(matches!(effects[..], [Effect::World(WorldCmd::Step(..))]), "{effects:?}");
}

#[test]
fn what_a_person_chose_is_theirs_whoever_proposed_it() {
    let mut app = exploring();
    let by = |effects: Vec<Effect>| match &effects[..] {
        [Effect::World(WorldCmd::Step(_, source))] => source.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(by(typed(&mut app, '1')), "human");
    assert_eq!(by(typed(&mut app, 't')), "human");
    assert_eq!(by(pressed(&mut app, KeyCode::Enter)), "walkthrough");
    pressed(&mut app, KeyCode::Tab);
    assert_eq!(by(typed(&mut app, 't')), "walkthrough");
    typed(&mut app, 'j');
    assert_eq!(by(typed(&mut app, 't')), "human");
}

#[test]
fn a_key_that_means_nothing_now_says_why() {
    use KeyCode::{Char, Enter};
    let mut app = exploring();
    let mut answer = |keys: &[KeyCode]| {
        app.update(Msg::Tick); // what was said before was there to be read
        for key in keys {
            pressed(&mut app, *key);
        }
        app.said().map_or_else(String::new, |said| said.text.clone())
    };
    assert!(answer(&[Char('9')]).contains("no alternative 9"));
    assert!(answer(&[Char('K')]).contains("goal is not reached"));
    assert!(answer(&[Char('H'), Enter]).contains("H shows it"));
    assert!(answer(&[Char('2')]).contains("H shows it"));
    assert!(answer(&[KeyCode::Tab, Char('t')]).contains("H shows it"));
    assert!(answer(&[Char('H'), Char('u'), Char('R')]).is_empty(), "these do something");
    let mut session = third_task();
    while session.view().unwrap().asked != "human" {
        session.next_expert();
    }
    show(&mut app, &mut session);
    for (key, words) in [(Enter, "e lets another speak"), (Char('R'), "e lets another speak")] {
        pressed(&mut app, key);
        assert!(app.said().is_some_and(|said| said.text.contains(words)), "{key:?}");
    }
    pressed(&mut app, Char('u'));
    assert!(app.said().is_some_and(|said| said.text.contains("start of the task")));
}

#[test]
fn who_speaks_is_said_while_advice_is_hidden_and_nothing_of_what_is_said() {
    let mut app = exploring();
    let mut session = third_task();
    show(&mut app, &mut session);
    assert!(drawn(&app, 140, 40).contains("policy agrees"));
    typed(&mut app, 'H');
    session.next_expert();
    show(&mut app, &mut session);
    assert_eq!(session.view().unwrap().asked, "human");
    assert!(app.said().is_some_and(|said| said.text.contains("expert now")));
    let shown = drawn(&app, 140, 40);
    assert!(shown.contains("expert you") && !shown.contains("agrees"), "{shown}");
}

#[test]
fn states_passed_before_the_policy_answered_are_scored_once_there_is_time() {
    let mut app = exploring();
    let mut session = third_task();
    let view = |session: &mut foretaste::explore::Session| {
        let view = Box::new(session.view().unwrap());
        Msg::from(explore::Msg::View { view, place: 4, of: 4000 })
    };
    app.update(Msg::from(explore::Msg::Model(explore::Minds {
        world: "another".into(),
        described: "another".into(),
        named: false,
    })));
    app.update(view(&mut session)); // passed at once
    let advice = session.view().unwrap().expert.unwrap().1;
    session.step(&advice.action, "walkthrough").unwrap();
    let start = session.trajectory().state(0);
    let effects = app.update(view(&mut session));
    let [Effect::Mind(MindCmd::Evaluate(look))] = &effects[..] else { panic!("{effects:?}") };
    let n = look.actions.len();
    let first = (0..n).map(|i| if i == 0 { 1.0 } else { 0.0 }).collect();
    app.update(Msg::from(explore::Msg::Scores(look.ticket, first, Scores::Exact)));
    app.update(Msg::from(explore::Msg::Chosen(look.ticket, Vec::new())));
    assert_eq!((app.screens.explore.agreed.of, app.screens.explore.agreed.unknown), (1, 1));
    let effects = app.update(Msg::from(explore::Msg::Predicted(look.ticket, Vec::new(), true)));
    let [Effect::Mind(MindCmd::Score(policies, of))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(of.state, start);
    let shares = of.actions.iter().map(|a| if *a == advice.action { 1.0 } else { 0.0 }).collect();
    let scored = explore::Msg::Scored(*policies, of.clone(), shares);
    assert!(app.update(Msg::from(scored)).is_empty(), "there is no other");
    let agreed = app.screens.explore.agreed;
    assert_eq!((agreed.of, agreed.unknown), (2, 0));
    assert!(agreed.same >= 1);
}

#[test]
fn what_was_said_goes_after_a_while_and_a_failure_once_it_could_be_read() {
    let mut app = exploring();
    let ticks = |app: &mut App, count: usize| (0..count).for_each(|_| _ = app.update(Msg::Tick));
    app.say(Notice::info("kept".into()));
    ticks(&mut app, 19);
    assert!(app.said().is_some());
    ticks(&mut app, 1);
    assert!(app.said().is_none());
    app.say(Notice::info("kept".into()));
    ticks(&mut app, 2);
    typed(&mut app, 'j');
    assert!(app.said().is_some(), "a cursor moves, and nothing else");
    typed(&mut app, 't');
    assert!(app.said().is_none());
    app.say(Notice { text: "it broke".into(), bad: true });
    typed(&mut app, 'j');
    assert!(app.said().is_some(), "it came just now");
    ticks(&mut app, 100);
    assert!(app.said().is_some());
    typed(&mut app, 'j');
    assert!(app.said().is_none());
}

#[test]
fn how_play_went_on_is_seen_beside_every_action_whatever_room_there_is() {
    let mut app = exploring();
    let node = app.screens.explore.view.as_ref().unwrap().node;
    let effects = typed(&mut app, 'o');
    let [Effect::World(WorldCmd::GoOn(_, actions))] = &effects[..] else { panic!("{effects:?}") };
    for (i, action) in actions.iter().enumerate() {
        let how = format!("policy from there: solved in {} more", 20 + i);
        app.update(Msg::from(explore::Msg::WentOn(node, action.clone(), how)));
    }
    for (width, height) in [(120, 40), (120, 24), (80, 30)] {
        let shown = drawn(&app, width, height);
        for i in 0..actions.len() {
            assert!(shown.contains(&format!("solved in {} more", 20 + i)), "{shown}");
        }
    }
}

#[test]
fn another_mind_is_asked_about_the_same_actions_and_stands_beside() {
    let mut app = app(Caps::FULL);
    let mut session = third_task();
    show(&mut app, &mut session);
    let key = |app: &mut App, code| app.update(Msg::Key(KeyEvent::from(code)));
    assert!(key(&mut app, KeyCode::Char('=')).is_empty());
    for letter in "novice".chars() {
        key(&mut app, KeyCode::Char(letter));
    }
    let effects = key(&mut app, KeyCode::Enter);
    let [Effect::Beside(BesideCmd::Load(asked, Some(name)))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(name, "novice");
    let minds = explore::Minds { world: name.clone(), described: name.clone(), named: true };
    let told = |app: &mut App, told| app.update(Msg::from(explore::Msg::Beside(told)));
    let effects = told(&mut app, Told::Loaded(*asked, Some(minds)));
    let [Effect::Beside(BesideCmd::Look(look))] = &effects[..] else { panic!("{effects:?}") };
    let view = session.view().unwrap();
    assert_eq!(look.score.actions, view.admissible);
    assert_eq!(look.foreseen.first(), view.expert.as_ref().map(|(_, advice)| &advice.action));
    let mut shares = vec![0.0; look.score.actions.len()];
    shares[0] = 0.625;
    told(&mut app, Told::Scores(look.ticket, shares.clone(), Scores::Frequency));
    let words: Vec<String> =
        look.foreseen.iter().map(|action| format!("heard of {action}")).collect();
    told(&mut app, Told::Predicted(look.ticket, words, true));
    for (width, height) in [(120, 40), (80, 24)] {
        let shown = drawn(&app, width, height);
        for text in ["62.5 %", "novice (frequ"] {
            assert!(shown.contains(text), "{text} at {width}x{height}:\n{shown}");
        }
    }
    assert!(drawn(&app, 120, 40).contains("heard of"));
    // What it said of this state is not shown of the next; it is asked again there.
    shares[0] = 0.875;
    told(&mut app, Told::Scores(look.ticket + 7, shares, Scores::Exact));
    assert!(!drawn(&app, 120, 40).contains("87.5 %"), "about another state");
    session.step(&look.foreseen[0].clone(), "human").unwrap();
    show(&mut app, &mut session);
    let shown = drawn(&app, 120, 40);
    assert!(!shown.contains("62.5 %") && !shown.contains("heard of"), "{shown}");
    let effects = key(&mut app, KeyCode::Char('='));
    assert!(matches!(&effects[..], [Effect::Beside(BesideCmd::Load(_, None))]), "{effects:?}");
    assert!(!drawn(&app, 120, 40).contains("novice"));
}

#[test]
fn what_is_spent_on_a_paid_mind_stands_over_what_it_foresees() {
    let mut app = exploring();
    assert!(!drawn(&app, 120, 40).contains("tokens"));
    let spent = Spent { prompt_tokens: 11_000, answer_tokens: 1_300, ..Spent::default() };
    app.update(Msg::from(explore::Msg::Spent(Spent { cost: Some(0.0123), ..spent })));
    assert!(drawn(&app, 120, 40).contains("12.3k tokens, cost 0.0123"));
}

#[test]
fn a_checkpoint_does_not_take_the_place_of_a_mind_that_a_person_named() {
    let mut app = app(Caps::FULL);
    let saved = || Msg::Job(JobKind::Train, JobMsg::Saved("saved run 1 step 10".into()));
    app.update(saved());
    assert!(drawn(&app, 120, 40).contains("it answers in Explore now"));
    let minds = explore::Minds { world: "w".into(), described: "writer".into(), named: true };
    app.update(Msg::from(explore::Msg::Model(minds)));
    let effects = app.update(saved());
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Mind(MindCmd::Renew))));
    assert!(drawn(&app, 120, 40).contains("writer goes on answering"));
}
