use super::*;
use crate::tui::acts::table;
use crate::tui::app::App;
use crate::tui::caps::Caps;
use crate::tui::effect::Effect;
use crate::tui::msg::Msg;
use crate::tui::popups::Popup;
use crate::tui::screen::Screen;

fn pressed(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.update(Msg::Key(KeyEvent::from(code)))
}

/// A palette on a screen with something typed.
fn typed(screen: Screen, text: &str) -> App {
    let mut app = App::new("household", Caps::FULL);
    app.screen = screen;
    for c in format!(":{text}").chars() {
        pressed(&mut app, KeyCode::Char(c));
    }
    app
}

/// What is found, by name and screen, the best first.
fn found(screen: Screen, text: &str) -> Vec<(&'static str, Option<Screen>)> {
    let app = typed(screen, text);
    hits(app.context(), text)
        .iter()
        .map(|hit| (hit.entry.binding.key.name, hit.elsewhere))
        .collect()
}

#[test]
fn words_match_by_their_beginnings_and_all_of_them() {
    for nothing in ["learning verdict", "kill run", "reject lora", "%"] {
        assert!(found(Screen::Curate, nothing).is_empty(), "{nothing}");
        let mut app = typed(Screen::Curate, nothing);
        assert!(pressed(&mut app, KeyCode::Enter).is_empty());
        assert!(matches!(app.popup, Some(Popup::Palette(_))) && !app.quit, "{nothing}");
    }
    // What is set in a form is found by its name, where it is; that starts nothing.
    for word in ["learning rate", "lora"] {
        assert_eq!(found(Screen::Curate, word)[0], ("train", Some(Screen::Train)), "{word}");
    }
    assert_eq!(found(Screen::Explore, "theme")[0], ("theme", None));
    assert_eq!(found(Screen::Explore, "dark mono")[0], ("theme", None), "its sentence counts too");
    assert!(found(Screen::Explore, "heme").is_empty(), "the middle of a word is no beginning");
}

#[test]
fn this_screen_comes_first_then_all_screens_then_the_others() {
    for screen in Screen::ALL {
        let app = typed(screen, "");
        let hits = hits(app.context(), "");
        let grave = |hit: &&Hit<'_>| hit.elsewhere.is_none() && hit.entry.binding.key.is_grave();
        let group = |hit: &Hit<'_>| match hit.elsewhere {
            Some(_) => 2,
            None => usize::from(hit.entry.binding.screen.is_none()),
        };
        let free: Vec<_> = hits.iter().filter(|hit| !grave(hit)).map(group).collect();
        assert!(free.is_sorted() && free.contains(&1) && free.contains(&2), "{screen:?}: {free:?}");
        assert!(!grave(&&hits[0]), "{screen:?}: {}", hits[0].entry.binding.key.name);
    }
    let others = found(Screen::Curate, "export");
    assert!(others.contains(&("export", Some(Screen::Data))), "{others:?}");
    assert!(others.iter().all(|(_, elsewhere)| elsewhere.is_some()), "{others:?}");
}

#[test]
fn what_is_on_another_screen_is_gone_to_and_not_done() {
    let mut app = typed(Screen::Curate, "delete traj");
    let effects = pressed(&mut app, KeyCode::Enter);
    let deletes = |effect: &Effect| format!("{effect:?}").contains("Delete");
    assert!(!effects.iter().any(deletes), "{effects:?}");
    assert!(app.popup.is_none() && app.screen == Screen::Data);
    assert!(app.said().unwrap().text.starts_with("d is the key here"), "{:?}", app.said());
}

#[test]
fn what_ends_or_decides_is_never_armed_unless_named_and_asks_twice() {
    // Only its sentence says "leave": it is found, last, and not armed.
    let mut app = typed(Screen::Explore, "leave");
    assert_eq!(found(Screen::Explore, "leave").last().unwrap().0, "quit");
    let only = found(Screen::Explore, "leave becomes");
    assert_eq!(only, [("quit", None)]);
    let mut alone = typed(Screen::Explore, "leave becomes");
    pressed(&mut alone, KeyCode::Enter);
    pressed(&mut alone, KeyCode::Enter);
    assert!(!alone.quit && alone.popup.is_some(), "not gone to, not done");
    pressed(&mut alone, KeyCode::Down);
    pressed(&mut alone, KeyCode::Enter);
    assert!(!alone.quit, "asked once");
    pressed(&mut alone, KeyCode::Enter);
    assert!(alone.quit);
    pressed(&mut app, KeyCode::Esc);
    let mut app = typed(Screen::Explore, "qui");
    pressed(&mut app, KeyCode::Enter);
    pressed(&mut app, KeyCode::Char('t'));
    pressed(&mut app, KeyCode::Enter);
    assert!(!app.quit, "another key between the two asks anew");
    pressed(&mut app, KeyCode::Enter);
    assert!(app.quit);
}

#[test]
fn names_say_what_is_grave() {
    let begins = ["leave", "reject", "stop", "delete", "remove", "decide", "approve"];
    for binding in table() {
        let first = binding.key.long.split([' ', ';', ':', ',']).next().unwrap_or_default();
        // Of a replay, `play, or stop playing`, nothing ends.
        assert!(
            !begins.contains(&first) || binding.key.is_grave(),
            "{} ({}) has to be asked twice",
            binding.key.name,
            binding.key.long
        );
    }
}

#[test]
fn sentences_are_whole_in_any_width() {
    let app = typed(Screen::Train, "stop");
    let hits = hits(app.context(), "");
    for width in [38, 60, 82] {
        for hit in &hits {
            let rows = rows(hit, "", width);
            assert!(
                rows.iter().all(|row| unicode_width::UnicodeWidthStr::width(row.as_str()) <= width)
            );
            let said: Vec<&str> = rows.iter().flat_map(|row| row.split_whitespace()).collect();
            let long: Vec<&str> = hit.entry.binding.key.long.split_whitespace().collect();
            assert!(said.join(" ").ends_with(&long.join(" ")), "{width}: {said:?}");
        }
    }
}
