//! `foretaste --plain` as a person who reads lines uses it: scripts on stdin, said answers.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{feed, foretaste, json, soon};
use rustix::process::{Pid, Signal};

/// What a script is answered; nothing may have gone wrong with the program itself.
fn said(data: &Path, script: &str) -> String {
    let output = feed(data, &["--plain"], script.as_bytes());
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !complaints.contains("panicked"), "{complaints}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn exploring_goes_on_back_and_aside_and_tells_what_would_come() {
    let dir = tempfile::tempdir().unwrap();
    let script = "e\nwhat 1\nname 1 first\nback\nwhat all\nnodes\ngo 1\nfrob\nnext\nprevious\n\
                  open unseen/3\nopen unseen/140\nsplit nowhere\nexpert\nback\n";
    let text = said(dir.path(), script);
    assert!(text.contains("Task train/0:") && text.contains("Step 1 of 50."), "{text}");
    assert!(text.contains("Predicted: ") && text.contains("Actual: "), "{text}");
    assert!(text.contains("1: step 1") && text.contains("(first)"), "{text}");
    assert!(text.contains("`frob` is no word, no action here and no command"), "{text}");
    assert!(text.contains("Task train/1:") && text.contains("Task unseen/3:"), "{text}");
    assert!(text.contains("unseen/0 to unseen/139"), "{text}");
    assert!(text.contains("splits: train, seen, unseen"), "{text}");
    assert!(text.contains("This is the start."), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\r'), "nothing is drawn: {text:?}");
}

#[test]
fn a_wrong_word_says_so_in_one_line_and_reads_nothing_again() {
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["collect", "all", "--games", "2"]);
    let text = said(dir.path(), "curate\nfrob\nx NO_CODE\nhelp\ncodes\na\nu\nback\nquit\n");
    assert!(text.contains("`frob` is no word here") && text.contains("`NO_CODE` is no reason"));
    // Said when it came, after the undo brought it back; the next one after the approval.
    assert_eq!(text.matches("Before: ").count(), 3, "{text}");
    assert!(text.contains("x CODE: reject, for that reason."), "{text}");
    let row = json(dir.path(), &["data", "list"]);
    assert_eq!(row[0]["approved"], 0, "taken back: {row:?}");
}

#[test]
fn the_last_decision_can_be_taken_back_before_curating_is_left() {
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["collect", "all", "--games", "1"]);
    let pending = json(dir.path(), &["data", "list"])[0]["pending"].as_u64().unwrap() as usize;
    assert!(pending > 0);
    let all = "a sure\n".repeat(pending);
    let text = said(dir.path(), &format!("curate\n{all}u\nback\nlook\nquit\n"));
    assert!(text.contains("u takes the latest back") && text.contains("Taken back."), "{text}");
    let row = &json(dir.path(), &["data", "list"])[0];
    assert_eq!((&row["pending"], &row["approved"]), (&1.into(), &(pending - 1).into()), "{row}");
}

#[test]
fn collecting_training_evaluating_and_replaying_are_said_in_lines() {
    let dir = tempfile::tempdir().unwrap();
    let script = "collect all --games 2\ntrain --objective imitation --steps 2 --batch 1\nruns\n\
                  eval --games 1 --step-limit 3\nreplay 1\nfrom 1 2\ndata list runs\n\
                  train --objective wrong\nenv step --task train/0\ntrain 'unclosed\nhelp train\n\
                  help\nfrom 1 999\nuse embedded\n";
    let text = said(dir.path(), script);
    assert!(text.contains("run 1 is finished"), "{text}");
    assert!(text.contains("Run 1, imitation, finished: step 2 of 2, loss "), "{text}");
    assert!(text.contains("run 1 step 2 answers now."), "{text}");
    assert!(text.contains("(evaluation 1)"), "{text}");
    assert!(text.contains("Trajectory 1, step 2; every observation was verified."), "{text}");
    assert!(text.contains("there is no objective `wrong`"), "{text}");
    assert!(text.contains("`env step` reads lines of its own"), "{text}");
    assert!(text.contains("a quote is not closed"), "{text}");
    assert!(text.contains("--save-every") && text.contains("nodes: every state"), "{text}");
    assert!(text.contains("trajectory 1 has no step 999"), "{text}");
    assert!(text.contains("embedded answers now."), "{text}");
}

#[test]
fn a_run_goes_on_in_the_background_is_followed_and_stopped() {
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["collect", "demos", "--games", "2"]);
    let script = "train --objective imitation --steps 4000 --batch 1 --queue\nruns\nbegin 1\n\
                  begin 1\nstop 1\nfollow 1\nruns\nstop 1\nbegin 77\n";
    let text = said(dir.path(), script);
    assert!(text.contains("Run 1, imitation, queued: step 0 of 4000. begin 1 lets"), "{text}");
    assert!(text.contains("Run 1 goes on in the background."), "{text}");
    assert!(text.contains("run 1 is being trained already"), "{text}");
    assert!(text.contains("was asked to stop"), "{text}");
    assert!(text.contains("Run 1, imitation, stopped: step "), "{text}");
    assert!(text.contains("nothing trains run 1 now") && text.contains("77"), "{text}");
    let stopped = || json(dir.path(), &["data", "list", "runs"])[0]["status"] == "stopped";
    assert!(soon(Duration::from_secs(30), stopped), "no process is left behind");
}

#[test]
fn control_c_ends_the_work_and_not_the_session_time_and_again() {
    // A shell that starts something behind itself has it ignore Ctrl-C, and so do we then.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    if ignored.is_some_and(|mask| mask >> (Signal::INT.as_raw() - 1) & 1 == 1) {
        eprintln!("SIGINT IS IGNORED WHERE THESE TESTS RUN: Ctrl-C IN PLAIN LINES WAS NOT CHECKED");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["collect", "demos", "--games", "2"]);
    let mut child = foretaste(dir.path(), &["--plain"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |part: &str| {
        let found = lines.by_ref().map(Result::unwrap).find(|line| line.contains(part));
        assert!(found.is_some(), "it ended before `{part}`");
    };
    for run in [1, 2] {
        writeln!(stdin, "train --objective imitation --steps 100000 --batch 1").unwrap();
        until(&format!("run {run} from"));
        until("step 10 ");
        let pid = Pid::from_child(&child);
        rustix::process::kill_process(pid, Signal::INT).unwrap();
        until("Stopped. What was acknowledged is saved");
    }
    writeln!(stdin, "runs\nquit").unwrap();
    until("Run 1, imitation, stopped");
    assert!(child.wait().unwrap().success());
}
