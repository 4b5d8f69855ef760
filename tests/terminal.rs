//! The real program in a pseudo-terminal: the whole loop of the README by keys, and how it leaves
//! the terminal.

mod common;

use std::time::Duration;

use common::json;
use common::pty::{F1, F2, F3, F4, F5, Terminal};

#[test]
fn the_whole_loop_by_keys() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let mut term = Terminal::open(data, (120, 40));

    // 1. Something to see at once: task, observation, expert, alternatives with probabilities,
    //    predicted and actual.
    let first = term.until("scores, outcomes and predictions", |s| {
        s.contains("expert fair")
            && s.contains("p ")
            && s.contains("predicted")
            && s.contains("policy")
            && s.contains("% right")
    });
    assert!(first.contains("TASK") && first.contains("admissible"));

    // 2. Step, go back, take an alternative, type an action, play on by the expert, keep the
    //    episode.
    term.press("\r", "step 1/50");
    term.press("u", "step 0/50");
    term.press("1", "step 1/50");
    term.press("u", "step 0/50");
    term.press("a", "⏎ send");
    term.keys("look aro\t\r");
    term.shows("1 h look around");
    for _ in 0..25 {
        if term.text().contains("solved") {
            break;
        }
        let before = term.text();
        term.keys("\r");
        term.until("a step", |s| s != before);
        std::thread::sleep(Duration::from_millis(60));
    }
    term.shows("solved");
    term.press("K", "kept as demonstration 1");

    // 3. Collect; the interface stays live.
    term.press("c", "20 games");
    term.keys("\r");
    term.shows("collected");

    // 4. Approve, edit, reject, undo.
    term.press(F2, "QUEUE");
    term.press("a", "1 approved");
    term.press("e", "^s keep");
    term.keys(" Edited by hand.");
    term.press("\x13", "your edit");
    term.press("a", "2 approved");
    term.press("x", "HALLUCINATED");
    term.press("7", "1 rejected");
    term.press("u", "0 rejected");

    // 5. Train in the background while exploring; the new checkpoint answers when it is saved.
    term.press(F3, "no runs yet");
    term.press("t", "objective");
    // What a person kept is another expert's, and never mixed in unasked.
    term.press("lljjjjjjj10", "reflection: 10 updates");
    term.keys("\r");
    term.press(F1, "TASK");
    term.press("]", "step 0/50");
    term.press("\r", "step 1/50");
    term.shows("run 1 is finished");
    term.shows("What if · run 1 step 10");
    term.press(F3, "finished");

    // 6. Open what was saved and step through it.
    term.press(F4, "Trajectories");
    term.press("l", "Steps · 1 of");
    term.press("h", "Steps · 0 of");
    term.press(F5, "demonstrations  21");
    term.press(F1, "step 1/50");

    // Resizes: a small terminal still works, a tiny one says so.
    term.resize(40, 12);
    term.shows("F1 Explore");
    term.resize(20, 6);
    term.shows("too small");
    term.resize(120, 40);
    let before = term.until("the screen", |s| s.contains("TASK") && s.contains("step 1/50"));

    // 7. Quit, start again, and everything is as it was.
    term.keys("q");
    assert_eq!(term.ended(), (0, true));
    let again = Terminal::open(data, (120, 40));
    let after = again.shows("step 1/50");
    // How often the policy agrees is known a little later.
    let task = |screen: &str| {
        let line = screen.lines().find(|line| line.contains("TASK")).unwrap_or_default();
        let said = line.split(" · policy").next().unwrap_or_default();
        // The longer that is, the less of the task has room.
        let (task, place) = said.split_once(" step ").unwrap_or_default();
        (task.trim().chars().take(20).collect::<String>(), place.trim().to_string())
    };
    assert_eq!(task(&before), task(&after));
    again.shows("run 1 step 10");
    drop(again);
    let counts = &json(data, &["data", "list"])[0];
    assert_eq!(
        (counts["demonstrations"].as_u64(), counts["approved"].as_u64()),
        (Some(21), Some(2))
    );
}

#[test]
fn the_terminal_is_restored_after_signals_and_the_first_frame_is_quick() {
    for signal in ["TERM", "HUP"] {
        let dir = tempfile::tempdir().unwrap();
        let term = Terminal::open(dir.path(), (80, 24));
        term.shows("TASK");
        term.signal(signal);
        assert_eq!(term.ended(), (0, true), "{signal}");
    }
}

#[test]
fn two_programs_on_one_data_directory_both_work() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = Terminal::open(dir.path(), (100, 30));
    let mut two = Terminal::open(dir.path(), (100, 30));
    one.shows("TASK");
    two.shows("TASK");
    one.press("\r", "step 1/50");
    two.press("\r", "step 1/50");
    json(dir.path(), &["collect", "demos", "--games", "5"]);
    one.press(F5, "demonstrations  5");
    two.press(F5, "demonstrations  5");
    one.keys("q");
    two.keys("q");
    assert_eq!((one.ended(), two.ended()), ((0, true), (0, true)));
}

#[test]
fn a_run_left_in_the_background_is_found_again_and_stopped() {
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["collect", "demos", "--games", "10"]);
    let mut term = Terminal::open(dir.path(), (120, 40));
    term.shows("TASK");
    term.press(F3, "no runs yet");
    term.press("t", "objective");
    term.press("jjjjjjj1200", "imitation: 1,200 updates");
    term.keys("\r");
    term.until("some updates", |s| {
        s.contains("now 0.") || s.contains("now 1.") || s.contains("now 2.")
    });
    term.press("q", "goes on in the background");
    term.keys("b");
    assert_eq!(term.ended(), (0, true));
    let mut again = Terminal::open(dir.path(), (120, 40));
    again.shows("checkpoints at step: ");
    let running = again.until("the run, alive", |s| s.contains("imitation running"));
    let end = running.lines().find(|line| line.contains("run 1 now")).map(str::to_string);
    again.until("it goes on", |s| {
        s.lines().find(|line| line.contains("run 1 now")).map(str::to_string) != end
    });
    // Another run waits behind it, and goes on when that is stopped.
    again.press("t", "queue it: another run is under way");
    again.keys("\r");
    again.shows("run 2 waits");
    again.press("k", "queued");
    again.press("j", "checkpoints at step: ");
    again.press("x", "run 2 now");
    again.press("q", "goes on in the background");
    again.keys("s");
    assert_eq!(again.ended(), (0, true));
    let runs = json(dir.path(), &["data", "list", "runs"]);
    assert_eq!(
        (runs[1]["status"].as_str(), runs[0]["status"].as_str()),
        (Some("stopped"), Some("stopped"))
    );
}

#[test]
fn redo_flags_search_and_the_persons_own_editor() {
    let dir = tempfile::tempdir().unwrap();
    for what in ["demos", "branches", "reflections"] {
        json(dir.path(), &["collect", what, "--games", "3"]);
    }
    let mut term = Terminal::open(dir.path(), (120, 40));
    term.shows("TASK");
    term.press(F2, "QUEUE");
    term.press("a", "1 approved");
    term.press("u", "0 approved");
    term.press("\x12", "1 approved"); // Ctrl-R
    term.press("m", "\u{2691}");
    term.press("/", "kind contains");
    term.keys("no such words\r");
    term.shows("No reflections: pending, with");
    term.press("/", "kind contains");
    term.keys("\x15\r");
    term.shows("1 of 19 pending");
    term.press("E", "your edit");
    term.press("a", "2 approved");
    term.press("v", "Decide on all of them");
    term.press("7", "0 pending");
    term.press("u", "0 rejected");
    // The next session stands where this one left, screen and filter.
    term.press("F", "LABEL_LEAK");
    term.press("jjjjjjj\r", "of 20 all");
    term.keys("q");
    assert_eq!(term.ended(), (0, true));
    let mut again = Terminal::open(dir.path(), (120, 40));
    again.shows("of 20 all");
    again.keys("q");
    assert_eq!(again.ended(), (0, true));
    let acts = json(dir.path(), &["data", "audit"]);
    let count = |act: &str, undone: bool| {
        acts.iter().filter(|a| a["act"] == act && a["undone"] == undone).count()
    };
    assert_eq!((count("approve", false), count("flag", false), count("revise", false)), (2, 1, 1));
    assert!(
        count("reject", true) > 5 && count("reject", false) == 0,
        "one undo takes all of a bulk decision back"
    );
}

#[test]
fn trajectories_go_from_one_store_into_another_by_keys() {
    let from = tempfile::tempdir().unwrap();
    let to = tempfile::tempdir().unwrap();
    for what in ["demos", "branches", "reflections"] {
        json(from.path(), &["collect", what, "--games", "3"]);
    }
    let mut term = Terminal::open(from.path(), (100, 30));
    term.shows("TASK");
    term.press(F5, "3 with");
    term.press("e", "3 new files");
    term.press("jjjj ", "4 new files");
    term.press("\r", "trajectories 3");
    term.press("J", "nothing runs here now");
    term.keys("qq");
    assert_eq!(term.ended(), (0, true));
    let files: Vec<_> = std::fs::read_dir(from.path().join("exports"))
        .unwrap()
        .flatten()
        .map(|f| f.path())
        .collect();
    let names = |file: &std::path::PathBuf| file.file_name().unwrap().to_string_lossy().to_string();
    let of = |file: &&std::path::PathBuf| {
        names(file).starts_with("trajectories") && file.extension().is_some_and(|of| of == "jsonl")
    };
    let file = files.iter().find(of).unwrap();

    let mut term = Terminal::open(to.path(), (100, 30));
    term.shows("TASK");
    term.press(F5, "Trajectories · 0 of 0");
    term.press("i", "Enter reads it");
    term.keys(&format!("{}/exports/tr", from.path().display()));
    term.press("\t", "jsonl");
    term.press("\r", "3 new trajectories");
    term.press("\r", "took in 3 trajectories");
    term.press("i", "Enter reads it");
    term.keys(&format!("{}\r", file.display()));
    term.shows("3 trajectories are here already");
    term.keys("\x1b"); // with a letter close behind it, it would be Alt
    std::thread::sleep(Duration::from_millis(200));
    term.keys("q");
    assert_eq!(term.ended(), (0, true));
    let counts = |dir: &std::path::Path| json(dir, &["data", "list"])[0].clone();
    let mut a = counts(from.path());
    let mut b = counts(to.path());
    // Walking about in Explore is kept too, in each.
    a["explorations"] = 0.into();
    b["explorations"] = 0.into();
    assert_eq!(a, b);
}

#[test]
fn ten_thousand_random_keys_do_not_stop_the_real_program() {
    let dir = tempfile::tempdir().unwrap();
    for what in ["demos", "branches", "reflections"] {
        json(dir.path(), &["collect", what, "--games", "2"]);
    }
    let mut term = Terminal::open(dir.path(), (100, 30));
    term.shows("TASK");
    let mut rng = foretaste::rng::Rng::new(11);
    // Not q and b (leaving), t, c, v (long work), Ctrl-Z, Ctrl-C.
    let keys: Vec<&str> = "aeExsmuofd/nNi1234567jklhgG[]{}?:!TyYRPSHK<>zBDFJXO\r\t 0+=-"
        .split("")
        .filter(|key| !key.is_empty())
        .chain([
            "\x1b",
            "\x12",
            "\x13",
            "\x7f",
            F1,
            F2,
            F3,
            F4,
            F5,
            "\x1b[A",
            "\x1b[B",
            "\x1b[200~paste \u{65e5}\x1b[201~",
        ])
        .collect();
    for i in 0..10_000 {
        term.keys(keys[rng.below(keys.len())]);
        if i % 50 == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        if i % 500 == 0 {
            term.resize(40 + (i / 500 * 4) as u16, 12 + (i / 500) as u16);
        }
    }
    term.resize(120, 40);
    for _ in 0..100 {
        term.keys("\x1b");
        std::thread::sleep(Duration::from_millis(100));
        term.keys(F5);
        std::thread::sleep(Duration::from_millis(200));
        if term.text().contains("What a run would train on now") {
            break;
        }
    }
    term.shows("What a run would train on now");
    // What the keys asked for is answered by then: a file of what they deleted is refused, and what is
    // refused while one leaves is a failure.
    std::thread::sleep(Duration::from_secs(3));
    term.keys("q");
    std::thread::sleep(Duration::from_millis(300));
    term.keys("s");
    assert_eq!(term.ended(), (0, true));
    json(dir.path(), &["data", "list"]);
    json(dir.path(), &["data", "audit"]);
}
