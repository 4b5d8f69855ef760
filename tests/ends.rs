//! How the program ends, through terminals that are really closed: for each end and each moment,
//! what must be there afterwards.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::pty::{F2, F3, Terminal, Window};
use common::{foretaste, json, soon};
use foretaste::store::{Filter, Place, RunStatus, Store};
use portable_pty::CommandBuilder;

/// The process of a [`Window`].
#[test]
fn window() {
    common::pty::hold();
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// A signal to the program alone; the terminal stays.
    Signal(&'static str),
    /// The window is closed: the terminal goes, and the system says so.
    Closed,
    /// The terminal goes and no signal arrives (a wrapper that ignores the hang-up).
    Gone,
}

const ENDS: [End; 6] = [
    End::Signal("TERM"),
    End::Signal("INT"),
    End::Signal("QUIT"),
    End::Signal("HUP"),
    End::Closed,
    End::Gone,
];

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    /// The program has just been started.
    First,
    /// A task is open.
    Idle,
    /// A text is being edited on the screen.
    Typing,
    /// A text is open in the person's editor.
    Editor,
    /// A run is being trained behind the screens.
    Training,
}

const MOMENTS: [Moment; 5] =
    [Moment::First, Moment::Idle, Moment::Typing, Moment::Editor, Moment::Training];

/// Either kind of terminal.
enum Ground {
    Terminal(Terminal),
    Window(Window),
}

impl Ground {
    fn open(data: &Path, end: End, editor: &Path) -> Self {
        let data = data.display();
        let program = env!("CARGO_BIN_EXE_foretaste");
        let trap = if end == End::Gone { "trap '' HUP; " } else { "" };
        let script = format!(
            "{trap}unset VISUAL; EDITOR='{}' exec {program} --data-dir {data}",
            editor.display()
        );
        if let End::Signal(_) = end {
            let mut command = CommandBuilder::new("sh");
            command.args(["-c", &script]);
            return Self::Terminal(Terminal::start(command, (100, 30)));
        }
        Self::Window(Window::open(&["sh", "-c", &script]))
    }

    fn keys(&mut self, keys: &str) {
        match self {
            Self::Terminal(term) => term.keys(keys),
            Self::Window(window) => window.keys(keys),
        }
    }

    fn shows(&self, text: &str) {
        match self {
            Self::Terminal(term) => _ = term.shows(text),
            Self::Window(window) => window.shows(text),
        }
    }

    /// Ends it, and says what is wrong with how it ended.
    fn end(mut self, end: End) -> Result<(), String> {
        match (&mut self, end) {
            (Self::Terminal(term), End::Signal(signal)) => {
                term.signal(signal);
                let status = term.wait(Duration::from_secs(30)).ok_or("it does not end")?;
                if !term.is_cooked() {
                    return Err("the terminal is left raw".into());
                }
                // What it wrote last may still be on its way.
                if !soon(Duration::from_secs(5), || term.is_restored()) {
                    return Err(format!("the screen is left taken:\n{}", term.text()));
                }
                if status.exit_code() > 1 || term.text().contains("panic") {
                    return Err(format!("{status:?}:\n{}", term.text()));
                }
                Ok(())
            }
            (Self::Window(window), _) => {
                window.close();
                if window.program_ended(Duration::from_secs(30)) {
                    Ok(())
                } else {
                    Err("it does not end".into())
                }
            }
            (Self::Terminal(_), _) => Err("no window".into()),
        }
    }
}

/// A store with something of everything, and the text of its first reflection.
fn prepared() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    for what in ["demos", "branches", "reflections"] {
        json(dir.path(), &["collect", what, "--games", "3"]);
    }
    let queue =
        Store::open(dir.path()).unwrap().queue(&Filter::default(), Place::Start, 1).unwrap();
    (dir, queue.items[0].text().to_string())
}

/// An editor that writes its file at once and stays open.
fn editor(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("an editor");
    std::fs::write(&path, "#!/bin/sh\nprintf ' By the editor.' >> \"$1\"\nsleep 60\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn draft(data: &Path) -> Option<String> {
    Store::open(data).unwrap().queue(&Filter::default(), Place::Start, 1).unwrap().items[0]
        .draft
        .clone()
}

fn case(end: End, moment: Moment) -> Result<(), String> {
    let (dir, text) = prepared();
    let tools = tempfile::tempdir().unwrap();
    // The path has a space in it, as people's do.
    let editor = format!("\"{}\"", editor(tools.path()).display());
    let mut place = Ground::open(dir.path(), end, Path::new(&editor));
    match moment {
        Moment::First => {}
        Moment::Idle => place.shows("TASK"),
        Moment::Typing => {
            place.shows("TASK");
            place.keys(F2);
            place.shows("QUEUE");
            place.keys("e");
            place.shows("^s keep");
            place.keys(" Typed last.");
            place.shows("Typed last.");
        }
        Moment::Editor => {
            place.shows("TASK");
            place.keys(F2);
            place.shows("QUEUE");
            place.keys("E");
            soon(Duration::from_secs(30), || draft(dir.path()).is_some());
        }
        Moment::Training => {
            place.shows("TASK");
            place.keys(F3);
            place.shows("no runs yet");
            place.keys("t");
            place.shows("tokens of training");
            place.keys("\r");
            place.shows("now 0.");
        }
    }
    place.end(end)?;
    let store = Store::open(dir.path()).map_err(|e| e.to_string())?;
    let log = std::fs::read_to_string(dir.path().join("foretaste.log")).unwrap_or_default();
    if log.contains("panic") {
        return Err(log);
    }
    let expect = |what: &str, holds: bool| if holds { Ok(()) } else { Err(what.to_string()) };
    match moment {
        Moment::First | Moment::Idle => Ok(()),
        Moment::Typing => {
            let found = draft(dir.path());
            expect(&format!("the draft is {found:?}"), found == Some(format!("{text} Typed last.")))
        }
        Moment::Editor => {
            let found = draft(dir.path());
            expect(
                &format!("the draft is {found:?}"),
                found == Some(format!("{text}\nBy the editor.")),
            )
        }
        Moment::Training => {
            let run = &store.runs().unwrap()[0];
            let saved = store.latest_checkpoint(Some(run.id)).unwrap();
            let whole = run.status == RunStatus::Stopped
                && saved.as_ref().is_some_and(|saved| saved.step == run.step);
            expect(&format!("{run:?} {saved:?}"), whole && run.step > 0)
        }
    }
}

#[test]
fn whatever_ends_it_work_is_saved_drafts_are_kept_and_the_terminal_is_given_back() {
    let all: Vec<(End, Moment)> =
        ENDS.iter().flat_map(|end| MOMENTS.iter().map(|moment| (*end, *moment))).collect();
    // What is typed at a terminal that is lent to an editor is the editor's.
    let typed = [End::Signal("INT"), End::Signal("QUIT")];
    let cases: Vec<_> =
        all.into_iter().filter(|(end, m)| *m != Moment::Editor || !typed.contains(end)).collect();
    let failed: Vec<String> = std::thread::scope(|scope| {
        let halves = cases.chunks(cases.len().div_ceil(3)).map(|cases| {
            scope.spawn(move || {
                let one = |(end, moment): &(End, Moment)| {
                    case(*end, *moment).err().map(|why| format!("{end:?} at {moment:?}: {why}"))
                };
                cases.iter().filter_map(one).collect::<Vec<_>>()
            })
        });
        halves.collect::<Vec<_>>().into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn the_first_milliseconds_leave_no_terminal_raw() {
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["data", "list"]);
    for (i, signal) in ["TERM", "INT", "HUP", "QUIT"].iter().cycle().take(40).enumerate() {
        let mut term = Terminal::open(dir.path(), (80, 24));
        std::thread::sleep(Duration::from_micros(2_000 * i as u64));
        term.signal(signal);
        assert!(term.wait(Duration::from_secs(20)).is_some(), "{signal} after {} ms", 2 * i);
        assert!(term.is_cooked(), "{signal} after {} ms: left raw", 2 * i);
    }
}

#[test]
fn what_the_editor_types_is_not_meant_for_us_and_a_stop_is_gone_on_from() {
    let (dir, text) = prepared();
    let tools = tempfile::tempdir().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_foretaste"));
    command.args(["--data-dir", dir.path().to_str().unwrap()]);
    let script = tools.path().join("e");
    std::fs::write(&script, "#!/bin/sh\nsleep 1\nprintf ' Late.' >> \"$1\"\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    command.env("EDITOR", &script);
    let mut term = Terminal::start(command, (100, 30));
    term.shows("TASK");
    // Stopped from outside: the shell would cook the terminal meanwhile.
    term.signal("STOP");
    std::thread::sleep(Duration::from_millis(300));
    term.signal("CONT");
    term.press(F2, "QUEUE");
    assert!(!term.is_cooked() && term.is_running());
    term.keys("E");
    std::thread::sleep(Duration::from_millis(300));
    term.signal("INT"); // Ctrl-C in the editor reaches all of the terminal's programs
    term.shows("your edit");
    term.press("q", "");
    assert_eq!(term.ended(), (0, true));
    let store = Store::open(dir.path()).unwrap();
    let item = &store.queue(&Filter::default(), Place::Start, 1).unwrap().items[0];
    assert_eq!(item.text(), format!("{text}\nLate."));
    assert_eq!(item.draft, None);
}

#[test]
fn what_was_kept_on_the_way_to_a_version_is_no_draft_any_more() {
    let (dir, text) = prepared();
    let mut term = Terminal::open(dir.path(), (100, 30));
    term.shows("TASK");
    term.press(F2, "QUEUE");
    term.keys("e");
    term.keys(" First");
    assert!(soon(Duration::from_secs(20), || draft(dir.path()).is_some()), "{}", term.text());
    term.keys(" and last.\x13");
    term.shows("your edit");
    term.press("q", "");
    assert_eq!(term.ended(), (0, true));
    let item =
        &Store::open(dir.path()).unwrap().queue(&Filter::default(), Place::Start, 1).unwrap().items
            [0];
    assert_eq!(
        (item.text(), item.draft.as_deref()),
        (format!("{text} First and last.").as_str(), None)
    );
}

#[test]
fn the_editor_is_asked_to_end_with_the_program() {
    let (dir, _) = prepared();
    let tools = tempfile::tempdir().unwrap();
    let script = tools.path().join("e");
    let number = tools.path().join("number");
    let text = format!(
        "#!/bin/sh\necho $$ > '{}.part'; mv '{0}.part' '{0}'\nexec sleep 600\n",
        number.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_foretaste"));
    command.args(["--data-dir", dir.path().to_str().unwrap()]);
    command.env("EDITOR", format!("'{}' -o", script.display()));
    let mut term = Terminal::start(command, (100, 30));
    term.shows("TASK");
    term.press(F2, "QUEUE");
    term.keys("E");
    assert!(soon(Duration::from_secs(20), || number.exists()), "{}", term.text());
    let editor = std::fs::read_to_string(&number).unwrap().trim().to_string();
    let alive = || {
        Command::new("kill").args(["-0", &editor]).stderr(Stdio::null()).status().unwrap().success()
    };
    assert!(alive());
    term.signal("TERM");
    assert_eq!(term.ended(), (0, true));
    assert!(soon(Duration::from_secs(5), || !alive()), "the editor lives on");
}

#[test]
fn a_stop_brings_the_shell_back_with_and_without_the_editor() {
    let (dir, _) = prepared();
    let tools = tempfile::tempdir().unwrap();
    let script = tools.path().join("e");
    let there = tools.path().join("there");
    std::fs::write(&script, format!("#!/bin/sh\ntouch '{}'\nexec sleep 600\n", there.display()))
        .unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program =
        format!("{} --data-dir {}", env!("CARGO_BIN_EXE_foretaste"), dir.path().display());
    // A script that runs it is of its job, and stops with it.
    let line = format!(
        "set -m; sh -c 'EDITOR={} {program}; echo' ; echo BACK; kill -KILL %1; exec sh -c \"exit \
         7\"",
        script.display()
    );
    for editor in [false, true] {
        let mut command = CommandBuilder::new("sh");
        command.args(["-c", &line]);
        let mut term = Terminal::start(command, (100, 30));
        term.shows("TASK");
        if editor {
            term.press(F2, "QUEUE");
            term.keys("E");
            assert!(soon(Duration::from_secs(20), || there.exists()), "{}", term.text());
        }
        term.keys("\x1a");
        term.shows("BACK");
        let status = term.wait(Duration::from_secs(30)).expect("the shell goes on");
        assert_eq!(status.exit_code(), 7, "{}", term.text());
    }
}

#[test]
fn asked_twice_stuck_work_ends_at_once_and_leaving_has_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = foretaste(dir.path(), &["data", "import", pipe.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let signal = |name: &str, pid: u32| {
        Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap()
    };
    std::thread::sleep(Duration::from_millis(500));
    // Not SIGINT, which a shell's background job leaves ignored in all that it starts.
    signal("TERM", child.id());
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "nobody writes into the pipe, so it is stuck");
    signal("HUP", child.id());
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "a closed window sends several");
    signal("TERM", child.id());
    soon(Duration::from_secs(5), || child.try_wait().unwrap().is_some());
    assert_eq!(child.try_wait().unwrap().and_then(|status| status.code()), Some(143));

    let mut term = Terminal::open(dir.path(), (100, 30));
    term.shows("TASK");
    term.press(common::pty::F5, "Trajectories · 0 of 0");
    term.press("i", "Enter reads it");
    term.keys(&format!("{}\r", pipe.display()));
    term.shows("Import");
    term.keys("\x1b");
    std::thread::sleep(Duration::from_millis(200));
    term.press("q", "stop");
    term.keys("s");
    let status = term.wait(Duration::from_secs(30)).expect("leaving has a limit");
    assert_eq!(status.exit_code(), 1);
    assert!(term.is_cooked() && term.text().contains("did not end"), "{}", term.text());
}
