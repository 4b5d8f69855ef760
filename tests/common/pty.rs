//! The real program in a pseudo-terminal.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

pub const F1: &str = "\x1bOP";
pub const F2: &str = "\x1bOQ";
pub const F3: &str = "\x1bOR";
pub const F4: &str = "\x1bOS";
pub const F5: &str = "\x1b[15~";

/// A terminal with the program in it.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: Option<JoinHandle<()>>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.child.kill(); // a failed test leaves nothing running
    }
}

impl Terminal {
    /// The screens on a data directory.
    pub fn open(data: &Path, size: (u16, u16)) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_foretaste"));
        command.args(["--data-dir", data.to_str().unwrap()]);
        command.env("EDITOR", "sed -i s/I/We/");
        Self::start(command, size)
    }

    /// Any command.
    pub fn start(mut command: CommandBuilder, (cols, rows): (u16, u16)) -> Self {
        command.env("TERM", "xterm-256color");
        command.env_remove("VISUAL");
        command.env("LANG", "C.UTF-8");
        let pair = native_pty_system()
            .openpty(PtySize { cols, rows, pixel_width: 0, pixel_height: 0 })
            .unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, cols, 0)));
        let mut source = pair.master.try_clone_reader().unwrap();
        let seen = Arc::clone(&screen);
        let reader = std::thread::spawn(move || {
            let mut bytes = vec![0; 65536];
            while let Ok(count @ 1..) = source.read(&mut bytes) {
                seen.lock().unwrap().process(&bytes[..count]);
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Self { master: pair.master, writer, child, screen, reader: Some(reader) }
    }

    /// What stands on the screen.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the screen fulfils a condition.
    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let text = self.text();
            if holds(&text) {
                return text;
            }
            assert!(Instant::now() < end, "waiting for {what}; the screen shows:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// A key, and then the screen shows something.
    pub fn press(&mut self, key: &str, then: &str) -> String {
        self.keys(key);
        self.shows(then)
    }

    pub fn resize(&self, cols: u16, rows: u16) {
        let size = PtySize { cols, rows, pixel_width: 0, pixel_height: 0 };
        self.master.resize(size).unwrap();
        self.screen.lock().unwrap().screen_mut().set_size(rows, cols);
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Whether what is typed is echoed and comes in lines: how a shell wants the terminal to be.
    pub fn is_cooked(&self) -> bool {
        let modes = self.master.get_termios().unwrap();
        let wanted = u64::from(libc::ECHO | libc::ICANON);
        u64::from(modes.local_flags.bits()) & wanted == wanted
    }

    /// Waits for the program's end, for so long at most; how it ended.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Whether the screen is the shell's again.
    pub fn is_restored(&self) -> bool {
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        !screen.alternate_screen() && !screen.bracketed_paste() && !screen.hide_cursor()
    }

    /// Waits for the program's end and returns its exit code and whether the terminal is as it was
    /// before.
    pub fn ended(mut self) -> (u32, bool) {
        let Some(status) = self.wait(Duration::from_mins(1)) else {
            panic!("it does not end; the screen shows:\n{}", self.text());
        };
        let cooked = self.is_cooked();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        if status.exit_code() != 0 {
            eprintln!("it ended with {}:\n{}", status.exit_code(), self.text());
        }
        (status.exit_code(), cooked && self.is_restored())
    }
}

/// A terminal in a process of its own, which can be killed: then all of its end of the
/// pseudo-terminal is closed at once, as when a window is closed or a connection is lost.
pub struct Window {
    holder: std::process::Child,
    keys: std::process::ChildStdin,
    screen: Arc<Mutex<vt100::Parser>>,
    /// The program in it.
    pub pid: u32,
}

/// The command that a [`Window`] runs, for its own process: words joined by newlines.
const HELD: &str = "FORETASTE_TEST_HELD";

/// What the process of a [`Window`] does, in a test that is only run by it; returns at once in any
/// other.
pub fn hold() {
    let Ok(words) = std::env::var(HELD) else { return };
    let mut words = words.split('\n');
    let mut command = CommandBuilder::new(words.next().unwrap());
    command.args(words);
    command.env_remove(HELD);
    let mut term = Terminal::start(command, (100, 30));
    eprintln!("pid {}", term.child.process_id().unwrap());
    let mut stdin = std::io::stdin().lock();
    let mut bytes = [0; 4096];
    let shown = Arc::clone(&term.screen);
    std::thread::spawn(move || {
        loop {
            let bytes = shown.lock().unwrap().screen().contents_formatted();
            _ = std::io::stdout().write_all(&bytes).and_then(|()| std::io::stdout().flush());
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    while let Ok(count @ 1..) = stdin.read(&mut bytes) {
        term.writer.write_all(&bytes[..count]).unwrap();
    }
}

impl Window {
    /// A command in a window. The test program must have a test `window` that calls [`hold`].
    pub fn open(command: &[&str]) -> Self {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let mut holder = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "window", "--nocapture"])
            .env(HELD, command.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let keys = holder.stdin.take().unwrap();
        let mut said = BufReader::new(holder.stderr.take().unwrap()).lines();
        let line =
            said.find_map(|line| line.unwrap().strip_prefix("pid ").map(str::to_string)).unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(30, 100, 0)));
        let mut source = holder.stdout.take().unwrap();
        let seen = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = vec![0; 65536];
            while let Ok(count @ 1..) = source.read(&mut bytes) {
                seen.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self { holder, keys, screen, pid: line.parse().unwrap() }
    }

    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub fn shows(&self, text: &str) {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let screen = self.screen.lock().unwrap().screen().contents();
            if screen.contains(text) {
                return;
            }
            assert!(Instant::now() < end, "waiting for {text}; the window shows:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Closes it.
    pub fn close(&mut self) {
        self.holder.kill().unwrap();
        self.holder.wait().unwrap();
    }

    /// Whether the program in it ended within so long. It is nobody's child any more, so only the
    /// system knows.
    pub fn program_ended(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            let stat =
                std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
            let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
            if matches!(state, None | Some("Z" | "X")) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        _ = self.holder.kill();
        _ = std::process::Command::new("kill").args(["-s", "KILL", &self.pid.to_string()]).output();
    }
}
