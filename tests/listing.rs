//! Curate's list, what is selected in it, edits that are looked at before they count, and words
//! beside decisions: as a person presses the keys.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use foretaste::experience::Verdict;
use foretaste::store::{Decision, Place};
use foretaste::tui::app::App;
use foretaste::tui::caps::Caps;
use foretaste::tui::effect::{Effect, StoreCmd};
use foretaste::tui::msg::Msg;
use foretaste::tui::screen::Screen;
use foretaste::tui::screens::curate::{self, Held, Mode};

#[path = "common/drawing.rs"]
mod drawing;

use drawing::{app, drawn};

fn curating() -> App {
    let mut app = app(Caps::FULL);
    app.screen = Screen::Curate;
    app
}

/// The end of a text that another action than the expert's is concluded from.
fn wrong(app: &App) -> String {
    let item = app.screens.curate.current().unwrap();
    let case = app.screens.curate.evidence_of(item).unwrap().case.as_ref().unwrap();
    format!(" So I {}.", case.alternatives[0].action)
}

fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    let key = |c| match c {
        '⏎' => KeyEvent::from(KeyCode::Enter),
        '␛' => KeyEvent::from(KeyCode::Esc),
        c => KeyEvent::from(KeyCode::Char(c)),
    };
    keys.chars().flat_map(|c| app.update(Msg::Key(key(c)))).collect()
}

fn control(app: &mut App, key: char) -> Vec<Effect> {
    app.update(Msg::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL)))
}

/// What the store is asked to decide: about which, what, and what is said beside it.
fn decided(effects: &[Effect]) -> Option<(Vec<i64>, Decision, Option<String>)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Store(StoreCmd::Decide(id, _, decision, note)) => {
            Some((vec![*id], decision.clone(), note.clone()))
        }
        Effect::Store(StoreCmd::DecideAll(all, decision, note)) => {
            let ids = all.iter().map(|(id, _)| *id).collect();
            Some((ids, decision.clone(), note.clone()))
        }
        _ => None,
    })
}

/// The list as it is, read again.
fn refresh(app: &mut App) {
    let curate = &app.screens.curate;
    let (filter, queue) = (curate.filter.clone(), curate.queue.clone());
    app.update(Msg::from(curate::Msg::Queue(filter, Place::Start, queue)));
}

#[test]
fn an_edit_stays_in_front_pending_and_what_would_teach_wrong_is_asked_about() {
    let mut app = curating();
    let front = app.screens.curate.current().unwrap().clone();
    let wrong = wrong(&app);
    press(&mut app, &format!("e{wrong}"));
    let typed = drawn(&app, 120, 40);
    assert!(typed.contains("WRONG_CONCLUSION"), "rules are held against what is typed:\n{typed}");
    let kept = control(&mut app, 's');
    let (ids, decision, _) = decided(&kept).unwrap();
    let Decision::Revise(text) = &decision else { panic!("{decision:?}") };
    assert!(ids == [front.id] && text.ends_with(&wrong), "{text}");
    app.update(Msg::from(curate::Msg::Decided(ids, decision.clone())));
    let now = app.screens.curate.current().unwrap();
    assert_eq!((now.id, now.verdict, now.author.as_str()), (front.id, Verdict::Pending, "you"));
    let shown = drawn(&app, 120, 40);
    assert!(shown.contains("v2 of 2 by you · from template"), "{shown}");
    assert_eq!(decided(&press(&mut app, "a")), None, "asked about first");
    assert!(drawn(&app, 80, 24).contains("WRONG_CONCLUSION"));
    assert_eq!(decided(&press(&mut app, "␛")), None);
    assert_eq!(decided(&press(&mut app, "a⏎")).unwrap().1, Decision::Approve);
}

#[test]
fn an_edit_is_approved_by_one_key_where_no_rule_objects_and_kept_as_a_draft_where_one_does() {
    let mut app = curating();
    let action = app.screens.curate.current().unwrap().action.clone();
    press(&mut app, &format!("e So I {action}."));
    let (_, decision, _) = decided(&control(&mut app, 'o')).unwrap();
    assert!(matches!(decision, Decision::Edit(_)), "{decision:?}");
    let mut app = curating();
    let wrong = wrong(&app);
    press(&mut app, &format!("e{wrong}"));
    let effects = control(&mut app, 'o');
    let draft = |effect: &Effect| matches!(effect, Effect::Store(StoreCmd::Draft(_, Some(_))));
    assert!(decided(&effects).is_none() && effects.iter().any(draft), "{effects:?}");
    press(&mut app, "␛e");
    let typed = |app: &App| {
        let Some(Mode::Edit(editor)) = &app.screens.curate.mode else { panic!("no editor") };
        editor.lines().join("\n")
    };
    assert!(typed(&app).ends_with(&wrong), "e goes on with it");
    // What was typed is taken back and done again.
    press(&mut app, "x");
    let whole = typed(&app);
    control(&mut app, 'z');
    assert_eq!(typed(&app), whole.trim_end_matches('x'));
    control(&mut app, 'y');
    assert_eq!(typed(&app), whole);
}

#[test]
fn what_is_selected_is_decided_on_as_one_act_after_saying_how_many() {
    let mut app = curating();
    let ids: Vec<i64> = app.screens.curate.queue.items.iter().map(|item| item.id).collect();
    assert!(ids.len() > 5);
    press(&mut app, "l j");
    let shown = drawn(&app, 120, 40);
    assert!(shown.contains("expert's action") && shown.contains("1 selected"), "{shown}");
    press(&mut app, "jV");
    refresh(&mut app);
    let wanted = vec![ids[0], ids[1], ids[2], ids[3]];
    let selected: Vec<i64> = app.screens.curate.list.selected.keys().copied().collect();
    assert_eq!(selected, wanted, "a range from the one selected last");
    assert_eq!(decided(&press(&mut app, "a")), None);
    assert!(drawn(&app, 80, 24).contains("4 selected"), "asked with a count");
    let (about, decision, _) = decided(&press(&mut app, "⏎")).unwrap();
    assert_eq!((&about, decision), (&wanted, Decision::Approve));
    app.update(Msg::from(curate::Msg::Decided(about, Decision::Approve)));
    assert!(app.screens.curate.list.selected.is_empty(), "it was decided on");
    press(&mut app, "A");
    assert_eq!(app.screens.curate.list.selected.len(), ids.len() - 4, "all that the filter lists");
    let (about, decision, note) = decided(&press(&mut app, "xNtoo dull⏎7")).unwrap();
    assert_eq!((about.len(), note.as_deref()), (ids.len() - 4, Some("too dull")));
    assert!(matches!(decision, Decision::Reject(_)));
}

#[test]
fn what_has_changed_is_not_selected_any_more() {
    let mut app = curating();
    press(&mut app, "l  ");
    let mut queue = app.screens.curate.queue.clone();
    queue.items[0].versions = vec!["Another program's.".into()];
    let filter = app.screens.curate.filter.clone();
    app.update(Msg::from(curate::Msg::Queue(filter, Place::Start, queue.clone())));
    let selected: Vec<i64> = app.screens.curate.list.selected.keys().copied().collect();
    assert_eq!(selected, [queue.items[1].id]);
    let (about, ..) = decided(&press(&mut app, "a")).unwrap();
    assert_eq!(about, selected, "one is not asked about");
}

#[test]
fn the_list_is_sorted_by_what_rules_point_at_once_all_of_it_was_looked_at() {
    let mut app = curating();
    let last = app.screens.curate.queue.items.last().unwrap().clone();
    let mut effects = press(&mut app, "lO");
    assert!(drawn(&app, 120, 40).contains("by rules (once"));
    let mut rounds = 0;
    while let Some(Effect::Store(StoreCmd::Hold(items))) =
        effects.into_iter().find(|effect| matches!(effect, Effect::Store(StoreCmd::Hold(_))))
    {
        let held = items.iter().map(|item| Held {
            id: item.id,
            version: item.version,
            codes: if item.id == last.id { vec!["GENERIC"] } else { vec![] },
            grave: false,
        });
        effects = app.update(Msg::from(curate::Msg::Held(held.collect())));
        rounds += 1;
    }
    assert!(rounds > 0);
    assert_eq!(app.screens.curate.queue.items[0].id, last.id, "what rules point at comes first");
    assert_ne!(app.screens.curate.current().unwrap().id, last.id, "the cursor stays on its row");
}

#[test]
fn the_editors_file_shows_what_a_text_is_judged_by_and_saving_it_approves_nothing() {
    let mut app = curating();
    let front = app.screens.curate.current().unwrap().clone();
    let effects = press(&mut app, "E");
    let [Effect::Edit(id, file)] = &effects[..] else { panic!("{effects:?}") };
    assert!(file.starts_with(front.text()));
    for word in ["Task", "State", "Expert's action", &front.action, "Executed alternatives"] {
        assert!(file.contains(word), "{word}:\n{file}");
    }
    let written = file.replacen(front.text(), "# Mine.\nSo I go.", 1);
    let effects = app.update(Msg::from(curate::Msg::Edited(*id, written)));
    assert_eq!(decided(&effects).unwrap().1, Decision::Revise("# Mine.\nSo I go.".into()));
}

#[test]
fn a_note_is_an_act_of_its_own_and_shown_beside_how_it_stands() {
    let mut app = curating();
    let effects = press(&mut app, "Nask Ada⏎");
    assert_eq!(decided(&effects).unwrap().1, Decision::Note("ask Ada".into()));
    app.update(Msg::from(curate::Msg::Failed));
    assert_eq!(decided(&press(&mut app, "N  ⏎")), None, "nothing was said");
    let mut queue = app.screens.curate.queue.clone();
    queue.items[0].note = Some("ask Ada".into());
    let filter = app.screens.curate.filter.clone();
    app.update(Msg::from(curate::Msg::Queue(filter, Place::Start, queue)));
    assert!(drawn(&app, 120, 40).contains("note: “ask Ada”"));
}

#[test]
fn evidence_alone_leaves_the_text_in_sight_and_says_how_it_comes_back() {
    let mut app = curating();
    app.update(Msg::Key(KeyEvent::from(KeyCode::Tab)));
    for (width, height) in [(80, 24), (40, 12)] {
        let shown = drawn(&app, width, height);
        assert!(shown.contains("Tab unfolds it"), "{shown}");
    }
    app.update(Msg::Key(KeyEvent::from(KeyCode::Tab)));
    assert!(!drawn(&app, 80, 24).contains("Tab unfolds it"));
}
