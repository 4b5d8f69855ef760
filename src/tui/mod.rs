//! The terminal program: state, messages, update, view; threads behind it do all the work.

pub mod acts;
pub mod aligned;
pub mod app;
pub mod caps;
pub mod chart;
pub mod collecting;
pub mod commands;
pub mod compact_backend;
pub mod effect;
pub mod frame;
pub mod jobs;
pub mod journal;
pub mod keymap;
pub mod keys;
pub mod msg;
mod numbers;
pub mod page;
pub mod palette;
pub mod popups;
mod saying;
pub mod screen;
pub mod screens;
pub mod settings;
pub mod sheet;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod ui_state;
pub mod window;
pub mod work;
pub mod workers;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{
    Event, EventStream, KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind,
    poll,
};
use futures::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::console::tell;
use crate::ends;
use crate::env::Suite;
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::store::Store;
use crate::train::checkpoint;
use app::App;
use caps::Caps;
use commands::Place;
use effect::{Effect, Notice, StoreCmd};
use keymap::Keymap;
use msg::Msg;
use settings::Settings;
use terminal::{Edited, Taken, edited, restore, retake, take};
use ui_state::UiState;
use work::beside::Beside;
use work::jobs::Jobs;
use work::mind::Mind;
use work::{Mailbox, agents, store, studies, world};
use workers::Workers;

/// What threads answer is drawn at most twenty times a second: over SSH, bytes are what costs.
const FRAME: Duration = Duration::from_millis(50);

/// Who wants little motion sees what threads answer twice a second.
const CALM: Duration = Duration::from_millis(500);

/// In a window that nobody looks at, once in two seconds is enough.
const AWAY: Duration = Duration::from_secs(2);

/// Soon after a key all that it asked for is there; up to this long the frame waits for it, to be
/// one in place of several.
const SOON: Duration = Duration::from_millis(45);

/// Runs it until the person leaves, and puts the terminal back whatever happens. `place` is where
/// its commands would work.
pub fn run(root: &Path, suite: &Arc<dyn Suite>, expert: Option<&str>, place: Place) -> Result<()> {
    // Opened here first: what is wrong with the data directory is said before the screen is taken.
    let store = Store::open(root)?;
    let kept = store.setting(ui_state::SETTING)?;
    let reading_only = store
        .read_only()
        .map(|why| format!("the data directory cannot be written ({why}): it is only read"));
    checkpoint::sweep(&store)?;
    drop(store);
    // Without its log the program is as good; a person is told where there is none.
    let journal = if reading_only.is_none() { journal::begin(root).map(Some) } else { Ok(None) };
    let (_journal, unlogged) =
        journal.map_or_else(|error| (None, Some(error)), |journal| (journal, None));
    let settings = Settings::load(&root.join("config.toml"))?;
    let keymap = Keymap::load(&root.join("keys.toml"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::new(format!("starting the event loop: {e}")))?;
    let (tx, mut rx) = unbounded_channel();
    let mail = Mailbox(tx);
    // Watched for before the terminal is taken: whatever comes from now on gives it back.
    let watcher = mail.clone();
    ends::watch(true, move |event| watcher.send(Msg::Process(event)))?;
    let taken = Taken;
    let mut screen = take(settings.mouse)?;
    let mind = Mind::start(root.to_path_buf(), suite.name().to_string(), mail.clone());
    let speaker = expert.map(str::to_string);
    let door = mind.door();
    let beside = Beside::start(root.to_path_buf(), suite.name().to_string(), mail.clone());
    let mut workers = Workers {
        worlds: world::start(Arc::clone(suite), speaker, root.to_path_buf(), mail.clone(), door),
        mind,
        beside,
        store: store::start(root.to_path_buf(), mail.clone()),
        studies: studies::start(root.to_path_buf(), mail.clone()),
        agents: agents::start(root.to_path_buf(), mail.clone()),
        jobs: Jobs::new(Arc::clone(suite), root.to_path_buf(), mail),
    };
    let mut app = App::new(suite.name(), settings.caps(Caps::detect()));
    tracing::info!(
        "foretaste {} on {}; {}",
        env!("CARGO_PKG_VERSION"),
        suite.name(),
        settings.reasons()
    );
    app.keymap = keymap;
    app.commands.place = place;
    let kept: Option<UiState> = kept.and_then(|text| serde_json::from_str(&text).ok());
    let (first, theme) = kept.map_or((None, None), |kept| kept.put_back(&mut app.screens));
    app.chosen_theme = theme;
    app.theme.palette = app.chosen_theme.or(settings.palette()?).unwrap_or_default();
    app.screens.data.root = root.display().to_string();
    if let Some(text) =
        reading_only.or(unlogged.map(|error| format!("no log is written: {}", error.message())))
    {
        app.say(Notice { text, bad: true });
    }
    workers.carry_out(app.begin(first));
    let ended = guarded("the screen", || {
        runtime.block_on(live(&mut screen, &mut app, &mut workers, &mut rx, &settings))
    });
    drop(taken);
    tracing::info!("left");
    if !app.jobs.is_empty() {
        tell("stopping cleanly… (Ctrl-C ends at once)");
    }
    workers.carry_out(app.unsaved());
    workers.carry_out(vec![Effect::Store(StoreCmd::Remember(
        ui_state::SETTING,
        app.ui_state().text(),
    ))]);
    let left = workers.leave(&mut rx);
    if let Ok(Some(run)) = &left {
        tell(&format!(
            "run {run} goes on in the background; the next foretaste shows it in Train, where x \
             stops it"
        ));
    }
    ended.and(app.broken.map_or(Ok(()), |why| Err(Error::new(why)))).and(left.map(|_| ()))
}

async fn live(
    terminal: &mut terminal::Screen,
    app: &mut App,
    workers: &mut Workers,
    rx: &mut UnboundedReceiver<Msg>,
    settings: &Settings,
) -> Result<()> {
    let mut input = events()?;
    let mut clock = interval(Duration::from_millis(500));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next_frame = Instant::now();
    let mut stale = true;
    let mut pressed = false;
    let quiet = if settings.reduced_motion { CALM } else { FRAME };
    let mut pace = quiet;
    let mut answered = next_frame; // from when on a complete answer is drawn at once
    while !app.quit && !ends::asked() {
        let msg = tokio::select! {
            biased;
            event = input.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    next_frame = Instant::now();
                    pressed = true; // whoever pressed it does not wait
                    pace = quiet; // and looks, whatever the terminal said of focus
                    Some(Msg::Key(key))
                }
                Some(Ok(Event::Paste(text))) => Some(Msg::Paste(text)),
                Some(Ok(Event::FocusGained)) => {
                    next_frame = Instant::now();
                    pace = quiet;
                    None
                }
                Some(Ok(Event::FocusLost)) => {
                    pace = AWAY;
                    None
                }
                Some(Ok(Event::Mouse(mouse))) => {
                    next_frame = Instant::now();
                    let width = terminal.size().map_or(80, |size| usize::from(size.width));
                    of_mouse(mouse, width, app)
                }
                Some(Ok(_)) => None,
                Some(Err(error)) => return Err(Error::new(format!("reading the terminal: {error}"))),
                None => break,
            },
            // A frame before more messages: a busy thread must not starve the screen.
            () = sleep_until(next_frame), if stale => {
                if let Err(error) = terminal.draw(|frame| frame::draw(app, frame)) {
                    return Err(Error::new(format!("drawing: {error}")));
                }
                stale = false;
                answered = if pressed { Instant::now() } else { Instant::now() + pace };
                next_frame = Instant::now() + if pressed { SOON } else { pace };
                pressed = false;
                continue;
            }
            msg = rx.recv() => msg,
            _ = clock.tick() => {
                let said = app.said().is_some();
                let effects = app.update(Msg::Tick);
                stale |= !effects.is_empty()
                    || app.screens.curate.is_held_up()
                    || said != app.said().is_some();
                workers.carry_out(effects);
                continue;
            }
        };
        if let Some(Msg::Process(ends::Event::Continued)) = msg {
            *terminal = retake(settings.mouse)?;
        } else if let Some(msg) = msg {
            let mut effects = app.update(msg);
            if app.settled() {
                next_frame = next_frame.min(answered);
            }
            let away = effects
                .iter()
                .position(|effect| matches!(effect, Effect::Suspend | Effect::Edit(..)));
            if let Some(away) = away.map(|at| effects.remove(at)) {
                drop(input); // it must not read what is meant for the shell or the editor
                let msgs = step_aside(terminal, &away, settings.mouse, workers)?;
                input = events()?;
                effects.extend(msgs.into_iter().flat_map(|msg| app.update(msg)));
            }
            workers.carry_out(effects);
        }
        stale = true;
    }
    Ok(())
}

/// What is typed. Looked for once first: on a terminal that is gone already that is an error, and
/// making the stream a panic.
fn events() -> Result<EventStream> {
    poll(Duration::ZERO).map_err(|e| Error::new(format!("reading the terminal: {e}")))?;
    Ok(EventStream::new())
}

/// What a wheel or a click means; a wheel is an arrow key, which every list and text knows.
fn of_mouse(mouse: MouseEvent, width: usize, app: &App) -> Option<Msg> {
    match mouse.kind {
        MouseEventKind::ScrollUp => Some(Msg::Key(KeyEvent::from(KeyCode::Up))),
        MouseEventKind::ScrollDown => Some(Msg::Key(KeyEvent::from(KeyCode::Down))),
        MouseEventKind::Down(MouseButton::Left) if mouse.row == 0 => {
            frame::tab_at(app, width, usize::from(mouse.column)).map(Msg::Show)
        }
        _ => None,
    }
}

/// Gives the terminal to the shell, or to the person's editor, and takes it back; what came of it.
fn step_aside(
    terminal: &mut terminal::Screen,
    away: &Effect,
    mouse: bool,
    workers: &mut Workers,
) -> Result<Vec<Msg>> {
    restore();
    let mut msgs = Vec::new();
    if let Effect::Edit(id, text) = away {
        // What stands below the text in that file is no draft.
        let keep = &mut |file: &str| {
            workers.store.send(StoreCmd::Draft(*id, Some(screens::curate::text_of(file))));
        };
        match edited(text, keep) {
            Ok(Edited::Text(text)) => msgs.push(Msg::from(screens::curate::Msg::Edited(*id, text))),
            Ok(Edited::Draft(text, why)) => {
                msgs.push(Msg::from(screens::curate::Msg::Drafted(*id, text)));
                msgs.push(Msg::Notice(Notice::error(&why)));
            }
            Err(error) => msgs.push(Msg::Notice(Notice::error(&error))),
        }
    } else {
        ends::stop();
    }
    if !ends::asked() {
        *terminal = take(mouse)?;
    }
    Ok(msgs)
}
