//! Curate while other programs write to the same store: what a person chooses or types is meant for
//! what they saw.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use foretaste::store::Place;
use foretaste::tui::app::App;
use foretaste::tui::caps::Caps;
use foretaste::tui::effect::{Effect, StoreCmd};
use foretaste::tui::msg::Msg;
use foretaste::tui::screen::Screen;
use foretaste::tui::screens::curate;

#[path = "common/drawing.rs"]
mod drawing;

use drawing::{app, drawn};

fn curating(keys: &str) -> App {
    let mut app = app(Caps::FULL);
    app.screen = Screen::Curate;
    for key in keys.chars() {
        app.update(Msg::Key(KeyEvent::from(KeyCode::Char(key))));
    }
    app
}

/// Whether Curate is asked to decide anything.
fn decides(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| {
        matches!(effect, Effect::Store(StoreCmd::Decide(..) | StoreCmd::DecideAll(..)))
    })
}

#[test]
fn what_is_chosen_for_a_reflection_is_never_done_to_another_that_came_in_its_place() {
    for (keys, choice) in [("x", '3'), ("v", 'a'), ("v", '2'), ("r", '1'), ("e", 's')] {
        let mut app = curating(keys);
        if keys == "e" {
            app.update(Msg::Key(KeyEvent::from(KeyCode::Char('!'))));
        }
        let front = app.screens.curate.current().unwrap().id;
        let mut queue = app.screens.curate.queue.clone();
        queue.items.remove(0);
        let effects = app.update(Msg::from(curate::Msg::Queue(
            app.screens.curate.filter.clone(),
            Place::Start,
            queue,
        )));
        let draft = |effect: &Effect| {
            matches!(effect, Effect::Store(StoreCmd::Draft(id,
        Some(_))) if *id == front)
        };
        assert_eq!(
            effects.iter().any(draft),
            keys == "e",
            "what was typed is the draft of what it was typed for"
        );
        assert!(drawn(&app, 120, 40).contains("The list has changed meanwhile"), "{keys}");
        let held = if choice == 's' { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        let effects = app.update(Msg::Key(KeyEvent::new(KeyCode::Char(choice), held)));
        assert!(
            !decides(&effects) && app.screens.curate.mode.is_some(),
            "{keys}{choice}: {effects:?}"
        );
        app.update(Msg::Key(KeyEvent::from(KeyCode::Esc)));
        assert!(app.screens.curate.mode.is_none());
    }
}

#[test]
fn nothing_is_chosen_while_a_decision_may_move_the_list_and_what_was_refused_stays_whole() {
    let mut app = curating("");
    let press = |app: &mut App, code, held| app.update(Msg::Key(KeyEvent::new(code, held)));
    assert!(decides(&press(&mut app, KeyCode::Char('a'), KeyModifiers::NONE)));
    for key in ['x', 'v', 'e', 'a'] {
        assert!(
            !decides(&press(&mut app, KeyCode::Char(key), KeyModifiers::NONE))
                && app.screens.curate.mode.is_none(),
            "{key}"
        );
    }
    app.update(Msg::from(curate::Msg::Failed));
    press(&mut app, KeyCode::Char('e'), KeyModifiers::NONE);
    press(&mut app, KeyCode::Char('!'), KeyModifiers::NONE);
    assert!(decides(&press(&mut app, KeyCode::Char('s'), KeyModifiers::CONTROL)));
    let effects = app.update(Msg::from(curate::Msg::Failed));
    let [Effect::Store(StoreCmd::Draft(_, Some(text))), Effect::Store(StoreCmd::Queue(..))] =
        effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert!(text.ends_with('!'), "{text}");
    // A text of the person's own editor: refused, it is kept; for what is not in front any more, it
    // is that one's draft.
    let front = app.screens.curate.current().unwrap().id;
    let edited =
        |app: &mut App, id| app.update(Msg::from(curate::Msg::Edited(id, "By the editor.".into())));
    assert!(decides(&edited(&mut app, front)));
    let effects = app.update(Msg::from(curate::Msg::Failed));
    assert!(matches!(&effects[0], Effect::Store(StoreCmd::Draft(id,
        Some(text))) if *id == front && text == "By the editor."));
    let effects = edited(&mut app, front + 1);
    assert!(
        matches!(&effects[..], [Effect::Store(StoreCmd::Draft(id, Some(_)))] if *id == front + 1),
        "{effects:?}"
    );
}

#[test]
fn an_attempt_that_comes_late_is_never_lost_and_says_what_it_was_asked_for() {
    let mut app = curating("r");
    let front = app.screens.curate.current().unwrap().clone();
    app.update(Msg::Key(KeyEvent::from(KeyCode::Char('1'))));
    let seen = app.screens.curate.writing.clone().expect("it is being written");
    assert_eq!(seen.text, front.text());
    let mut queue = app.screens.curate.queue.clone();
    queue.items.remove(0);
    app.update(Msg::from(curate::Msg::Queue(
        app.screens.curate.filter.clone(),
        Place::Start,
        queue,
    )));
    let written = |app: &mut App| {
        app.update(Msg::from(curate::Msg::Written(front.id, "m".into(), "t".into())))
    };
    let effects = written(&mut app);
    assert!(
        matches!(&effects[..], [Effect::Store(StoreCmd::Attempt(_, as_seen,
        ..))] if *as_seen == seen),
        "{effects:?}"
    );
    app.update(Msg::from(curate::Msg::Failed));
    assert!(
        matches!(&written(&mut app)[..], [Effect::Store(StoreCmd::Attempt(..))]),
        "whatever failed meanwhile"
    );
}
