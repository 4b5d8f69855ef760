//! The terminal: taking it, giving it back whatever happens, and lending it to the shell or an
//! editor.

use std::io::{Stdout, Write};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
    EnableFocusChange, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;

use super::compact_backend::CompactBackend;
use crate::ends;
use crate::error::{Error, Result};
use crate::paths;

/// The terminal as this program draws on it.
///
/// Never dropped: that would show the cursor, and say where that fails (as on a terminal that is
/// gone) on a stream that is gone too, which panics. [`restore`] shows it.
pub type Screen = ManuallyDrop<Terminal<CompactBackend<Stdout>>>;

/// The stream that is drawn on.
#[allow(clippy::disallowed_methods, reason = "the one that draws")]
pub(super) fn stream() -> Stdout {
    std::io::stdout()
}

/// Gives the terminal back when it goes out of scope, also by a panic.
pub struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

/// The terminal for ourselves: raw, on its other screen, telling of pastes and focus and, if a
/// person wants that, of the mouse. Whoever ends this program from here on gives it back first.
pub fn take(mouse: bool) -> Result<Screen> {
    let failed = |e: std::io::Error| Error::new(format!("preparing the terminal: {e}"));
    ends::screen_taken(restore);
    enable_raw_mode().map_err(failed)?;
    execute!(stream(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)
        .map_err(failed)?;
    if mouse {
        execute!(stream(), EnableMouseCapture).map_err(failed)?;
    }
    // A fresh one draws everything anew; clearing an old one would ask the terminal where its
    // cursor is, and not every terminal answers.
    Terminal::new(CompactBackend::new(stream())).map(ManuallyDrop::new).map_err(failed)
}

/// The terminal again after a stop that this program did not choose: the shell has changed its
/// modes meanwhile, which crossterm does not know.
pub fn retake(mouse: bool) -> Result<Screen> {
    _ = disable_raw_mode();
    take(mouse)
}

/// Puts the terminal back as it was. One that is gone cannot be put back, and nobody looks at it.
pub fn restore() {
    if ends::screen_is_taken() {
        _ = execute!(
            stream(),
            DisableMouseCapture,
            DisableFocusChange,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        _ = disable_raw_mode();
        ends::screen_given_back();
    }
}

/// What came of a text in the person's editor.
#[derive(Debug, PartialEq, Eq)]
pub enum Edited {
    /// The editor ended well, with this.
    Text(String),
    /// What was written so far, and why it is not taken for the text.
    Draft(String, Error),
}

/// Between two looks at the editor.
const LOOK: Duration = Duration::from_millis(50);

/// What is written in the editor is kept as a draft this often.
const KEEP: Duration = Duration::from_secs(2);

/// An editor that was asked to end may take this long.
const PATIENCE: Duration = Duration::from_secs(3);

/// A reflection has at most so many bytes.
const EDITED: u64 = 16 << 20;

/// A text as it comes back from `$VISUAL`, `$EDITOR` or vi. What the editor has written so far goes
/// to `keep` every few seconds; if this program is asked to end meanwhile, so is the editor.
pub fn edited(text: &str, keep: &mut dyn FnMut(&str)) -> Result<Edited> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".into());
    let failed =
        |e: std::io::Error| Error::new(format!("the editor `{editor}`: {e}")).hint("e edits here");
    let mut file =
        tempfile::Builder::new().prefix("foretaste-").suffix(".txt").tempfile().map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(failed)?;
    let path = file.into_temp_path();
    ends::set_lent(true);
    let ended = command(&editor, &path).spawn().and_then(|child| wait(child, &path, text, keep));
    ends::set_lent(false);
    let status = ended.map_err(failed)?;
    let written = match paths::read_whole(&path, EDITED) {
        Ok(bytes) => bytes,
        Err(error) => {
            return Err(Error::new(format!(
                "the editor `{editor}` left no file ({error}); the text is as it was"
            )));
        }
    };
    let draft = |text: String, why: String| {
        Ok(Edited::Draft(text, Error::new(why).hint("it is kept as a draft; e goes on")))
    };
    match (String::from_utf8(written), status) {
        (Ok(text), Some(status)) if status.success() && !ends::asked() => Ok(Edited::Text(text)),
        (Ok(text), Some(_)) if ends::asked() => {
            draft(text, "asked to end while the editor was open".into())
        }
        (Ok(text), None) => draft(text, "asked to end while the editor was open".into()),
        (Ok(text), Some(status)) => match status.code() {
            Some(127) => Err(Error::new(format!("the editor `{editor}` is not there"))
                .hint("set $EDITOR to an editor that is installed; e edits here")),
            _ => draft(text, format!("the editor `{editor}` failed ({status})")),
        },
        (Err(error), _) => draft(
            String::from_utf8_lossy(error.as_bytes()).into_owned(),
            format!("the editor `{editor}` wrote text that is not UTF-8"),
        ),
    }
}

/// The editor on a file. Through the shell, as git does it: `$EDITOR` may hold quotes and options.
/// One command takes the shell's place, so that what is asked of the process is asked of the
/// editor.
fn command(editor: &str, path: &Path) -> Command {
    if cfg!(unix) {
        let first = editor.split_whitespace().next().unwrap_or_default();
        let one = !editor.contains(['|', '&', ';', '<', '>', '(', ')', '`', '\n'])
            && !first.contains(['=', '!', '{']);
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("{}{editor} \"$@\"", if one { "exec " } else { "" }))
            .arg(editor)
            .arg(path);
        return command;
    }
    let mut words = editor.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("vi"));
    command.args(words).arg(path);
    command
}

/// Waits for the editor; none where it had to be left behind.
fn wait(
    mut child: Child,
    path: &Path,
    text: &str,
    keep: &mut dyn FnMut(&str),
) -> std::io::Result<Option<std::process::ExitStatus>> {
    let mut last = Instant::now();
    let mut kept = text.to_string();
    let mut asked = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if ends::asked() {
            let since = *asked.get_or_insert_with(|| {
                end(&child);
                Instant::now()
            });
            if since.elapsed() > PATIENCE {
                return Ok(None);
            }
        }
        if last.elapsed() > KEEP {
            last = Instant::now();
            if let Ok(written) = paths::read_text(path, EDITED)
                && written != kept
            {
                keep(&written);
                kept = written;
            }
        }
        std::thread::sleep(LOOK);
    }
}

/// Asks the editor to end.
#[cfg(unix)]
fn end(child: &Child) {
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn end(_: &Child) {}
