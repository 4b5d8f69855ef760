//! Runs that nobody watches any more.

mod common;

use common::{json, soon};
use foretaste::store::{RunStatus, Store};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn an_ignored_hang_up_stays_ignored() {
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["collect", "demos", "--games", "5"]);
    let program = format!(
        "trap '' HUP; exec {} --data-dir {} train --objective imitation --steps 100000",
        env!("CARGO_BIN_EXE_foretaste"),
        dir.path().display()
    );
    let mut child = Command::new("sh")
        .args(["-c", &program])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let signal = |name: &str| {
        Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap()
    };
    let step =
        || Store::open(dir.path()).unwrap().runs().unwrap().first().map_or(0, |run| run.step);
    soon(Duration::from_mins(1), || step() > 0);
    signal("HUP");
    let before = step();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(step() > before, "it goes on");
    signal("TERM");
    child.wait().unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().runs().unwrap()[0].status, RunStatus::Stopped);
}

#[test]
fn output_that_nobody_reads_any_more_ends_a_run_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["collect", "demos", "--games", "5"]);
    let train = format!(
        "{} --data-dir {} train --objective imitation --steps 100000",
        env!("CARGO_BIN_EXE_foretaste"),
        dir.path().display()
    );
    for (n, into) in
        ["2>&1 | head -c 10", "2>/dev/full | head -c 10", ">/dev/full 2>&1"].iter().enumerate()
    {
        Command::new("sh")
            .args(["-c", &format!("{train} {into}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        // The pipe's last program may be done before the first.
        let status = || {
            Store::open(dir.path()).unwrap().runs().unwrap().first().map(|run| (run.id, run.status))
        };
        let stopped = Some((n as i64 + 1, RunStatus::Stopped));
        soon(Duration::from_secs(30), || status() == stopped);
        assert_eq!(status(), stopped, "{into}");
    }
}
