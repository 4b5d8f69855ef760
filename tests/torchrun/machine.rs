//! Runs on another machine: a folder here by a stand-in for ssh, or a real one that `FORETASTE_SSH_HOST` names,
//! with its Python in `FORETASTE_SSH_PYTHON` (which has what `FORETASTE_PYTHON` has). What jobs leave there is
//! counted, so that no other job of foretaste should be there, and tests run one by one (`--test-threads 1`).
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::common::{self, foretaste, json, run, soon};
use crate::{collected, curve, is_at, losses, python, same, stored};

/// What stands for ssh: the command that is sent is done in another folder, as on another machine.
const SSH: &str = "#!/bin/sh
while [ \"${1#-}\" != \"$1\" ]; do case \"$1\" in -o) shift 2 ;; *) shift ;; esac; done
test \"$1\" = user@there || { echo \"ssh: no such host $1\" >&2; exit 255; }
shift
# What was begun there goes on when this ends, until it hears so.
command -v setsid >/dev/null && of='setsid -w'
cd \"$THERE\" && export HOME=\"$THERE\" || exit
# A line that dies without a word: what was begun there is neither told anything nor heard, and sees no end.
if test -n \"$DEAD\" && case \"$*\" in *distributed.run*) true ;; *) false ;; esac; then
  mkfifo line && { $of sleep 900 >line & echo $! >sleeps; } && $of sh -c \"$*\" <line | $of sh -c 'cat; cat >/dev/null'
  exit
fi
$of sh -c \"$*\"; exit $?
";

/// Where the tests' model lies there.
const NAME: &str = "foretaste-tests/one";

/// Another machine, or a folder that is the home of one.
struct Machine {
    host: String,
    python: String,
    there: tempfile::TempDir,
    bin: tempfile::TempDir,
    /// Whether what is begun there does not hear when it is heard no more.
    dies: bool,
}

impl Machine {
    /// None, said loudly, where no Python has what is needed.
    fn new() -> Option<Self> {
        let python = python()?;
        let (there, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        if let Ok(host) = std::env::var("FORETASTE_SSH_HOST") {
            let python = std::env::var("FORETASTE_SSH_PYTHON").unwrap_or("python3".into());
            return Some(Self { host, python, there, bin, dies: false });
        }
        let ssh = bin.path().join("ssh");
        std::fs::write(&ssh, SSH).unwrap();
        std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { host: "user@there".into(), python, there, bin, dies: false })
    }

    /// A command that finds the ssh by which that machine is reached.
    fn finding(&self, mut command: Command) -> Command {
        let path = format!("{}:{}", self.bin.path().display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("THERE", self.there.path());
        if self.dies {
            command.env("DEAD", "1");
        }
        command
    }

    /// The program, where ssh reaches that machine.
    fn reached(&self, data: &Path, args: &[&str]) -> Command {
        self.finding(foretaste(data, args))
    }

    /// What a line of its shell says.
    fn says(&self, line: &str) -> String {
        let mut sh = Command::new("sh");
        sh.args(["-c", "exec ssh -T \"$0\" \"$1\"", &self.host, line]);
        let said = self.finding(sh).stdin(Stdio::null()).output().unwrap();
        assert!(said.status.success(), "{line}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).trim().to_string()
    }

    /// How many jobs are there.
    fn left(&self) -> String {
        self.says("ls .cache/foretaste 2>/dev/null | wc -l")
    }

    /// Takes a folder there, in place of what stood there.
    fn put(&self, folder: &Path, name: &str) {
        let mut sh = Command::new("sh");
        let line =
            "tar cf - -C \"$0\" . | ssh -T \"$1\" \"rm -rf $2; mkdir -p $2; tar xf - -C $2\"";
        sh.args(["-c", line, folder.to_str().unwrap(), &self.host, name]);
        assert!(self.finding(sh).status().unwrap().success());
    }
}

#[test]
fn another_machine_does_the_same_and_keeps_nothing() {
    let Some(machine) = Machine::new() else { return };
    let dir = collected("12");
    let order = ["train", "--objective", "imitation", "--from", "novice", "--batch", "4"];
    let how = ["--steps", "3", "--lora", "4", "--held-out", "0"];
    let apart = ["--engine", "torchrun", "--python", &machine.python, "--ssh"];
    let far = |host: &str| {
        let args = [&order[..], &how, &apart, &[host, "--json"]].concat();
        let name = std::path::Path::new(dir.path().file_name().unwrap());
        let mut command = machine.reached(name, &args);
        command.current_dir(dir.path().parent().unwrap()).output().unwrap()
    };
    let nobody = far("user@elsewhere.invalid");
    let told = String::from_utf8_lossy(&nobody.stderr).to_string();
    assert!(!nobody.status.success() && told.contains("elsewhere.invalid"), "{told}");
    // A relative data directory is found from the job's own folder too.
    let said = far(&machine.host);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let here = json(dir.path(), &[&order[..], &how].concat());
    same(&losses(&here), &losses(&common::lines(&said)), 1e-4);
    assert_eq!(machine.left(), "0", "something stays there");
    assert!(dir.path().join("checkpoints/run-2-step-3/adapter").is_dir());
}

/// A model that lies on another machine, and a store here with its shape and tokenizer.
struct Lying {
    machine: Machine,
    dir: tempfile::TempDir,
    /// The whole model, as it lies there; and what is known of it.
    model: PathBuf,
    known: PathBuf,
    weights: String,
}

/// What is learnt in these tests.
const ORDER: [&str; 7] = ["train", "--objective", "imitation", "--batch", "4", "--held-out", "0.3"];

impl Lying {
    fn new() -> Option<Self> {
        let machine = Machine::new()?;
        let dir = collected("40");
        let (model, known) = (dir.path().join("one"), dir.path().join("known"));
        json(dir.path(), &["model", "pack", "novice", "--out", model.to_str().unwrap()]);
        machine.put(&model, NAME);
        std::fs::create_dir(&known).unwrap();
        for name in ["config.json", "tokenizer.json"] {
            std::fs::copy(model.join(name), known.join(name)).unwrap();
        }
        let weights = format!("~/{NAME}");
        Some(Self { machine, dir, model, known, weights })
    }

    /// A run beside it, begun.
    fn begin(&self, weights: &str, how: &[&str]) -> Child {
        let Machine { host, python, .. } = &self.machine;
        let there = ["--engine", "torchrun", "--processes", "2", "--ssh", host, "--python", python];
        let from = ["--from", self.known.to_str().unwrap(), "--weights", weights, "--json"];
        let args = [&ORDER[..], how, &there, &from].concat();
        let mut command = self.machine.reached(self.dir.path(), &args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The same to its end.
    fn train(&self, how: &[&str]) -> Output {
        self.begin(&self.weights, how).wait_with_output().unwrap()
    }

    /// What is said against it.
    fn refused(&self, weights: &str) -> String {
        self.refused_of(weights, &SHORT)
    }

    fn refused_of(&self, weights: &str, how: &[&str]) -> String {
        let said = self.begin(weights, how).wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&said.stderr).to_string();
        assert!(!said.status.success(), "{told}");
        told
    }

    /// Other weights of the same shape are put in place of those that lie there.
    fn change_weights(&self) {
        let weights = self.model.join("model.safetensors");
        let mut bytes = std::fs::read(&weights).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&weights, bytes).unwrap();
        self.machine.put(&self.model, NAME);
    }

    /// One that has come so far is killed here.
    fn killed(&self, run: &str, step: u64) {
        self.killed_of(self.begin(&self.weights, &LONG), run, step);
    }

    fn killed_of(&self, mut run_of: Child, run: &str, step: u64) {
        let here = || is_at(self.dir.path(), run, step);
        assert!(soon(Duration::from_mins(2), here), "no update");
        run_of.kill().unwrap();
        run_of.wait().unwrap();
    }
}

const SHORT: [&str; 7] = ["--steps", "4", "--save-every", "2", "--lora", "4", "--keep-all"];
const LONG: [&str; 6] = ["--steps", "60", "--save-every", "60", "--lora", "4"];

#[test]
fn a_model_that_lies_there_is_trained_beside_and_only_its_adapter_comes_back() {
    let Some(mut lying) = Lying::new() else { return };
    let Lying { machine, dir, model, known, weights } = &lying;
    let without = run(dir.path(), &[&ORDER[..], &["--from", known.to_str().unwrap()]].concat());
    assert!(common::failure(&without).contains("without weights"));
    let said = lying.train(&SHORT);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let far = common::lines(&said);
    let here = [&ORDER[..], &SHORT, &["--from", model.to_str().unwrap()]].concat();
    let here = json(dir.path(), &here);
    same(&losses(&here), &losses(&far), 1e-4);
    let measured = |run: &str| curve(dir.path(), run, "valid_action");
    let other = measured("1");
    assert_eq!(other.keys().copied().collect::<Vec<_>>(), [0, 2, 4]);
    same(&measured("2"), &other, 1e-4);

    let listed = json(dir.path(), &["data", "list", "checkpoints"]);
    let beside = format!("{}:{weights}", machine.host);
    assert!(listed.iter().any(|row| row["run"] == 1 && row["adapter_beside"] == beside.as_str()));

    // What came back are adapters: small, whole beside their model, and nobody who could answer here.
    let saved = dir.path().join("checkpoints/run-1-step-4");
    assert!(!saved.join("model.safetensors").exists() && saved.join("config.json").exists());
    let settings = std::fs::read(saved.join("adapter/adapter_config.json")).unwrap();
    let settings: Value = serde_json::from_slice(&settings).unwrap();
    assert_eq!(settings["base_model_name_or_path"], weights.as_str());
    let games =
        ["eval", "--suite", "household", "--split", "unseen", "--games", "1", "--checkpoint"];
    let asked = run(dir.path(), &[&games[..], &["run 1 step 4"]].concat());
    let told = common::failure(&asked);
    assert!(told.contains(&format!("it lies at {}:{weights}", machine.host)), "{told}");
    let begun = run(dir.path(), &[&ORDER[..], &["--from", "run 1 step 4"]].concat());
    let told = common::failure(&begun);
    assert!(told.contains(&format!("--ssh {} --weights {weights}", machine.host)), "{told}");
    let merged = dir.path().join("merged");
    let adapter = saved.join("adapter");
    let pack =
        ["model", "pack", model.to_str().unwrap(), "--out", merged.to_str().unwrap(), "--adapter"];
    json(dir.path(), &[&pack[..], &[adapter.to_str().unwrap()]].concat());
    let again = ["--steps", "1", "--from", merged.to_str().unwrap()];
    json(dir.path(), &[&ORDER[..], &again].concat());
    let again = measured("3")[&0];
    assert!((again - other[&4]).abs() < 1e-4, "{again} and {}", other[&4]);
    // Or it is trained on beside those weights, wherever they lie now, and beside no others.
    let on = ["--steps", "1", "--lora", "4"];
    machine.put(model, "foretaste-tests/moved");
    lying.known = "run 1 step 4".into();
    let beside = lying;
    let said = beside.begin("~/foretaste-tests/moved", &on).wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let on_from = curve(beside.dir.path(), "4", "valid_action")[&0];
    assert!((on_from - other[&4]).abs() < 1e-4, "{on_from} and {}", other[&4]);
    beside.change_weights();
    let told = beside.refused_of(&beside.weights, &on);
    assert!(told.contains("not those that the adapter was trained beside"), "{told}");
    let told = beside.refused_of(&beside.weights, &["--steps", "1", "--lora", "2"]);
    assert!(told.contains("adapter of rank 4 and alpha 8"), "{told}");
}

#[test]
fn a_run_beside_it_goes_on_from_what_was_saved_there_and_leaves_nothing() {
    let Some(lying) = Lying::new() else { return };
    let data = lying.dir.path();
    let whole = lying.train(&LONG);
    // It saves there when it is heard no more, and that is gone on from, whatever is known here.
    lying.killed("2", 12);
    let resumed = lying.machine.reached(data, &["train", "--resume", "2"]).output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    let said = String::from_utf8_lossy(&resumed.stdout).to_string();
    assert_eq!(said.matches("saved ").count(), 2, "that one, and the last: {said}");
    same(&losses(&common::lines(&whole)), &curve(data, "2", "loss"), 1e-5);
    let mut held = curve(data, "2", "valid_action");
    held.retain(|step, _| [0, 60].contains(step)); // and where it was when it was heard no more
    same(&curve(data, "1", "valid_action"), &held, 1e-5);
    assert_eq!(lying.machine.left(), "0", "something stays there");
    // Weights that were changed meanwhile are others.
    lying.killed("3", 2);
    lying.change_weights();
    let other = lying.machine.reached(data, &["train", "--resume", "3"]).output().unwrap();
    let told = String::from_utf8_lossy(&other.stderr).to_string();
    assert!(!other.status.success() && told.contains("not those that the run began"), "{told}");
    // What is deleted here does not stay there.
    assert_eq!(lying.machine.left(), "1");
    let deleted = lying.machine.reached(data, &["data", "delete", "--run", "3"]).output().unwrap();
    assert!(deleted.status.success(), "{}", String::from_utf8_lossy(&deleted.stderr));
    assert_eq!(lying.machine.left(), "0", "something stays there");
}

#[test]
fn one_whose_line_is_dead_is_asked_to_leave_by_who_comes_next() {
    let Some(mut lying) = Lying::new() else { return };
    if std::env::var("FORETASTE_SSH_HOST").is_ok() {
        common::unchecked("a line that dies without a word, over a real ssh");
        return;
    }
    lying.machine.dies = true;
    let data = lying.dir.path();
    // It would take hours.
    let endless = ["--steps", "100000", "--save-every", "100000", "--lora", "4"];
    lying.killed_of(lying.begin(&lying.weights, &endless), "1", 5);
    lying.machine.dies = false;
    let known = *stored(data, "1").keys().last().unwrap();
    let mut resumed = lying.machine.reached(data, &["train", "--resume", "1"]);
    let mut resumed = resumed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let goes_on = soon(Duration::from_mins(4), || is_at(data, "1", known + 20));
    let stop = ["-TERM", &resumed.id().to_string()];
    assert!(Command::new("kill").args(stop).status().unwrap().success());
    resumed.wait().unwrap();
    lying.machine.says("kill $(cat sleeps)");
    assert!(goes_on, "it is waited for");
}

#[test]
fn another_model_than_the_one_that_is_known_here_is_refused() {
    let Some(lying) = Lying::new() else { return };
    let config = lying.known.join("config.json");
    let shape = std::fs::read_to_string(&config).unwrap();
    let other = shape.replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 3");
    assert_ne!(shape, other, "{shape}");
    std::fs::write(&config, other).unwrap();
    let told = lying.refused(&lying.weights);
    assert!(told.contains("num_hidden_layers = 4 there"), "{told}");
    std::fs::write(&config, shape).unwrap();
    std::fs::write(lying.model.join("tokenizer.json"), "{}").unwrap();
    lying.machine.put(&lying.model, NAME);
    let told = lying.refused(&lying.weights);
    assert!(told.contains("is not the one that the rows"), "{told}");
    for (wrong, says) in
        [("models/one/two", "--weights models/one/two"), ("/nowhere", "no model folder is there")]
    {
        let told = lying.refused(wrong);
        assert!(told.contains(says), "{told}");
    }
    for run in ["1", "2"] {
        let data = lying.dir.path();
        let gone = lying.machine.reached(data, &["data", "delete", "--run", run]).output().unwrap();
        assert!(gone.status.success(), "{}", String::from_utf8_lossy(&gone.stderr));
    }
    assert_eq!(lying.machine.left(), "0", "something stays there");
}
