//! Random kills (SIGKILL) over everything that writes: collecting, deciding, taking in, training,
//! exporting. Whatever was acknowledged before a kill must be there after it, the store whole, and
//! a run's losses those of one that nobody killed, bit for bit.
//!
//! CI kills a few dozen times. For the figure of the docs: `FORETASTE_KILLS=1000 cargo test
//! --release --test kills -- --nocapture`; `FORETASTE_KILLS_FROM=SEED` draws other moments.

mod common;

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{foretaste, json};
use foretaste::experience::Verdict;
use foretaste::rng::Rng;
use foretaste::store::{Filter, Place, RunStatus, Store};
use foretaste::train::checkpoint;
use serde_json::Value;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Runs a command, kills it after `pause`, and returns the lines that it had written, and whether
/// it was killed.
fn killed(data: &Path, args: &[&str], input: &str, pause: Duration) -> (Vec<Value>, bool) {
    let mut child = foretaste(data, args)
        .arg("--json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_string();
    let writer = std::thread::spawn(move || _ = stdin.write_all(input.as_bytes()));
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        _ = stdout.read_to_end(&mut text);
        text
    });
    let until = Instant::now() + pause;
    while Instant::now() < until && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_micros(500));
    }
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    writer.join().unwrap();
    let text = String::from_utf8(reader.join().unwrap()).unwrap();
    // The last line may have been cut; a cut line is not an acknowledgement.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    (whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), running)
}

/// What was acknowledged so far.
#[derive(Default)]
struct Acknowledged {
    demos: HashSet<i64>,
    branches: HashSet<i64>,
    reflections: HashSet<i64>,
    approved: HashSet<i64>,
    /// Updates of the run that is killed again and again.
    updates: HashSet<u64>,
    saved: HashSet<String>,
    /// A pool with alternatives to write reflections about.
    pool: String,
}

fn ids(row: &Value, key: &str) -> Vec<i64> {
    row[key].as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
}

const PLAN: [&str; 15] = [
    "train",
    "--objective",
    "imitation",
    "--from",
    "novice",
    "--steps",
    "400",
    "--batch",
    "1",
    "--save-every",
    "5",
    "--workers",
    "1",
    "--keep-all",
    "--suite=household",
];

impl Acknowledged {
    /// Kills one of the five at work; says which, and whether it was still at work.
    fn kill(&mut self, data: &Path, n: u64, rng: &mut Rng) -> (&'static str, bool) {
        let pause = |rng: &mut Rng, most: usize| Duration::from_millis(rng.between(1, most) as u64);
        match rng.below(5) {
            0 => {
                let seed = (n + 2).to_string();
                let pool = format!("kill {}", n / 4);
                let what = ["demos", "branches", "reflections"][rng.below(3)];
                let args = match what {
                    "demos" => vec!["collect", what, "--games", "40", "--seed", &seed],
                    "branches" => vec!["collect", what, "--games", "1000", "--pool", &pool],
                    _ => vec!["collect", what, "--games", "1000", "--pool", &self.pool],
                };
                let (rows, cut) = killed(data, &args, "", pause(rng, 120));
                if what == "branches" && !rows.is_empty() {
                    self.pool = pool;
                }
                for row in &rows {
                    match what {
                        "demos" => self.demos.extend(row["trajectory"].as_i64()),
                        "branches" => self.branches.extend(ids(row, "branches")),
                        _ => self.reflections.extend(ids(row, "reflections")),
                    }
                }
                ("collect", cut)
            }
            1 => {
                let queue = Store::open(data)
                    .unwrap()
                    .queue(&Filter::default(), Place::Start, 100_000)
                    .unwrap();
                let input: String =
                    queue.items.iter().map(|item| format!("approve {}\n", item.id)).collect();
                let (rows, cut) = killed(data, &["curate", "apply"], &input, pause(rng, 120));
                self.approved.extend(rows.iter().filter_map(|row| row["reflection"].as_i64()));
                ("decide", cut)
            }
            2 => ("import", import(data, n, pause(rng, 200))),
            3 => {
                let (rows, cut) = killed(data, &["train", "--resume", "2"], "", pause(rng, 900));
                for row in &rows {
                    self.updates.extend(row["step"].as_u64().filter(|_| row["loss"].is_number()));
                    self.saved.extend(row["saved"].as_str().map(str::to_string));
                }
                ("train", cut)
            }
            _ => {
                let file = data.join(format!("out-{n}.jsonl"));
                let args =
                    ["data", "export", "--set", "trajectories", "--out", file.to_str().unwrap()];
                let (rows, cut) = killed(data, &args, "", pause(rng, 40));
                let lines =
                    std::fs::read_to_string(&file).ok().map(|text| text.lines().count() as u64);
                assert!(
                    rows.is_empty() || lines.is_some(),
                    "an export that was acknowledged is there"
                );
                if let Some(row) = rows.first() {
                    assert_eq!(row["examples"].as_u64(), lines);
                }
                if lines.is_some() {
                    // Whole or not there: what is there can be taken in.
                    json(data, &["data", "import", "--check", file.to_str().unwrap()]);
                    std::fs::remove_file(&file).unwrap();
                }
                ("export", cut)
            }
        }
    }

    /// Everything acknowledged is there.
    fn check(&self, data: &Path, whole: &BTreeMap<u64, u64>) {
        let store = Store::open(data).unwrap();
        for id in &self.demos {
            assert!(
                store.trajectory(*id).unwrap().success(),
                "demonstration {id} was acknowledged"
            );
        }
        let all = store.experiences(None, None).unwrap();
        let branches: HashSet<i64> = all
            .iter()
            .flat_map(|row| store.branches(row.id).unwrap())
            .map(|branch| branch.id)
            .collect();
        assert!(self.branches.is_subset(&branches), "alternatives that were acknowledged are gone");
        let queue = store.queue(&Filter::default(), Place::Start, 10_000_000).unwrap();
        let there: HashSet<i64> = queue.items.iter().map(|item| item.id).collect();
        assert!(self.reflections.is_subset(&there), "reflections that were acknowledged are gone");
        let standing = queue.items.iter().filter(|item| item.verdict == Verdict::Approved);
        let approved: HashSet<i64> = standing.map(|item| item.id).collect();
        assert!(self.approved.is_subset(&approved), "decisions that were acknowledged are gone");
        let own = losses(data, 2);
        for step in &self.updates {
            assert_eq!(own.get(step), whole.get(step), "the loss of update {step}, bit for bit");
        }
        for saved in store.checkpoints().unwrap() {
            foretaste::agent::read(&store, &saved).unwrap();
        }
        for folder in &self.saved {
            assert!(Path::new(folder).is_dir(), "{folder} was acknowledged");
        }
    }
}

/// Takes in five hundred trajectories with their reflections, killed on the way; each is there
/// whole or not at all.
fn import(data: &Path, n: u64, pause: Duration) -> bool {
    let store = Store::open(data).unwrap();
    let mut record = serde_json::to_value(store.record(1).unwrap()).unwrap();
    let lines = (0..500).map(|i| {
        record["trajectory"]["task_id"] = format!("train/imported/{n}/{i}").into();
        format!("{record}\n")
    });
    let file = data.join("in.jsonl");
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let before = store.counts().unwrap().demonstrations;
    let (rows, cut) = killed(data, &["data", "import", file.to_str().unwrap()], "", pause);
    let there = store.counts().unwrap().demonstrations - before;
    assert!(rows.is_empty() || there == 500, "acknowledged: {there} of 500 are there");
    cut
}

fn losses(data: &Path, run: i64) -> BTreeMap<u64, u64> {
    let points = Store::open(data).unwrap().metric(run, "loss").unwrap();
    points.iter().map(|point| (point.step, point.value.unwrap().to_bits())).collect()
}

fn integrity(data: &Path) -> String {
    let db = rusqlite::Connection::open(data.join("foretaste.sqlite")).unwrap();
    db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_to_random_kills_and_losses_are_bit_for_bit() {
    let kills = number("FORETASTE_KILLS", 40);
    let from = number("FORETASTE_KILLS_FROM", 20_260_724);
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    for what in ["demos", "branches", "reflections"] {
        json(data, &["collect", what, "--games", "6"]);
    }
    json(data, &["curate", "approve", "1"]);
    json(data, &PLAN);
    let whole = losses(data, 1);
    let started = Instant::now();
    assert_eq!(whole.len(), 400);
    // The one that is killed begins now, with the same data.
    let mut acknowledged = Acknowledged { pool: "uniform".into(), ..Acknowledged::default() };
    while Store::open(data).unwrap().run(2).is_err() {
        killed(data, &PLAN, "", Duration::from_millis(700));
    }
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for n in 0..kills {
        let mut rng = Rng::stream(from + n, "kills");
        let (what, cut) = acknowledged.kill(data, n, &mut rng);
        let count = counts.entry(what).or_default();
        *count = (count.0 + 1, count.1 + u64::from(cut));
        if n % 20 == 19 {
            acknowledged.check(data, &whole);
            assert_eq!(integrity(data), "ok", "after {} kills", n + 1);
        }
    }
    let store = Store::open(data).unwrap();
    if store.run(2).unwrap().status != RunStatus::Finished {
        json(data, &["train", "--resume", "2"]);
    }
    acknowledged.check(data, &whole);
    assert_eq!(integrity(data), "ok");
    assert_eq!(losses(data, 2), whole, "bit for bit");
    checkpoint::sweep(&store).unwrap(); // as every start does
    let left = std::fs::read_dir(data.join("checkpoints")).unwrap().flatten();
    let half = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).count();
    assert_eq!(half, 0, "folders that a kill left half written are removed");
    eprintln!(
        "{kills} commands in {:.0} s, by kind (all, killed at work): {counts:?}; acknowledged and \
         there: {} demonstrations, {} alternatives, {} reflections, {} decisions, {} updates, {} \
         checkpoints",
        started.elapsed().as_secs_f64(),
        acknowledged.demos.len(),
        acknowledged.branches.len(),
        acknowledged.reflections.len(),
        acknowledged.approved.len(),
        acknowledged.updates.len(),
        acknowledged.saved.len(),
    );
    let cut: u64 = counts.values().map(|(_, cut)| cut).sum();
    assert!(cut * 3 > kills, "only {cut} of {kills} were killed at work");
}

#[test]
fn a_kill_while_a_backup_is_put_back_leaves_the_old_store_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let away = tempfile::tempdir().unwrap();
    let data = dir.path();
    let copies = ["one", "two"].map(|name| away.path().join(name).display().to_string());
    for (n, copy) in copies.iter().enumerate() {
        json(data, &["collect", "demos", "--games", &(3 * (n + 1)).to_string()]);
        json(data, &["data", "backup", copy]);
    }
    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    for n in 0..number("FORETASTE_KILLS", 40) {
        let mut rng = Rng::stream(n, "restore");
        let copy = &copies[n as usize % 2];
        killed(
            data,
            &["data", "restore", copy],
            "",
            Duration::from_micros(rng.between(1_000, 40_000) as u64),
        );
        // Looked at as it lies there: opening it as the program does would make an empty one where
        // there is none.
        assert_eq!(integrity(data), "ok", "kill {n}");
        let demonstrations = Store::open(data).unwrap().counts().unwrap().demonstrations;
        assert!([3, 6].contains(&demonstrations), "kill {n} left {demonstrations}");
        *found.entry(demonstrations).or_default() += 1;
    }
    assert_eq!(found.len(), 2, "some were put back and some were not: {found:?}");
}
