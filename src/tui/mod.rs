//! The terminal program: state, messages, update, view; threads behind it do all the work.

pub mod app;
pub mod caps;
pub mod chart;
pub mod effect;
pub mod frame;
pub mod journal;
pub mod kept;
pub mod keymap;
pub mod keys;
pub mod msg;
pub mod popups;
pub mod screens;
pub mod settings;
pub mod theme;
pub mod thrifty;
pub mod underway;
pub mod window;
pub mod words;
pub mod work;

use std::io::Stdout;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture, Event, EventStream, KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind,
};
use crossterm::execute;
use futures::StreamExt;
use ratatui::Terminal;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::env::Suite;
use crate::error::{Error, Result};
use crate::store::Store;
use app::App;
use caps::Caps;
use effect::{DeskCmd, Effect, Screen, WorldCmd};
use kept::Kept;
use keymap::Keymap;
use msg::Msg;
use settings::Settings;
use thrifty::Thrifty;
use work::jobs::Jobs;
use work::mind::Mind;
use work::{Mailbox, desk, world};

/// What threads answer is drawn at most twenty times a second: over SSH, bytes are what costs.
const FRAME: Duration = Duration::from_millis(50);

/// Who wants little motion sees what threads answer twice a second.
const CALM: Duration = Duration::from_millis(500);

/// In a window that nobody looks at, once in two seconds is enough.
const AWAY: Duration = Duration::from_secs(2);

/// Soon after a key all that it asked for is there; up to this long the frame waits for it, to be one in place of several.
const SOON: Duration = Duration::from_millis(45);

/// Runs it until the person leaves, and puts the terminal back whatever happens.
pub fn run(root: &Path, suite: &Arc<dyn Suite>, expert: Option<&str>) -> Result<()> {
    // Opened here first: what is wrong with the data directory is said before the screen is taken.
    let store = Store::open(root)?;
    let kept = store.setting(kept::SETTING)?;
    drop(store);
    let _journal = journal::begin(root)?;
    let settings = Settings::load(&root.join("config.toml"))?;
    let keymap = Keymap::load(&root.join("keys.toml"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::new(format!("starting the event loop: {e}")))?;
    let mut terminal = take_screen()?;
    listen(settings.mouse);
    let (tx, rx) = unbounded_channel();
    let mail = Mailbox(tx);
    let mind = Mind::start(root.to_path_buf(), mail.clone());
    let (speaker, play_on) = (expert.map(str::to_string), mind.play_on());
    let hands = Hands {
        world: world::start(Arc::clone(suite), speaker, root.to_path_buf(), mail.clone(), play_on),
        mind,
        desk: desk::start(root.to_path_buf(), mail.clone()),
        jobs: Jobs::new(Arc::clone(suite), root.to_path_buf(), mail),
    };
    let mut app = App::new(suite.name(), settings.caps(Caps::detect()));
    tracing::info!("foretaste {} on {}; {}", env!("CARGO_PKG_VERSION"), suite.name(), settings.reasons());
    app.keymap = keymap;
    let kept: Option<Kept> = kept.and_then(|text| serde_json::from_str(&text).ok());
    let screen = kept.and_then(|kept| kept.put_back(&mut app));
    app.theme.palette = app.chosen_theme.or(settings.palette()?).unwrap_or_default();
    app.data.root = root.display().to_string();
    let (hands, ended) = runtime.block_on(live(&mut terminal, &mut app, hands, rx, (screen, &settings)));
    restore();
    tracing::info!("left");
    if !app.jobs.is_empty() {
        eprintln!("stopping cleanly…");
    }
    // The desk's thread may not come to it any more.
    _ = Store::open(root).and_then(|store| store.set_setting(kept::SETTING, &Kept::of(&app).text()));
    let detached = hands.jobs.finish();
    if let Ok(Some(run)) = &detached {
        eprintln!("run {run} goes on in the background; the next foretaste shows it in Train, where x stops it");
    }
    if let Some(thread) = app.broken {
        return Err(Error::new(format!("the {thread} thread broke off: this is a defect in foretaste"))
            .hint("what was shown as saved is saved; start it again, and please report what stands above"));
    }
    ended.and(detached.map(|_| ()))
}

/// The threads that carry effects out.
struct Hands {
    world: Sender<WorldCmd>,
    mind: Mind,
    desk: Sender<DeskCmd>,
    jobs: Jobs,
}

impl Hands {
    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            // A closed channel means that the thread is gone; it has said why.
            match effect {
                Effect::World(command) => _ = self.world.send(command),
                Effect::Look(look) => self.mind.look(*look),
                Effect::LoadModel(name) => self.mind.load(name),
                Effect::Desk(command) => _ = self.desk.send(command),
                Effect::Job(command) => self.jobs.obey(command),
                Effect::Prompt(state, actions, think) => self.mind.prompt(state, actions, think),
                Effect::Again(id, writer, case) => self.mind.again(id, writer, case),
                Effect::Beside(beside) => self.mind.beside(beside),
                // A terminal that does not know OSC 52 ignores it.
                Effect::Copy(text) => _ = execute!(std::io::stdout(), CopyToClipboard::to_clipboard_from(text)),
                Effect::Suspend | Effect::Edit(..) | Effect::Show(..) => {} // the loop's own
            }
        }
    }
}

async fn live(
    terminal: &mut Terminal<Thrifty<Stdout>>,
    app: &mut App,
    mut hands: Hands,
    mut rx: UnboundedReceiver<Msg>,
    (screen, settings): (Option<Screen>, &Settings),
) -> (Hands, Result<()>) {
    hands.carry_out(app.begin(screen));
    let mut input = EventStream::new();
    let mut clock = interval(Duration::from_millis(500));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next_frame = Instant::now();
    let (mut stale, mut pressed) = (true, false);
    let quiet = if settings.reduced_motion { CALM } else { FRAME };
    let mut pace = quiet;
    let mut answered = next_frame; // from when on a complete answer is drawn at once
    let end = asked_to_end();
    tokio::pin!(end);
    while !app.quit {
        let msg = tokio::select! {
            biased;
            _ = &mut end => break,
            event = input.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    (next_frame, pressed) = (Instant::now(), true); // whoever pressed it does not wait
                    pace = quiet; // and looks, whatever the terminal said of focus
                    Some(Msg::Key(key))
                }
                Some(Ok(Event::Paste(text))) => Some(Msg::Paste(text)),
                Some(Ok(Event::FocusGained)) => {
                    (next_frame, pace) = (Instant::now(), quiet);
                    None
                }
                Some(Ok(Event::FocusLost)) => {
                    pace = AWAY;
                    None
                }
                Some(Ok(Event::Mouse(mouse))) => {
                    next_frame = Instant::now();
                    let width = terminal.size().map_or(80, |size| usize::from(size.width));
                    of_mouse(mouse, width)
                }
                Some(Ok(_)) => None,
                Some(Err(error)) => return (hands, Err(Error::new(format!("reading the terminal: {error}")))),
                None => break,
            },
            // A frame before more messages: a busy thread must not starve the screen.
            () = sleep_until(next_frame), if stale => {
                if let Err(error) = terminal.draw(|frame| frame::draw(app, frame)) {
                    return (hands, Err(Error::new(format!("drawing: {error}"))));
                }
                stale = false;
                answered = if pressed { Instant::now() } else { Instant::now() + pace };
                next_frame = Instant::now() + if pressed { SOON } else { pace };
                pressed = false;
                continue;
            }
            msg = rx.recv() => msg,
            _ = clock.tick() => {
                let effects = app.update(Msg::Tick);
                stale |= app.screen == Screen::Replay || !effects.is_empty();
                hands.carry_out(effects);
                continue;
            }
        };
        if let Some(msg) = msg {
            let mut effects = app.update(msg);
            if app.settled() {
                next_frame = next_frame.min(answered);
            }
            let away = effects.iter().position(|effect| matches!(effect, Effect::Suspend | Effect::Edit(..)));
            if let Some(away) = away.map(|at| effects.remove(at)) {
                drop(input); // it must not read what is meant for the shell or the editor
                let back = step_aside(terminal, &away, settings.mouse);
                input = EventStream::new();
                effects.extend(match back {
                    Ok(Some(msg)) => app.update(msg),
                    Ok(None) => Vec::new(),
                    Err(error) => app.update(Msg::Notice(effect::Notice::error(&error))),
                });
            }
            hands.carry_out(effects);
        }
        stale = true;
    }
    (hands, Ok(()))
}

/// What a wheel or a click means; a wheel is an arrow key, which every list and text knows.
fn of_mouse(mouse: MouseEvent, width: usize) -> Option<Msg> {
    match mouse.kind {
        MouseEventKind::ScrollUp => Some(Msg::Key(KeyEvent::from(KeyCode::Up))),
        MouseEventKind::ScrollDown => Some(Msg::Key(KeyEvent::from(KeyCode::Down))),
        MouseEventKind::Down(MouseButton::Left) if mouse.row == 0 => Some(Msg::Click(width, usize::from(mouse.column))),
        _ => None,
    }
}

/// Whether a panic puts back what we asked of the terminal.
static HOOKED: std::sync::Once = std::sync::Once::new();

/// The terminal for ourselves: raw, on its other screen, put back by a panic too.
fn take_screen() -> Result<Terminal<Thrifty<Stdout>>> {
    let failed = |e: std::io::Error| Error::new(format!("preparing the terminal: {e}"));
    ratatui::try_init().map_err(failed)?;
    // Ratatui's own hook knows nothing of mouse and focus.
    HOOKED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            unlisten();
            before(panic);
        }));
    });
    Terminal::new(Thrifty::new(std::io::stdout())).map_err(failed)
}

/// Asks the terminal for pastes as a whole, for focus, and for the mouse if a person wants that.
fn listen(mouse: bool) {
    _ = execute!(std::io::stdout(), EnableBracketedPaste, EnableFocusChange);
    if mouse {
        _ = execute!(std::io::stdout(), EnableMouseCapture);
    }
}

/// Puts the terminal back as it was.
fn restore() {
    unlisten();
    ratatui::restore();
}

/// Takes back what [`listen`] asked for.
fn unlisten() {
    _ = execute!(std::io::stdout(), DisableMouseCapture, DisableFocusChange, DisableBracketedPaste);
}

/// Gives the terminal to the shell, or to the person's editor, and takes it back.
fn step_aside(terminal: &mut Terminal<Thrifty<Stdout>>, away: &Effect, mouse: bool) -> Result<Option<Msg>> {
    restore();
    let found = if let Effect::Edit(id, text) = away {
        edited(text).map(|text| Some(Msg::Curate(screens::curate::Msg::Edited(*id, text))))
    } else {
        stop();
        Ok(None)
    };
    // A fresh terminal draws everything anew; clearing the old one would ask the terminal where its cursor is, and not
    // every terminal answers.
    *terminal = take_screen()?;
    listen(mouse);
    found
}

/// Stops this process until the shell continues it.
fn stop() {
    #[cfg(unix)]
    {
        _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP);
    }
}

/// A text as it comes back from `$VISUAL`, `$EDITOR` or vi.
fn edited(text: &str) -> Result<String> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".into());
    let failed = |e: std::io::Error| {
        Error::new(format!("the editor `{editor}`: {e}")).hint("set $EDITOR to an editor that is installed; e edits here")
    };
    let file = tempfile::Builder::new().suffix(".txt").tempfile().map_err(failed)?;
    std::fs::write(file.path(), text).map_err(failed)?;
    let mut words = editor.split_whitespace();
    let status = std::process::Command::new(words.next().unwrap_or("vi")).args(words).arg(file.path()).status();
    if !status.map_err(failed)?.success() {
        return Err(Error::new(format!("the editor `{editor}` failed; the text is as it was")));
    }
    std::fs::read_to_string(file.path()).map_err(failed)
}

/// Resolves to true when the process is asked to end: Ctrl-C, SIGTERM, SIGHUP.
pub async fn asked_to_end() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut hup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
            return tokio::signal::ctrl_c().await.is_ok();
        };
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended.is_ok(),
            _ = term.recv() => true,
            _ = hup.recv() => true,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.is_ok()
}
