//! What the interface makes of what threads answer it.

#[path = "common/drawing.rs"]
mod drawing;

use crossterm::event::{KeyCode, KeyEvent};
use drawing::{app, drawn, show, third_task};
use foretaste::agent::Scores;
use foretaste::tui::app::App;
use foretaste::tui::caps::Caps;
use foretaste::tui::effect::{Effect, MindCmd};
use foretaste::tui::msg::Msg;
use foretaste::tui::screen::Screen;
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
    app.update(Msg::from(explore::Msg::Model("run 1 step 10".into())));
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
