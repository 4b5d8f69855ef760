//! What the end-to-end tests share: the binary, a fresh data directory, and its output as JSON.
#![allow(dead_code)] // each test program uses a part of it

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub mod pty;
pub mod served;

/// Says what a test cannot check here: on standard error itself, for what a test that passes prints is not shown.
pub fn unchecked(what: &str) {
    _ = writeln!(std::io::stderr(), "\n!!! NOT CHECKED: {what} !!!\n");
}

/// The program under test on a data directory.
pub fn foretaste(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foretaste"));
    command.arg("--data-dir").arg(data).args(args).env_remove("ALFWORLD_DATA").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(data: &Path, args: &[&str]) -> Output {
    foretaste(data, args).output().unwrap()
}

/// Runs it with `--json`; it must succeed. One value a line.
pub fn json(data: &Path, args: &[&str]) -> Vec<Value> {
    let output = foretaste(data, args).arg("--json").output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    lines(&output)
}

/// Standard output as JSON lines.
pub fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What it said went wrong; it must have failed with exit code 1, not panicked.
pub fn failure(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).to_string();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// The folder with the real games and transcripts, or none (said loudly: these tests then check
/// nothing).
pub fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("FORETASTE_SHARED").map(PathBuf::from);
    let path = named
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"))
        .join("alfworld");
    if path.join("oracle").is_dir() {
        return Some(path);
    }
    unchecked(&format!("no ALFWorld transcripts at {}. Set FORETASTE_SHARED.", path.display()));
    None
}

/// Waits until something holds, for so long at most; whether it does.
pub fn soon(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Demonstrations, alternatives and approved reflections of a few games.
pub fn curated(games: &str) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    json(dir, &["collect", "demos", "--games", games]);
    json(dir, &["collect", "branches", "--games", games, "-k", "3"]);
    json(dir, &["collect", "branches", "--games", games, "-k", "2", "--proposer", "policy"]);
    json(dir, &["collect", "reflections", "--games", games]);
    approve_all(dir);
    data
}

pub fn approve_all(dir: &Path) {
    let ids: Vec<String> = json(dir, &["data", "list", "reflections"])
        .iter()
        .map(|row| row["id"].to_string())
        .collect();
    let mut args = vec!["curate", "approve"];
    args.extend(ids.iter().map(String::as_str));
    json(dir, &args);
}

/// Runs it to its end with `input` on its stdin.
pub fn feed(data: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut child = foretaste(data, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may have refused its input before reading all.
    _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// The Python that has a package, or none (said loudly): `FORETASTE_WORLDS_PYTHON`, else python3.
pub fn python_with(module: &str, install: &str) -> Option<String> {
    let named = std::env::var("FORETASTE_WORLDS_PYTHON").ok().filter(|named| !named.is_empty());
    let python = named.unwrap_or_else(|| "python3".into());
    let probe = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if probe.is_ok_and(|out| out.status.success()) {
        return Some(python);
    }
    unchecked(&format!("no {module} ({install}; FORETASTE_WORLDS_PYTHON names the Python)."));
    None
}
