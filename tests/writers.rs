//! Several programs that write to one store at once: all of them wait for each other, nothing is
//! refused, nothing is lost.
//!
//! `FORETASTE_WRITERS_SECONDS=60` is how long five programs write; CI takes 20.

mod common;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::pty::{F2, Terminal};
use common::{foretaste, json, run};
use foretaste::experience::Verdict;
use foretaste::store::{Filter, Place, Store};
use rusqlite::Connection;
use serde_json::Value;

fn prepared(games: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for what in ["demos", "branches", "reflections"] {
        json(dir.path(), &["collect", what, "--games", games]);
    }
    dir
}

/// Holds the store's lock, as another program would.
fn locked_for(data: &Path, time: Duration) -> std::thread::JoinHandle<()> {
    let db = Connection::open(data.join("foretaste.sqlite")).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::spawn(move || {
        std::thread::sleep(time);
        db.execute_batch("COMMIT").unwrap();
    })
}

fn approved(data: &Path) -> u64 {
    Store::open(data).unwrap().verdict_counts().unwrap()[Verdict::Approved as usize]
}

#[test]
fn a_lock_of_another_program_is_waited_for_by_commands_and_by_screens() {
    let dir = prepared("3");
    let first =
        Store::open(dir.path()).unwrap().queue(&Filter::default(), Place::Start, 1).unwrap().items
            [0]
        .id;
    for (time, args) in [
        (500, vec!["curate".to_string(), "approve".into(), first.to_string()]),
        (5000, vec!["curate".into(), "undo".into()]),
        (500, vec!["collect".into(), "demos".into(), "--games".into(), "4".into()]),
        (500, vec!["collect".into(), "reflections".into(), "--games".into(), "4".into()]),
    ] {
        let lock = locked_for(dir.path(), Duration::from_millis(time));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let out = run(dir.path(), &args);
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        lock.join().unwrap();
    }
    // On a screen: approved, and left at once, while another program holds the lock.
    let mut term = Terminal::open(dir.path(), (100, 30));
    term.shows("TASK");
    term.press(F2, "QUEUE");
    let lock = locked_for(dir.path(), Duration::from_millis(500));
    term.keys("aq");
    assert_eq!(term.ended(), (0, true));
    lock.join().unwrap();
    assert_eq!(approved(dir.path()), 1);
}

#[test]
fn what_could_not_be_stored_is_said_and_never_dropped_in_silence() {
    let dir = prepared("3");
    let mut term = Terminal::open(dir.path(), (100, 30));
    term.shows("TASK");
    term.press(F2, "QUEUE");
    let lock = locked_for(dir.path(), Duration::from_secs(15));
    term.press("a", "waiting for the store");
    term.keys("q");
    let status = term.wait(Duration::from_secs(30)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        status.exit_code() == 1 && term.text().contains("database is locked"),
        "{status:?} {}",
        term.text()
    );
    lock.join().unwrap();
    assert_eq!(approved(dir.path()), 0);
}

#[test]
fn what_is_typed_while_the_store_is_locked_is_kept_once_it_is_not() {
    let dir = prepared("3");
    let mut term = Terminal::open(dir.path(), (100, 30));
    term.shows("TASK");
    term.press(F2, "QUEUE");
    term.keys("e");
    let lock = locked_for(dir.path(), Duration::from_secs(12));
    term.keys(" Typed under a lock.");
    // The store waits ten seconds, and then says that it was not done.
    term.shows("locked");
    lock.join().unwrap();
    term.signal("TERM");
    let status = term.wait(Duration::from_secs(30)).unwrap();
    let draft =
        Store::open(dir.path()).unwrap().queue(&Filter::default(), Place::Start, 1).unwrap().items
            [0]
        .draft
        .clone();
    assert!(
        draft.is_some_and(|draft| draft.ends_with("Typed under a lock.")),
        "{status:?} {}",
        term.text()
    );
}

/// Feeds `curate apply` until it is time, and counts what was acknowledged.
fn decisions(data: &Path, over: &AtomicBool, ids: &[i64]) -> u64 {
    let mut child = foretaste(data, &["curate", "apply", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let stdout = child.stdout.take().unwrap();
    let mut acknowledged = BufReader::new(stdout).lines();
    let mut count = 0;
    for id in ids.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        writeln!(stdin, "requeue {id}").unwrap();
        stdin.flush().unwrap();
        if acknowledged.next().is_none() {
            break;
        }
        count += 1;
    }
    drop(stdin);
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    count
}

/// Takes in small files of new trajectories until it is time; how many.
fn imports(data: &Path, over: &AtomicBool, record: &Value) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut record = record.clone();
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        let lines = (0..300).map(|i| {
            record["trajectory"]["task_id"] = format!("train/imported/{}", count + i).into();
            format!("{record}\n")
        });
        let file = folder.path().join("some.jsonl");
        std::fs::write(&file, lines.collect::<String>()).unwrap();
        assert_eq!(json(data, &["data", "import", file.to_str().unwrap()])[0]["trajectories"], 300);
        count += 300;
    }
    count
}

/// Fills one pool after the other until it is time; the alternatives that were acknowledged.
fn pools(data: &Path, over: &AtomicBool) -> HashSet<i64> {
    let mut drawn = HashSet::new();
    let mut n = 0;
    while !over.load(Ordering::Relaxed) {
        n += 1;
        let rows = json(
            data,
            &["collect", "branches", "--games", "60", "-k", "3", "--pool", &format!("pool {n}")],
        );
        let ids =
            rows.iter().flat_map(|row| row["branches"].as_array().cloned().unwrap_or_default());
        drawn.extend(ids.filter_map(|id| id.as_i64()));
    }
    drawn
}

/// A command that works until it is asked to end; the rows that it acknowledged.
fn until_over(data: &Path, over: &AtomicBool, args: &[&str]) -> Vec<Value> {
    let mut child = foretaste(data, args)
        .arg("--json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines();
        lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect::<Vec<Value>>()
    });
    while !over.load(Ordering::Relaxed) {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("stopped."), "{args:?}: {said}");
    reader.join().unwrap()
}

#[test]
fn five_programs_write_at_once_and_nothing_is_refused_or_lost() {
    let seconds = std::env::var("FORETASTE_WRITERS_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20);
    let dir = prepared("60");
    let data = dir.path();
    let exported = run(data, &["data", "export", "--set", "trajectories"]).stdout;
    let record: Value =
        serde_json::from_str(String::from_utf8(exported).unwrap().lines().next().unwrap()).unwrap();
    let reflections = record["reflections"].as_array().unwrap().len() as u64;
    let store = Store::open(data).unwrap();
    let queue = store.queue(&Filter::default(), Place::Start, 100_000).unwrap();
    let ids: Vec<i64> = queue.items.iter().map(|item| item.id).rev().take(20).collect();
    let pending = queue.items.len() as u64;
    let before = store.counts().unwrap().demonstrations;
    let over = AtomicBool::new(false);
    let decided = AtomicU64::new(0);
    let (requeued, imported, drawn, trained) = std::thread::scope(|scope| {
        let requeued = scope.spawn(|| decisions(data, &over, &ids));
        let imported = scope.spawn(|| imports(data, &over, &record));
        let drawn = scope.spawn(|| pools(data, &over));
        let trained = scope.spawn(|| {
            let plan = [
                "train",
                "--objective",
                "imitation",
                "--steps",
                "100000",
                "--batch",
                "1",
                "--save-every",
                "20",
            ];
            until_over(data, &over, &[&plan[..], &["--from", "novice", "--workers", "1"]].concat())
        });
        // The fifth is a person.
        let mut term = Terminal::open(data, (120, 40));
        term.shows("TASK");
        term.press(F2, "QUEUE");
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut count = 0;
        while Instant::now() < end && count < pending - 40 {
            count += 1;
            term.press("a", &format!("{count} approved"));
        }
        decided.store(count, Ordering::Relaxed);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        over.store(true, Ordering::Relaxed);
        term.keys("q");
        assert_eq!(term.ended(), (0, true));
        (
            requeued.join().unwrap(),
            imported.join().unwrap(),
            drawn.join().unwrap(),
            trained.join().unwrap(),
        )
    });
    let decided = decided.into_inner();
    let updates = trained.iter().filter(|row| row["loss"].is_number()).count() as u64;
    let saved = trained.iter().filter(|row| row["saved"].is_string()).count();
    eprintln!(
        "{seconds} s: {decided} approved by key, {requeued} requeued, {imported} trajectories \
         taken in, {} alternatives, {updates} updates, {saved} checkpoints",
        drawn.len()
    );
    assert!(
        decided > 5 && requeued > 5 && imported >= 300 && drawn.len() > 5 && updates > 2,
        "all of them wrote"
    );
    assert_eq!(approved(data), decided);
    let acts = store.audit(10_000_000).unwrap();
    assert_eq!(acts.iter().filter(|act| act.act == "requeue").count() as u64, requeued);
    let counts = store.counts().unwrap();
    assert_eq!(counts.demonstrations, before + imported);
    assert_eq!(counts.pending + counts.approved, pending + imported * reflections);
    let all = store.experiences(None, None).unwrap();
    let there: HashSet<i64> =
        all.iter().flat_map(|row| store.branches(row.id).unwrap()).map(|b| b.id).collect();
    assert!(drawn.is_subset(&there));
    let run = store.runs().unwrap()[0].id;
    assert!(store.metric(run, "loss").unwrap().len() as u64 >= updates);
    let db = Connection::open(data.join("foretaste.sqlite")).unwrap();
    let whole: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}
