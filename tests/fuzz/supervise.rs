//! Runs inputs in a process of its own and watches it: what hangs, grows, panics, overflows the
//! stack or aborts is reported with its target and seed, and the rest goes on in a new process.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::grow::choices::Choices;
use crate::grow::{GROWTH_MB, SLOW_GAME, Target, named};
use crate::sick::SICK;

/// How often the process is looked at.
const LOOK: Duration = Duration::from_millis(4);
/// Processor time is what counts; but what waits for ever takes none.
const ASLEEP: Duration = Duration::from_mins(1);
/// A target is left after so many different findings, and after so many in all.
const ENOUGH: (usize, usize) = (12, 200);
/// How often it is said how far a target is.
const SAY: Duration = Duration::from_secs(10);

/// The variable that tells a process what to run: target, first seed, end, and the file that it
/// notes its progress in.
pub const ORDER: &str = "FORETASTE_FUZZ_ORDER";

/// How far a process is; it writes this before every input, so it is there whatever happens to it.
#[derive(Debug, Clone, Copy, Default)]
struct Note {
    seed: u64,
    done: u64,
    accepted: u64,
    slowest_us: u64,
    slowest_seed: u64,
    busy_us: u64,
}

const NOTE: usize = 48;

impl Note {
    fn write(&self, file: &File) {
        let fields =
            [self.seed, self.done, self.accepted, self.slowest_us, self.slowest_seed, self.busy_us];
        let bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        file.write_all_at(&bytes, 0).unwrap();
    }

    fn read(file: &File) -> Self {
        let mut bytes = [0; NOTE];
        _ = file.read_exact_at(&mut bytes, 0); // nothing yet: zeros
        let field = |i: usize| {
            bytes[8 * i..8 * i + 8].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))
        };
        Self {
            seed: field(0),
            done: field(1),
            accepted: field(2),
            slowest_us: field(3),
            slowest_seed: field(4),
            busy_us: field(5),
        }
    }
}

/// What the process does: the inputs of its order, one after the other.
pub fn child(order: &str) {
    let mut words = order.splitn(4, ' ');
    let mut next = || words.next().unwrap();
    let name = next();
    let from = next().parse().unwrap();
    let to = next().parse().unwrap();
    let path = next();
    let target = named(name).or_else(|| SICK.iter().find(|target| target.name == name)).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    let mut note = Note::default();
    for seed in from..to {
        note.seed = seed;
        note.write(&file);
        let input = (target.make)(&mut Choices::seeded(name, seed));
        let started = Instant::now();
        note.accepted += u64::from((target.feed)(&input));
        let us = started.elapsed().as_micros() as u64;
        if us >= note.slowest_us {
            note.slowest_us = us;
            note.slowest_seed = seed;
        }
        note.done += 1;
        note.busy_us += us;
    }
    note.seed = to;
    note.write(&file);
}

/// Something that must not happen.
#[derive(Debug)]
pub struct Finding {
    target: &'static str,
    seed: u64,
    what: String,
    kept: PathBuf,
    bytes: usize,
    times: usize,
}

impl Finding {
    /// What it is without the numbers in it; each input that does not come back is one of its own,
    /// since it says nothing.
    fn kind(&self) -> String {
        if ["no end", "grew"].iter().any(|silent| self.what.starts_with(silent)) {
            self.seed.to_string()
        } else {
            self.what.chars().filter(|c| !c.is_ascii_digit()).collect()
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { target, seed, what, kept, bytes, times } = self;
        let often = if *times > 1 { format!(", {times} times") } else { String::new() };
        write!(
            f,
            "{target} seed {seed} ({bytes} bytes, kept as {}{often}): {what}\n  again: ",
            kept.display()
        )?;
        write!(f, "FORETASTE_FUZZ_TARGET={target} FORETASTE_FUZZ_FROM={seed} FORETASTE_FUZZ=1 ")?;
        write!(f, "cargo test --release --test fuzz structure -- --nocapture")
    }
}

/// What came of a target.
#[derive(Debug)]
pub struct Outcome {
    /// The target.
    pub target: &'static Target,
    /// Inputs that were fed and came back.
    pub done: u64,
    /// Those that were accepted.
    pub accepted: u64,
    /// Microseconds of the slowest, and its seed.
    pub slowest: (u64, u64),
    /// Seconds that the processes took, but for inputs that did not come back.
    pub seconds: f64,
    /// Seconds of them in the readers; the rest is making inputs.
    pub reading: f64,
    /// The most memory that a process held.
    pub peak_mb: f64,
    /// What must not happen.
    pub findings: Vec<Finding>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Outcome {
    /// The head of the table.
    pub const HEAD: &str = "target        executions   accepted   slowest ms (seed)      \
                            executions/s   in readers   peak MB   findings";

    /// Its row.
    pub fn row(&self) -> String {
        let share = 100.0 * self.accepted as f64 / self.done.max(1) as f64;
        let slowest = format!("{:.1} ({})", self.slowest.0 as f64 / 1e3, self.slowest.1);
        format!(
            "{:<12} {:>11}   {share:>6.1} %   {slowest:<22} {:>10.0}   {:>8.0} %   {:>7.0}   {:>8}",
            self.target.name,
            self.done,
            self.done as f64 / self.seconds.max(1e-6),
            100.0 * self.reading / self.seconds.max(1e-6),
            self.peak_mb,
            self.findings.len()
        )
    }
}

/// Runs so many inputs of a target from a seed on.
pub fn run(target: &'static Target, first: u64, count: u64, say: bool) -> Outcome {
    let slowest = (0, first);
    let findings = Vec::new();
    let mut outcome = Outcome {
        target,
        done: 0,
        accepted: 0,
        slowest,
        seconds: 0.0,
        reading: 0.0,
        peak_mb: 0.0,
        findings,
    };
    let folder = tempfile::tempdir().unwrap();
    let mut seed = first;
    let end = first.saturating_add(count);
    let mut said = Instant::now();
    let total = |findings: &[Finding]| findings.iter().map(|finding| finding.times).sum::<usize>();
    while seed < end && outcome.findings.len() < ENOUGH.0 && total(&outcome.findings) < ENOUGH.1 {
        let to = end.min(seed.saturating_add(target.chunk));
        seed = part(&mut outcome, folder.path(), seed, to);
        if say && (said.elapsed() > SAY || seed == end) {
            let name = target.name;
            let findings = outcome.findings.len();
            eprintln!("{name}: {} of {count}, {findings} findings", seed - first);
            said = Instant::now();
        }
    }
    outcome
}

/// Runs one process; returns the seed to go on from.
fn part(outcome: &mut Outcome, folder: &Path, from: u64, to: u64) -> u64 {
    let target = outcome.target;
    let notes = folder.join("note");
    let errors = folder.join("errors");
    std::fs::write(&notes, [0; NOTE]).unwrap();
    let file = File::open(&notes).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(ORDER, format!("{} {from} {to} {}", target.name, notes.display()))
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let mut since = Since { seed: u64::MAX, begun: started, cpu: 0.0, mb: 0.0 };
    let (status, killed) = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break (Some(status), None);
        }
        let seen = since.look(child.id(), &file, target);
        outcome.peak_mb = outcome.peak_mb.max(seen.0);
        if let Some(why) = seen.1 {
            child.kill().unwrap();
            child.wait().unwrap();
            break (None, Some(why));
        }
        std::thread::sleep(LOOK);
    };
    let note = Note::read(&file);
    outcome.done += note.done;
    outcome.accepted += note.accepted;
    outcome.slowest = outcome.slowest.max((note.slowest_us, note.slowest_seed));
    outcome.reading += note.busy_us as f64 / 1e6;
    outcome.seconds += since.begun.min(Instant::now()).duration_since(started).as_secs_f64();
    let what = killed.or_else(|| {
        let status = status.filter(|status| !status.success())?;
        let said = std::fs::read_to_string(&errors).unwrap_or_default();
        let said = said.split_once("panicked at").map_or(said.as_str(), |(_, said)| said);
        let line = said.lines().take(2).collect::<Vec<_>>().join(" ");
        Some(format!("{status}: {}", line.chars().take(300).collect::<String>().trim()))
    });
    let Some(what) = what else {
        outcome.seconds += since.begun.elapsed().as_secs_f64();
        return to;
    };
    let input = (target.make)(&mut Choices::seeded(target.name, note.seed));
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("fuzz-{}-{}", target.name, note.seed));
    let finding =
        Finding { target: target.name, seed: note.seed, what, kept, bytes: input.len(), times: 1 };
    let known = outcome.findings.iter_mut().find(|known| known.kind() == finding.kind());
    match known {
        Some(known) if known.bytes <= finding.bytes => known.times += 1,
        _ => {
            std::fs::write(&finding.kept, &input).unwrap();
            eprintln!("\n!!! {finding}\n");
            match known {
                Some(known) => *known = Finding { times: known.times + 1, ..finding },
                None => outcome.findings.push(finding),
            }
        }
    }
    note.seed + 1
}

/// Since when a process is at one input, and what it had taken by then.
struct Since {
    seed: u64,
    begun: Instant,
    cpu: f64,
    mb: f64,
}

impl Since {
    /// Looks at a process: the memory it holds, and why it must end now, if it must.
    fn look(&mut self, pid: u32, file: &File, target: &Target) -> (f64, Option<String>) {
        let before = Note::read(file).seed;
        let Some((cpu, mb)) = taken(pid) else { return (0.0, None) };
        if before != self.seed {
            *self = Self { seed: before, begun: Instant::now(), cpu, mb };
        }
        if Note::read(file).seed != before {
            return (mb, None);
        }
        let cpu = cpu - self.cpu;
        let grown = mb - self.mb;
        let why = if grown > GROWTH_MB {
            Some(format!("grew by {grown:.0} MB"))
        } else if cpu > target.slow.as_secs_f64() {
            Some(format!("no end after {cpu:.1} s of processor time"))
        } else if self.begun.elapsed() > ASLEEP + SLOW_GAME {
            Some(format!("no end after {:.0} s", self.begun.elapsed().as_secs_f64()))
        } else {
            None
        };
        (mb, why)
    }
}

/// Processor seconds and megabytes that a process has taken; none once it is gone.
fn taken(pid: u32) -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // User and system time are fields 14 and 15, in hundredths of a second, resident pages field
    // 24; counted after the name, which may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some(((number(11)? + number(12)?) / 100.0, number(21)? * 4096.0 / f64::from(1 << 20)))
}
