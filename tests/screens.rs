//! Every screen at three sizes, drawn from a real game and a real store; sizes from nothing
//! upwards; random keys.

use std::collections::HashMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use foretaste::formats::Extent;
use foretaste::rng::Rng;
use foretaste::tui::app::App;
use foretaste::tui::caps::Caps;
use foretaste::tui::compact_backend::CompactBackend;
use foretaste::tui::effect::{Effect, MindCmd, Notice, StoreCmd};
use foretaste::tui::frame;
use foretaste::tui::msg::Msg;
use foretaste::tui::screen::Screen;
use foretaste::tui::screens::data;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

#[path = "common/drawing.rs"]
mod drawing;

#[path = "common/picture.rs"]
mod picture;

use drawing::{app, drawn};

const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 12)];

#[test]
fn every_screen_at_three_sizes() {
    let mut app = app(Caps::FULL);
    for screen in Screen::ALL {
        app.screen = screen;
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("{}_{width}x{height}", screen.as_str()),
                drawn(&app, width, height)
            );
        }
    }
}

#[test]
fn help_pages_list_every_key_and_popups_fit() {
    let mut app = app(Caps::FULL);
    for screen in Screen::ALL {
        app.screen = screen;
        app.update(Msg::Key(KeyEvent::from(KeyCode::Char('?'))));
        let page = drawn(&app, 100, 100);
        for entry in app.keymap.of(screen) {
            let words: String = entry.binding.key.long.chars().take(50).collect();
            assert!(page.contains(&words), "{screen:?}: {words}");
        }
        app.update(Msg::Key(KeyEvent::from(KeyCode::Esc)));
    }
    app.screen = Screen::Explore;
    insta::assert_snapshot!("Help_80x24", {
        app.update(Msg::Key(KeyEvent::from(KeyCode::Char('?'))));
        drawn(&app, 80, 24)
    });
}

#[test]
fn without_colour_or_unicode_everything_is_still_said() {
    let mut plain = app(Caps { color: false, unicode: false });
    for screen in Screen::ALL {
        plain.screen = screen;
        let text = drawn(&plain, 120, 40);
        let odd: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
        assert!(odd.is_empty(), "{screen:?}: {odd:?}");
    }
    plain.screen = Screen::Explore;
    insta::assert_snapshot!("Explore_ascii_120x40", drawn(&plain, 120, 40));
}

/// What a real terminal would show, and the bytes that it was sent.
fn on_terminal(app: &App, width: u16, height: u16) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
    let mut terminal =
        Terminal::with_options(CompactBackend::new(&mut bytes), TerminalOptions { viewport })
            .unwrap();
    terminal.draw(|f| frame::draw(app, f)).unwrap();
    drop(terminal);
    let mut parser = vt100::Parser::new(height, width, 0);
    parser.process(&bytes);
    let lines = parser.screen().rows(0, width).map(|line| line.trim_end().to_string());
    (lines.collect::<Vec<_>>().join("\n"), bytes)
}

/// The keys that lead from a fresh screen into each popup and mode.
const MODES: [(Screen, &str, &str); 28] = [
    (Screen::Explore, "help", "?"),
    (Screen::Explore, "palette", ":"),
    (Screen::Explore, "found", ":col"),
    (Screen::Explore, "action", "a"),
    (Screen::Explore, "nodes", "b"),
    (Screen::Explore, "sampling", "p"),
    (Screen::Explore, "collect", "c"),
    (Screen::Explore, "hidden", "H"),
    (Screen::Explore, "quit", "q"),
    (Screen::Curate, "reject", "x"),
    (Screen::Curate, "bulk", "v"),
    (Screen::Curate, "search", "/"),
    (Screen::Curate, "edit", "e"),
    (Screen::Curate, "filters", "F"),
    (Screen::Curate, "writer", "r"),
    (Screen::Curate, "rubric", "i"),
    (Screen::Curate, "list", "l"),
    (Screen::Curate, "note", "N"),
    (Screen::Train, "form", "t"),
    (Screen::Train, "search", "/"),
    (Screen::Train, "evaluations", "\t\t\t"),
    (Screen::Train, "evaluate", "v"),
    (Screen::Replay, "search", "/"),
    (Screen::Data, "export", "e"),
    (Screen::Data, "import", "i"),
    (Screen::Data, "jobs", "J"),
    (Screen::Curate, "commands", "am@"),
    (Screen::Data, "theme", "T"),
];

fn in_mode(caps: Caps, screen: Screen, keys: &str) -> App {
    let mut app = app(caps);
    app.screen = screen;
    if screen == Screen::Train {
        app.jobs.clear(); // a form opens where no run is under way
    }
    for key in keys.chars() {
        let code = if key == '\t' { KeyCode::Tab } else { KeyCode::Char(key) };
        for effect in app.update(Msg::Key(KeyEvent::from(code))) {
            if let Effect::Store(StoreCmd::Extents(orders)) = effect {
                let extents = orders
                    .iter()
                    .map(|order| {
                        Ok(Extent {
                            lines: 1234,
                            bytes: order.set as u64 * 999_999,
                            trajectories: 9,
                            held_out: 1,
                        })
                    })
                    .collect();
                app.update(Msg::from(data::Msg::Extents(orders, extents)));
            }
        }
    }
    app
}

#[test]
fn every_popup_at_three_sizes() {
    for (screen, name, keys) in MODES {
        let app = in_mode(Caps::FULL, screen, keys);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("{}_{name}_{width}x{height}", screen.as_str()),
                drawn(&app, width, height)
            );
        }
    }
}

#[test]
fn a_terminal_shows_what_was_drawn_with_colour_without_and_in_ascii() {
    let kinds = [
        ("colour", Caps::FULL),
        ("no_colour", Caps { color: false, unicode: true }),
        ("ascii", Caps { color: false, unicode: false }),
    ];
    for (kind, caps) in kinds {
        let mut all = [const { String::new() }; 3];
        for (screen, name, keys) in
            MODES.into_iter().chain(Screen::ALL.map(|screen| (screen, "", "")))
        {
            let mut app = in_mode(caps, screen, keys);
            if let Some(view) = &mut app.screens.explore.view {
                view.observation = "A 日本語 room, e\u{301}, \u{1b}[2J and שלום.".into();
            }
            for ((width, height), all) in SIZES.into_iter().zip(&mut all) {
                let (shown, bytes) = on_terminal(&app, width, height);
                *all += &format!("━━ {} {name}\n{shown}\n", screen.as_str());
                let blank = |text: &str| {
                    text.replace('\u{a0}', " ")
                        .lines()
                        .map(|l| l.trim_end().to_string())
                        .collect::<Vec<_>>()
                };
                let wide =
                    |text: &str| text.contains(['日', '本', '語', 'ש']) || text.contains('\u{301}');
                for (seen, meant) in blank(&shown).iter().zip(blank(&drawn(&app, width, height))) {
                    // The test backend pads wide characters, a terminal does not.
                    assert!(wide(seen) || *seen == meant, "{screen:?} {keys}:\n{seen}\n{meant}");
                }
                let text = String::from_utf8_lossy(&bytes);
                let code = |sgr: &str| {
                    sgr.split(';')
                        .any(|code| matches!(code.parse(), Ok(30..=38 | 40..=48 | 90..=107)))
                };
                let coloured = text
                    .split("\x1b[")
                    .filter_map(|part| part.split_once('m'))
                    .any(|(sgr, _)| code(sgr));
                assert!(
                    caps.color || !coloured,
                    "{screen:?} {keys}: colours although there are to be none"
                );
            }
        }
        for ((width, height), all) in SIZES.into_iter().zip(all) {
            insta::assert_snapshot!(format!("terminal_{kind}_{width}x{height}"), all);
        }
    }
}

#[test]
fn no_size_panics_or_hangs_and_tiny_ones_say_so() {
    let sweep = std::thread::spawn(|| {
        let mut apps: Vec<App> =
            Screen::ALL.into_iter().map(|screen| in_mode(Caps::FULL, screen, "")).collect();
        apps.extend(MODES.map(|(screen, _, keys)| in_mode(Caps::FULL, screen, keys)));
        for app in &mut apps {
            app.say(Notice::info("a notice".into()));
        }
        for (i, (width, height)) in
            (1..=200).flat_map(|w| (1..=60).map(move |h| (w, h))).enumerate()
        {
            drawn(&apps[i % apps.len()], width, height);
        }
        for (w, h) in (30..=50).flat_map(|w| (10..=20).map(move |h| (w, h))) {
            for app in &apps {
                drawn(app, w, h);
            }
        }
        assert!(drawn(&apps[0], 39, 12).contains("too small"));
    });
    let end = std::time::Instant::now() + std::time::Duration::from_mins(4);
    while !sweep.is_finished() {
        assert!(std::time::Instant::now() < end, "a size hangs");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    sweep.join().unwrap();
}

#[test]
fn screens_never_call_store_model_or_environment_themselves() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui");
    let own = [
        "app.rs",
        "frame.rs",
        "popups.rs",
        "palette/mod.rs",
        "palette/found.rs",
        "commands/mod.rs",
        "commands/same.rs",
        "chart.rs",
        "text.rs",
        "keymap.rs",
        "window.rs",
        "jobs.rs",
    ];
    let mut files: Vec<_> = own.map(|name| root.join(name)).into();
    let mut folders = vec![root.join("screens")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let tests = path.to_string_lossy().ends_with("tests.rs");
            if path.is_dir() {
                folders.push(path);
            } else if !tests {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 20);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for call in [
            "Store::",
            "Agent",
            "Session::",
            "checkpoint::",
            "trainer::train",
            "suite.open",
            "File::",
            "thread::",
            "rusqlite",
        ] {
            // A word, and not the beginning of another one (agents of others are no minds).
            let named = text.match_indices(call).any(|(at, _)| {
                let next = text[at + call.len()..].chars().next();
                !next.is_some_and(char::is_alphanumeric) || !call.ends_with(char::is_alphanumeric)
            });
            assert!(!named, "{}: {call} belongs behind an effect", file.display());
        }
    }
}

/// A page of the docs is what the program shows, or it is written anew with `UPDATE_DOCS=1`.
fn docs(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        text,
        "docs/{name} is stale: UPDATE_DOCS=1 cargo test"
    );
}

#[test]
fn the_docs_show_the_screens_and_keys_as_they_are() {
    docs("keys.md", &foretaste::tui::keymap::page());
    let about = [
        (
            Screen::Explore,
            "What should I do here, what would I have done, and what would have happened?",
        ),
        (
            Screen::Curate,
            "Is this reflection true, does it use what was seen, and would I want the agent to \
             think like this?",
        ),
        (Screen::Train, "Is it learning, what does it cost, and is it better where it matters?"),
        (
            Screen::Replay,
            "What happened, where did it go wrong, and what else could have happened there?",
        ),
        (Screen::Data, "What is in the store, and what would a training set contain?"),
        (Screen::Study, "Which way of training is better, and how sure is that?"),
        (Screen::Agents, "Which agents of others called, what was it worth, and who answers them?"),
    ];
    let mut tour = String::from(
        "# A tour\n\nThe screens as the tests draw them (`UPDATE_DOCS=1 cargo test --release \
         --test screens docs` writes this page).\n",
    );
    for (screen, question) in about {
        let app = in_mode(Caps::FULL, screen, "");
        tour += &format!(
            "\n## {}\n\n{question}\n\n```text\n{}\n```\n",
            screen.as_str(),
            drawn(&app, 110, 34)
        );
    }
    let boxes = [
        (Screen::Explore, "p", "How alternatives are chosen"),
        (Screen::Explore, "b", "Any state walked so far"),
        (Screen::Curate, "x", "Why a reflection is not fit"),
        (Screen::Curate, "F", "Which reflections are listed, and how many each rule points at"),
        (Screen::Curate, "l", "All of them as a list"),
        (Screen::Train, "t", "What a run would train on and take, before it starts"),
        (Screen::Data, "e", "What an export comes to, before it is made"),
    ];
    for (screen, key, what) in boxes {
        let app = in_mode(Caps::FULL, screen, key);
        tour += &format!(
            "\n## {what}: `{key}` in {}\n\n```text\n{}\n```\n",
            screen.as_str(),
            drawn(&app, 100, 26)
        );
    }
    docs("tour.md", &tour);
}

#[test]
fn a_million_random_keys_never_panic() {
    let mut app = app(Caps::FULL);
    let mut rng = Rng::new(7);
    let special = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::Backspace,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::F(1),
        KeyCode::F(2),
        KeyCode::F(3),
        KeyCode::F(4),
        KeyCode::F(5),
        KeyCode::Home,
        KeyCode::End,
    ];
    let mut asked: HashMap<&str, usize> = HashMap::new();
    for i in 0..1_000_000 {
        let code = if rng.below(3) == 0 {
            special[rng.below(special.len())]
        } else {
            KeyCode::Char(char::from(33 + rng.below(90) as u8))
        };
        let modifiers = if rng.below(12) == 0 { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        let msg = if rng.below(50) == 0 {
            Msg::Paste("put 日本語 \u{1b}[31m\n".into())
        } else {
            Msg::Key(KeyEvent::new(code, modifiers))
        };
        for effect in app.update(msg) {
            let name = match effect {
                Effect::World(_) => "world",
                Effect::Mind(MindCmd::Evaluate(_)) => "look",
                Effect::Mind(MindCmd::Load(_)) => "model",
                Effect::Store(_) => "store",
                Effect::Job(_) => "job",
                _ => "other",
            };
            *asked.entry(name).or_default() += 1;
        }
        app.quit = false;
        if i % 1000 == 0 {
            drawn(&app, 20 + rng.below(120) as u16, 5 + rng.below(40) as u16);
        }
    }
    assert!(asked.len() >= 4, "{asked:?}");
}
