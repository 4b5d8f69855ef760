//! What the store keeps and lets go of: whose weights a checkpoint holds, backups, pruning and
//! deleting, runs of other programs, and text from outside on its way to a terminal.

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{failure, foretaste, json, run, soon};
use foretaste::agent;
use foretaste::experience::{Reflection, Verdict};
use foretaste::store::{Decision, Filter, NewRun, Place, RunStatus, Seen, Store};
use foretaste::train::checkpoint;
use rusqlite::Connection;
use serde_json::Value;

fn collected(games: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["collect", "demos", "--games", games]);
    dir
}

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let plan =
        ["train", "--objective", "imitation", "--from", "novice", "--batch", "1", "--workers", "1"];
    plan.iter().chain(more).copied().collect()
}

fn weights(data: &Path, folder: &str) -> Vec<u8> {
    std::fs::read(data.join("checkpoints").join(folder).join("model.safetensors")).unwrap()
}

#[test]
fn a_restored_store_never_takes_another_runs_weights_for_its_own() {
    let dir = collected("4");
    let data = dir.path();
    let away = tempfile::tempdir().unwrap();
    let copy = away.path().join("copy.sqlite");
    json(data, &["data", "backup", copy.to_str().unwrap()]);
    assert!(
        failure(&run(data, &["data", "backup", copy.to_str().unwrap()]))
            .contains("is there already")
    );
    json(data, &train(&["--steps", "2", "--seed", "1"]));
    let first = weights(data, "run-1-step-2");
    let restored = &json(data, &["data", "restore", copy.to_str().unwrap()])[0];
    assert!(!restored["set_aside"].as_array().unwrap().is_empty());
    // Run 1 again, and another one: its folder is in the way.
    let rows = json(data, &train(&["--steps", "2", "--seed", "999", "--rate", "2e-2"]));
    let aside = rows.iter().find_map(|row| row["set_aside"].as_str()).expect("said");
    assert_eq!(std::fs::read(Path::new(aside).join("model.safetensors")).unwrap(), first);
    assert_ne!(weights(data, "run-1-step-2"), first);
    // And back: a store whose run 1 is the first one refuses the second one's weights, by name.
    let second = away.path().join("second.sqlite");
    json(data, &["data", "backup", second.to_str().unwrap()]);
    json(data, &["data", "restore", copy.to_str().unwrap()]);
    json(data, &train(&["--steps", "2", "--seed", "5"]));
    let restored = &json(data, &["data", "restore", second.to_str().unwrap()])[0];
    assert_eq!(
        restored["without_weights"], 1,
        "there is a folder of that name, and it holds another run's"
    );
    let eval = ["eval", "--games", "1", "--checkpoint", "1"];
    assert!(failure(&run(data, &eval)).contains("another run"), "another run's weights");
    let from = ["train", "--objective", "imitation", "--steps", "1", "--from", "1"];
    assert!(failure(&run(data, &from)).contains("another run"));
    // To take it out of the list takes nobody's weights away.
    json(data, &["data", "delete", "--checkpoint", "1"]);
    assert!(data.join("checkpoints/run-1-step-2/model.safetensors").exists());
    // Weights that were changed behind its back are refused too.
    let dir = collected("3");
    json(dir.path(), &train(&["--steps", "1"]));
    let file = dir.path().join("checkpoints/run-1-step-1/model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(
        failure(&run(dir.path(), &["eval", "--games", "1"]))
            .contains("not hold the weights that were saved")
    );
    std::fs::remove_dir_all(dir.path().join("checkpoints/run-1-step-1")).unwrap();
    let said = failure(&run(dir.path(), &["eval", "--games", "1"]));
    assert!(said.contains("is gone") && said.contains("data delete --checkpoint 1"), "{said}");
    json(dir.path(), &["data", "delete", "--checkpoint", "1"]);
    json(dir.path(), &["eval", "--games", "1", "--step-limit", "2"]);
}

#[test]
fn a_backup_is_not_restored_under_an_open_store_and_what_is_no_store_is_refused() {
    let dir = collected("2");
    let away = tempfile::tempdir().unwrap();
    let copy = away.path().join("copy.sqlite");
    json(dir.path(), &["data", "backup", copy.to_str().unwrap()]);
    let open = Store::open(dir.path()).unwrap();
    assert!(
        failure(&run(dir.path(), &["data", "restore", copy.to_str().unwrap()])).contains("open")
    );
    drop(open);
    assert!(failure(&run(dir.path(), &["data", "restore", "3"])).contains("undelete"));
    assert!(
        failure(&run(dir.path(), &["data", "undelete", "999"]))
            .contains("there is no trajectory 999")
    );
    // One that is open is put back with what stands in its log.
    let other = tempfile::tempdir().unwrap();
    let open = Store::open(other.path()).unwrap();
    open.set_setting("k", "in the log").unwrap();
    assert!(std::fs::metadata(other.path().join("foretaste.sqlite-wal")).unwrap().len() > 0);
    json(dir.path(), &["data", "restore", other.path().join("foretaste.sqlite").to_str().unwrap()]);
    assert_eq!(
        Store::open(dir.path()).unwrap().setting("k").unwrap().as_deref(),
        Some("in the log")
    );
    // Another program's database is left alone, whatever number it bears.
    let foreign = tempfile::tempdir().unwrap();
    let tables = "CREATE TABLE decisions (x); CREATE TABLE runs (x); CREATE TABLE settings (x)";
    for sql in ["CREATE TABLE trajectories (x)", "PRAGMA user_version = 3", tables] {
        Connection::open(foreign.path().join("foretaste.sqlite"))
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        let said = failure(&run(foreign.path(), &["data", "list"]));
        assert!(said.contains("another program") && !said.contains("CREATE"), "{said}");
    }
    // A row that another program damaged hides no other, and can be taken out.
    json(dir.path(), &["collect", "demos", "--games", "2"]);
    let db = Connection::open(dir.path().join("foretaste.sqlite")).unwrap();
    db.execute("UPDATE trajectories SET task = CAST(x'61ff62' AS TEXT) WHERE id = 1", []).unwrap();
    let listed = json(dir.path(), &["data", "list", "trajectories"]);
    assert!(listed.len() == 2 && listed[1]["task"] == "a\u{fffd}b", "{listed:?}");
    assert!(
        failure(&run(dir.path(), &["data", "show", "1"]))
            .contains("trajectory 1: the store: invalid utf-8")
    );
    json(dir.path(), &["data", "delete", "1"]);
    assert_eq!(json(dir.path(), &["data", "list", "trajectories"]).len(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let fresh = tempfile::tempdir().unwrap();
        let data = fresh.path().join("a/b");
        json(&data, &["data", "list"]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join("foretaste.sqlite"))), (0o700, 0o600));
    }
}

#[test]
fn checkpoints_that_nothing_needs_are_removed_and_what_is_deleted_is_gone() {
    let dir = collected("40");
    let data = dir.path();
    let held = ["--steps", "12", "--save-every", "2", "--held-out", "0.5"];
    let rows = json(data, &train(&held));
    let saved: Vec<u64> = rows
        .iter()
        .filter(|row| row["saved"].is_string())
        .filter_map(|row| row["step"].as_u64())
        .collect();
    assert_eq!(saved, [2, 4, 6, 8, 10, 12]);
    let removed: Vec<u64> = rows
        .iter()
        .flat_map(|row| row["removed"].as_array().cloned().unwrap_or_default())
        .filter_map(|s| s.as_u64())
        .collect();
    let store = Store::open(data).unwrap();
    let kept: Vec<u64> = store.checkpoints().unwrap().iter().map(|saved| saved.step).collect();
    let best = store.metric(1, "valid_action").unwrap();
    // The start was measured too, and is no checkpoint of the run.
    assert_eq!(best[0].step, 0);
    let best = best[1..].iter().min_by(|a, b| a.value.unwrap().total_cmp(&b.value.unwrap()));
    let best = best.unwrap().step;
    assert!(
        kept.contains(&12) && kept.contains(&best) && kept.len() <= 2,
        "{kept:?}, the best is {best}"
    );
    assert_eq!(removed.len() + kept.len(), 6, "all that was removed was said: {removed:?}");
    assert_eq!(std::fs::read_dir(data.join("checkpoints")).unwrap().count(), kept.len());
    json(data, &train(&["--steps", "4", "--save-every", "2", "--keep-all"]));
    assert_eq!(Store::open(data).unwrap().checkpoints().unwrap().len(), kept.len() + 2);
    let sizes = json(data, &["data", "list", "checkpoints"]);
    assert!(sizes.iter().all(|row| row["bytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000)));
    // What another run started from stays.
    let number = sizes.iter().find(|row| row["step"] == 2).unwrap()["id"].to_string();
    json(data, &["train", "--objective", "imitation", "--steps", "1", "--from", &number]);
    json(data, &["data", "delete", "--run", "1"]);
    let left = json(data, &["data", "list", "runs"]);
    assert!(left.iter().all(|row| row["id"] != 1), "{left:?}");
    assert!(!data.join("checkpoints/run-1-step-12").exists());
    assert!(failure(&run(data, &["train", "--resume", "1"])).contains("there is no run 1"));
    // What a run that waits is to start from stays, by its number as well.
    json(
        data,
        &["train", "--objective", "imitation", "--steps", "1", "--from", &number, "--queue"],
    );
    let delete = ["data", "delete", "--checkpoint", &number];
    assert!(failure(&run(data, &delete)).contains("run 4 starts from"), "by hand");
    assert!(
        failure(&run(data, &["data", "delete", "--run", "2"])).contains("run 4 starts from"),
        "with its run"
    );
    let store = Store::open(data).unwrap();
    checkpoint::prune(&store, 2, &[]).unwrap();
    assert!(
        store.checkpoints().unwrap().iter().any(|saved| saved.id.to_string() == number),
        "by pruning"
    );
    // Nor is one pruned while it is evaluated.
    let saved = store
        .checkpoints()
        .unwrap()
        .into_iter()
        .find(|saved| saved.id.to_string() == number)
        .unwrap();
    for name in [saved.name(), format!("{}+bf16", saved.name())] {
        let held = agent::hold(&store, &name);
        assert!(agent::is_held(&store, &saved), "{name}");
        drop(held);
    }
    assert!(!agent::is_held(&store, &saved));
    json(data, &["data", "delete", "--run", "4"]);
    json(data, &delete);
    let nothing =
        ["train", "--objective", "imitation", "--steps", "1", "--from", "no/thing", "--queue"];
    assert!(
        failure(&run(data, &nothing)).contains("nothing is there"),
        "said at once, and not when its turn comes"
    );
    json(data, &train(&["--steps", "1"]));
    assert_eq!(json(data, &["data", "list", "runs"])[0]["id"], 5, "a number is not given twice");
    // A kill between taking a checkpoint out and removing its folder: the next start removes it,
    // and nothing else.
    let saved = store.latest_checkpoint(None).unwrap().unwrap();
    store.delete_checkpoint(&saved).unwrap();
    std::fs::create_dir(data.join("checkpoints/run-77-step-7")).unwrap();
    assert!(data.join(&saved.folder).exists());
    assert_eq!(checkpoint::sweep(&store).unwrap(), 1);
    assert!(!data.join(&saved.folder).exists() && data.join("checkpoints/run-77-step-7").exists());
    assert!(store.left_behind().unwrap().is_empty());
}

#[test]
fn runs_of_other_programs_are_told_apart_waited_for_and_asked_to_stop() {
    let dir = collected("4");
    let data = dir.path();
    let spawn = |args: &[&str]| {
        foretaste(data, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        assert!(soon(Duration::from_mins(1), holds), "{what}");
    };
    let step = |run: i64| Store::open(data).unwrap().run(run).map_or(0, |run| run.step);
    let mut child = spawn(&train(&["--steps", "100000"]));
    until("it trains", &|| step(1) > 0);
    assert_eq!(Store::open(data).unwrap().run(1).unwrap().status, RunStatus::Running);
    assert!(
        failure(&run(data, &["train", "--resume", "1"])).contains("is being trained by another")
    );
    assert!(
        failure(&run(data, &["data", "delete", "--run", "1"]))
            .contains("is being trained by another")
    );
    // A number that is somebody else's process is never believed.
    Store::open(data).unwrap().request_stop(1).unwrap();
    assert!(child.wait().unwrap().code() == Some(1));
    assert_eq!(Store::open(data).unwrap().run(1).unwrap().status, RunStatus::Stopped);
    let mut child = spawn(&["train", "--resume", "1"]);
    let before = step(1);
    until("it goes on", &|| step(1) > before);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(json(data, &["data", "list", "runs"])[0]["status"], "broke off");
    assert!(Store::open(data).unwrap().request_stop(1).is_err(), "nobody trains it");
    // Two programs work off one queue between them.
    for seed in 1..=6 {
        json(data, &train(&["--steps", "3", "--queue", "--seed", &seed.to_string()]));
    }
    let mut both = [spawn(&["train", "--queued"]), spawn(&["train", "--queued"])];
    assert!(both.iter_mut().all(|child| child.wait().unwrap().success()));
    let runs = json(data, &["data", "list", "runs"]);
    assert_eq!(runs.iter().filter(|row| row["status"] == "finished").count(), 6, "{runs:?}");
    // A model folder is the same one from wherever the run is started.
    let folder = data.join("m");
    json(data, &["model", "pack", "novice", "--out", folder.to_str().unwrap()]);
    let queue = ["train", "--objective", "imitation", "--steps", "1", "--from", "m", "--queue"];
    assert!(foretaste(data, &queue).current_dir(data).output().unwrap().status.success());
    json(data, &["train", "--queued"]);
}

#[test]
fn text_from_outside_never_drives_the_terminal_of_a_command() {
    let dir = collected("1");
    let data = dir.path();
    let exported = run(data, &["data", "export", "--set", "trajectories"]).stdout;
    let mut record: Value = serde_json::from_slice(&exported).unwrap();
    let evil = "\u{1b}]0;PWNED\u{7}\u{9b}31m\u{202e}\u{0}evil";
    for field in ["task", "kind", "actor", "observation", "task_id"] {
        record["trajectory"][field] = evil.into();
    }
    for step in record["trajectory"]["steps"].as_array_mut().unwrap() {
        step["action"] = evil.into();
        step["observation"] = evil.into();
    }
    let file = data.join("evil.jsonl");
    std::fs::write(&file, record.to_string()).unwrap();
    json(data, &["data", "import", file.to_str().unwrap()]);
    let game = data.join("game.tw-pddl");
    let domain = format!("(define (domain d) (:{evil} y))");
    std::fs::write(
        &game,
        serde_json::json!({"pddl_domain": domain, "grammar": "", "pddl_problem": ""}).to_string(),
    )
    .unwrap();
    std::fs::write(data.join("keys.toml"), "\"\u{9b}31m\" = { x = \"y\" }").unwrap();
    let game = game.to_str().unwrap();
    for args in [
        &["data", "list", "trajectories"][..],
        &["data", "list", "trajectories", "--json"],
        &["data", "show", "2"],
        &["data", "show", "2", "--json"],
        &["replay", "2"],
        &["replay", "2", "--format", "text"],
        &["replay", "2", "--format", "html"],
        &["data", "export", "--set", "trajectories"],
        &["data", "export", "--set", "imitation", "--expert", "all"],
        &["env", "step", "--game", game],
        &["keys"],
        &["doctor"],
    ] {
        let out = run(data, args);
        for stream in [&out.stdout, &out.stderr] {
            let text = String::from_utf8_lossy(stream);
            let driving = text
                .chars()
                .find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
            assert_eq!(driving, None, "{args:?}: {}", text.escape_debug());
        }
    }
    let shown = &json(data, &["data", "show", "2"])[0];
    assert_eq!(shown["trajectory"]["task"], evil, "JSON means what it meant");
}

#[test]
fn a_run_that_is_asked_to_stop_while_it_still_reads_is_not_deaf() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let new = NewRun { objective: "imitation", config: "{}", seed: 1, start: "embedded", steps: 1 };
    let run = store.queue_run(new).unwrap();
    let (_, _lock) = store.claim_queued().unwrap().unwrap();
    store.forget_requests(run).unwrap();
    store.request_stop(run).unwrap();
    store.set_run(run, RunStatus::Running, 0, None).unwrap();
    assert!(store.stop_requested(run).unwrap(), "asked for before it ran");
    store.set_run(run, RunStatus::Stopped, 0, None).unwrap();
    assert!(!store.stop_requested(run).unwrap(), "done");
}

#[test]
fn a_text_that_someone_began_stays_whatever_others_decide_and_nobody_decides_on_what_they_have_not_seen()
 {
    let dir = collected("1");
    let data = dir.path();
    json(data, &["collect", "branches", "--games", "1"]);
    json(data, &["collect", "reflections", "--games", "1"]);
    let mut store = Store::open(data).unwrap();
    let item =
        |store: &Store| store.queue(&Filter::default(), Place::Start, 1).unwrap().items.remove(0);
    let first = item(&store);
    store.set_draft(first.id, Some("A paragraph of mine.")).unwrap();
    let id = first.id.to_string();
    for act in [
        &["flag", &id][..],
        &["approve", &id],
        &["requeue", &id],
        &["edit", &id, "Another's text."],
    ] {
        json(data, &[&["curate"], act].concat());
        assert_eq!(item(&store).draft.as_deref(), Some("A paragraph of mine."), "{act:?}");
    }
    let seen =
        |item: &Reflection| Seen { text: item.text().to_string(), verdict: Some(item.verdict) };
    for (seen, why) in [
        (seen(&first), "has another text"),
        (Seen { verdict: None, ..seen(&first) }, "has another text"),
    ] {
        let error = store.decide_seen(&[(first.id, seen)], &Decision::Approve, None).unwrap_err();
        assert!(error.message().contains(why), "{error}");
    }
    let now = item(&store);
    json(data, &["curate", "reject", &id, "GENERIC"]);
    let error = store.decide_seen(&[(first.id, seen(&now))], &Decision::Approve, None).unwrap_err();
    assert!(error.message().contains("was decided"), "{error}");
    // A generated attempt that was asked for before takes nothing back: it is a version beside what
    // stands.
    let late = store.attempt(first.id, &seen(&now), "a model", "A late attempt.").unwrap();
    assert!(late.is_none());
    assert_eq!((item(&store).verdict, item(&store).text()), (Verdict::Rejected, now.text()));
    assert!(store.attempts(first.id).unwrap().iter().any(|(_, text)| text == "A late attempt."));
    store
        .decide_seen(
            &[(first.id, seen(&item(&store)))],
            &Decision::Edit("A paragraph of mine.".into()),
            None,
        )
        .unwrap();
    assert_eq!(item(&store).draft, None, "it is a version now");
}

#[cfg(unix)]
#[test]
fn what_is_the_persons_own_is_left_alone_and_a_pipe_where_a_file_should_be_is_said() {
    let dir = collected("1");
    let data = dir.path();
    let away = tempfile::tempdir().unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_hours(48);
    let names =
        [".foretaste-notes", ".foretaste-part-abcdef.tmp", ".foretaste-part-of-my-life.tmp"];
    for path in [away.path(), data].iter().flat_map(|folder| names.map(|name| folder.join(name))) {
        std::fs::File::create(path).unwrap().set_modified(long_ago).unwrap();
    }
    let out = away.path().join("t.jsonl");
    json(data, &["data", "export", "--set", "trajectories", "--out", out.to_str().unwrap()]);
    checkpoint::sweep(&Store::open(data).unwrap()).unwrap();
    let left = |folder: &Path| names.map(|name| folder.join(name).exists());
    assert_eq!(left(away.path()), [true; 3], "a folder of somebody else's is never swept");
    assert_eq!(left(data), [true, false, true], "only what a kill left of this program's own");
    let said = failure(&run(
        data,
        &["data", "backup", data.join("foretaste.sqlite-journal").to_str().unwrap()],
    ));
    assert!(said.contains("store's own files"), "{said}");
    std::fs::remove_file(data.join("foretaste.lock")).unwrap();
    let made =
        std::process::Command::new("mkfifo").arg(data.join("foretaste.lock")).status().unwrap();
    assert!(made.success());
    assert!(failure(&run(data, &["data", "list", "trajectories"])).contains("is no file"));
    std::fs::remove_file(data.join("foretaste.lock")).unwrap();
    // A checkpoint named by its folder is that checkpoint.
    json(data, &train(&["--steps", "1", "--held-out", "0"]));
    let folder = data.join("checkpoints/run-1-step-1");
    let path = folder.to_str().unwrap();
    json(data, &["train", "--objective", "imitation", "--steps", "1", "--queue", "--from", path]);
    assert!(
        failure(&run(data, &["data", "delete", "--checkpoint", "1"])).contains("run 2 starts from")
    );
}
