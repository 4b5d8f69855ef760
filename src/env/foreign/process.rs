//! The process of a world: started so that it never outlives this program, and ended with everything
//! that it started.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::spec::{At, Spec};
use crate::budget;
use crate::error::{Error, Kind, Result};
use crate::text;

/// A line has at most so many bytes.
const LONGEST: u64 = 16 << 20;

/// What is kept of what a process wrote to standard error.
const LAST_LINES: usize = 5;

/// Between two looks at the cancel.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// How long one waits to hear how a process ended.
const GRACE: Duration = Duration::from_millis(300);

/// What was heard.
#[derive(Debug)]
pub enum Heard {
    /// A line.
    Line(String),
    /// It says no more, or what cannot be read.
    Ended(String),
}

/// Two ends of a line, and what lives behind it.
pub struct Process {
    /// What is to be sent: a thread of its own writes it, for whoever does not read would hold up
    /// the writer.
    pub say: Sender<String>,
    /// What was answered.
    pub heard: Receiver<Heard>,
    last: Arc<Mutex<VecDeque<String>>>,
    behind: Behind,
}

enum Behind {
    Command {
        child: Option<Child>,
        watcher: Option<Watcher>,
    },
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

/// A shell that waits until its input ends, which it does when this program lets go of it or dies,
/// gives the process a moment to end by itself, whose input has ended too, and then ends its whole
/// group.
struct Watcher {
    shell: Child,
    input: Option<ChildStdin>,
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::new(format!("{what}: {error}")).of(Kind::World)
}

impl Process {
    /// A process of that world, or a line to one.
    pub fn start(spec: &Spec) -> Result<Self> {
        let last = Arc::default();
        match &spec.at {
            At::Command(command) => Self::command(command, spec.memory_mb, last),
            At::Tcp(address) => {
                let there = address.clone();
                let stream = patiently(spec, address, move || TcpStream::connect(there))?;
                // Each line waits for its answer.
                _ = stream.set_nodelay(true);
                let copy = || stream.try_clone().map_err(|e| failed("the connection", &e));
                let (say, heard) = threads(copy()?, copy()?)?;
                Ok(Self { say, heard, last, behind: Behind::Tcp(stream) })
            }
            #[cfg(unix)]
            At::Unix(path) => {
                let there = path.clone();
                let connect = move || std::os::unix::net::UnixStream::connect(there);
                let stream = patiently(spec, &path.display().to_string(), connect)?;
                let copy = || stream.try_clone().map_err(|e| failed("the connection", &e));
                let (say, heard) = threads(copy()?, copy()?)?;
                Ok(Self { say, heard, last, behind: Behind::Unix(stream) })
            }
            #[cfg(not(unix))]
            At::Unix(_) => Err(Error::usage("this system has no such sockets: use tcp:")),
        }
    }

    /// A command of the shell that is spoken to over its input and output.
    pub fn run(command: &str) -> Result<Self> {
        Self::command(command, None, Arc::default())
    }

    fn command(
        command: &str,
        memory_mb: Option<u64>,
        last: Arc<Mutex<VecDeque<String>>>,
    ) -> Result<Self> {
        let limited = match memory_mb {
            Some(mb) => format!("ulimit -v {} || exit 126\n{command}", mb * 1024),
            None => command.to_string(),
        };
        let (mut child, watcher) = watched(&limited, Stdio::piped(), Stdio::piped())?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let behind = Behind::Command { child: Some(child), watcher: Some(watcher) };
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(Error::new("the pipes of a process were not made"));
        };
        let kept = Arc::clone(&last);
        thread("world's errors", move || keep_last(errors, &kept))?;
        let (say, heard) = threads(output, input)?;
        Ok(Self { say, heard, last, behind })
    }

    /// How it stands with a process that says no more: how it ended, and what it wrote last.
    pub fn obituary(&mut self) -> String {
        let mut said = String::new();
        if let Behind::Command { child: Some(child), .. } = &mut self.behind {
            let until = Instant::now() + GRACE;
            let mut how = ending(child);
            while how.is_none() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
                how = ending(child);
            }
            said = how.map_or(String::new(), |how| format!(" ({how})"));
        }
        said + &wrote(&self.last)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        match &mut self.behind {
            Behind::Command { child, watcher } => {
                let (Some(child), Some(watcher)) = (child.take(), watcher.take()) else {
                    return;
                };
                // Whoever sends hears nothing any more, so that its input ends as well.
                let (nobody, _) = channel();
                self.say = nobody;
                end(child, watcher);
            }
            Behind::Tcp(stream) => _ = stream.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Behind::Unix(stream) => _ = stream.shutdown(Shutdown::Both),
        }
    }
}

/// A command that is run to its end, with everything that it starts: what it writes is not read, but for
/// its last lines of errors, and there is nothing for it to read.
pub struct Errand {
    last: Arc<Mutex<VecDeque<String>>>,
    child: Option<Child>,
    watcher: Option<Watcher>,
}

impl Errand {
    /// Starts it, by the shell.
    pub fn start(command: &str) -> Result<Self> {
        let (mut child, watcher) = watched(command, Stdio::null(), Stdio::null())?;
        let last: Arc<Mutex<VecDeque<String>>> = Arc::default();
        if let Some(errors) = child.stderr.take() {
            let kept = Arc::clone(&last);
            thread("errand's errors", move || keep_last(errors, &kept))?;
        }
        Ok(Self { last, child: Some(child), watcher: Some(watcher) })
    }

    /// How it ended, if it has: the command itself, whatever it left behind.
    pub fn ended(&self) -> Option<String> {
        let how = self.child.as_ref().and_then(ending)?;
        Some(format!(" ({how}){}", wrote(&self.last)))
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if let (Some(child), Some(watcher)) = (self.child.take(), self.watcher.take()) {
            end(child, watcher);
        }
    }
}

/// Starts a command of the shell in a group of its own, with who ends that group.
fn watched(command: &str, input: Stdio, output: Stdio) -> Result<(Child, Watcher)> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdin(input).stdout(output).stderr(Stdio::piped());
    in_own_group(&mut shell);
    let mut child = shell.spawn().map_err(|e| failed("starting sh", &e))?;
    match Watcher::of(&child) {
        Ok(watcher) => Ok((child, watcher)),
        Err(error) => {
            _ = child.kill();
            _ = child.wait();
            Err(error)
        }
    }
}

/// The last lines that were written to standard error, in words.
fn wrote(last: &Mutex<VecDeque<String>>) -> String {
    let last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_empty() {
        return String::new();
    }
    let lines: Vec<&str> = last.iter().map(String::as_str).collect();
    format!("; it wrote: {}", lines.join(" / "))
}

/// Ends a process with its group.
fn end(mut child: Child, mut watcher: Watcher) {
    let end = move || {
        // It is not waited for before the watcher is done: until then its number cannot become that of
        // another process.
        drop(watcher.input.take());
        _ = watcher.shell.wait();
        _ = child.wait();
    };
    // Nobody waits for it; where there is no thread the watcher does it when it sees that its input is
    // gone.
    _ = thread("end of a process", end);
}

impl Watcher {
    fn of(child: &Child) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(
            "trap '' INT TERM HUP QUIT TSTP; while read -r _; do :; done; sleep 0.3; kill -s KILL -- \"-$1\"",
        );
        shell.arg("watcher").arg(child.id().to_string());
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        in_own_group(&mut shell);
        let mut shell = shell.spawn().map_err(|e| failed("starting sh", &e))?;
        let input = shell.stdin.take();
        Ok(Self { shell, input })
    }
}

/// Keys that end this program are not sent to what it started: that ends with it.
pub fn in_own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// How a process has ended, if it has; it is not taken note of, so that its number stays its own.
#[cfg(unix)]
fn ending(child: &Child) -> Option<String> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw)?;
    let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(pid), how).ok().flatten()?;
    Some(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".into(),
    })
}

#[cfg(not(unix))]
fn ending(_: &Child) -> Option<String> {
    Some("ended".into())
}

/// A connection, under the time for a start and under the cancel of whoever waits: one that takes
/// longer is left to a thread of its own.
fn patiently<T: Send + 'static>(
    spec: &Spec,
    place: &str,
    connect: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let (tell, told) = channel();
    // Nobody may be left to hear of it.
    thread("to a world", move || _ = tell.send(connect()))?;
    let until = Instant::now() + spec.start;
    loop {
        match told.recv_timeout(LOOK) {
            Ok(connected) => {
                return connected.map_err(|e| failed(&format!("connecting to {place}"), &e));
            }
            Err(_) if budget::is_cancelled() => return Err(Error::cancelled()),
            Err(_) if Instant::now() < until => {}
            Err(_) => {
                let waited = spec.start.as_secs();
                return Err(Error::new(format!(
                    "connecting to {place}: nothing within {waited} s"
                ))
                .of(Kind::World));
            }
        }
    }
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = std::thread::Builder::new().name(name.into()).spawn(body);
    started.map(drop).map_err(|e| failed("starting a thread", &e))
}

/// The threads that write and read.
fn threads(
    output: impl Read + Send + 'static,
    mut input: impl Write + Send + 'static,
) -> Result<(Sender<String>, Receiver<Heard>)> {
    let (say, saying) = channel::<String>();
    // What nobody asked for stays with the world: it can write no more until somebody does.
    let (hear, heard) = sync_channel(1);
    thread("to a world", move || {
        // An end that went away is heard of by the reader.
        while let Ok(line) = saying.recv() {
            if input.write_all(line.as_bytes()).and_then(|()| input.flush()).is_err() {
                break;
            }
        }
    })?;
    thread("from a world", move || {
        let mut output = BufReader::new(output);
        loop {
            let next = line(&mut output);
            let ended = matches!(next, Heard::Ended(_));
            if hear.send(next).is_err() || ended {
                break;
            }
        }
    })?;
    Ok((say, heard))
}

fn line(output: &mut impl BufRead) -> Heard {
    let mut bytes = Vec::new();
    match output.take(LONGEST + 1).read_until(b'\n', &mut bytes) {
        Err(e) => Heard::Ended(format!("reading from it: {e}")),
        Ok(0) => Heard::Ended("it ended".into()),
        Ok(n) if n as u64 > LONGEST => {
            Heard::Ended(format!("it wrote a line of more than {} MiB", LONGEST >> 20))
        }
        Ok(_) if bytes.last() != Some(&b'\n') => {
            Heard::Ended("it ended in the middle of a line".into())
        }
        Ok(_) => String::from_utf8(bytes)
            .map_or_else(|_| Heard::Ended("it wrote what is not UTF-8".into()), Heard::Line),
    }
}

/// Keeps the last lines of what is written, each as it may be shown.
fn keep_last(errors: impl Read, last: &Mutex<VecDeque<String>>) {
    let mut errors = BufReader::new(errors);
    let mut bytes = Vec::new();
    // The rest of a line that does not end is read as the next ones.
    while matches!((&mut errors).take(1 << 12).read_until(b'\n', &mut bytes), Ok(n) if n > 0) {
        let line = text::clean(String::from_utf8_lossy(&bytes).trim_end());
        bytes.clear();
        if line.is_empty() {
            continue;
        }
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        last.push_back(line);
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
}
