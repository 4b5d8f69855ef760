//! Runs on another machine: a folder here by a stand-in for ssh, or a real one that `FORETASTE_SSH_HOST` names,
//! with its Python in `FORETASTE_SSH_PYTHON` (which has what `FORETASTE_PYTHON` has). What jobs leave there is
//! counted: no other job of foretaste should be there.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::common::{self, foretaste, json, run, soon};
use crate::{collected, curve, is_at, losses, python, same};

/// What stands for ssh: the command that is sent is done in another folder, as on another machine.
const SSH: &str = "#!/bin/sh
while [ \"${1#-}\" != \"$1\" ]; do case \"$1\" in -o) shift 2 ;; *) shift ;; esac; done
test \"$1\" = user@there || { echo \"ssh: no such host $1\" >&2; exit 255; }
shift
cd \"$THERE\" && HOME=\"$THERE\" exec sh -c \"$*\"
";

/// Where the tests' model lies there.
const NAME: &str = "foretaste-tests/one";

/// Another machine, or a folder that is the home of one.
struct Machine {
    host: String,
    python: String,
    there: tempfile::TempDir,
    bin: tempfile::TempDir,
}

impl Machine {
    /// None, said loudly, where no Python has what is needed.
    fn new() -> Option<Self> {
        let python = python()?;
        let (there, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        if let Ok(host) = std::env::var("FORETASTE_SSH_HOST") {
            let python = std::env::var("FORETASTE_SSH_PYTHON").unwrap_or("python3".into());
            return Some(Self { host, python, there, bin });
        }
        let ssh = bin.path().join("ssh");
        std::fs::write(&ssh, SSH).unwrap();
        std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { host: "user@there".into(), python, there, bin })
    }

    /// A command that finds the ssh by which that machine is reached.
    fn finding(&self, mut command: Command) -> Command {
        let path = format!("{}:{}", self.bin.path().display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("THERE", self.there.path());
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

#[test]
fn a_model_that_lies_there_is_trained_beside_and_only_its_adapter_comes_back() {
    let Some(machine) = Machine::new() else { return };
    let dir = collected("40");
    let model = dir.path().join("one");
    json(dir.path(), &["model", "pack", "novice", "--out", model.to_str().unwrap()]);
    machine.put(&model, NAME);
    let weights = format!("~/{NAME}");
    // Here are its shape and its tokenizer.
    let known = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json"] {
        std::fs::copy(model.join(name), known.path().join(name)).unwrap();
    }
    let from = known.path().to_str().unwrap();
    let order = ["train", "--objective", "imitation", "--batch", "4", "--held-out", "0.3"];
    let how = ["--steps", "4", "--save-every", "2", "--lora", "4", "--keep-all"];
    let there = [
        "--engine",
        "torchrun",
        "--python",
        &machine.python,
        "--processes",
        "2",
        "--ssh",
        &machine.host,
    ];
    let train = |more: &[&str]| {
        let args = [&order[..], &how, &there, more, &["--json"]].concat();
        machine.reached(dir.path(), &args).output().unwrap()
    };
    let without = run(dir.path(), &[&order[..], &how, &["--from", from]].concat());
    assert!(common::failure(&without).contains("model.safetensors"));
    let said = train(&["--from", from, "--weights", &weights]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let far = common::lines(&said);
    let here = [&order[..], &how, &["--from", model.to_str().unwrap()]].concat();
    let here = json(dir.path(), &here);
    same(&losses(&here), &losses(&far), 1e-4);
    let measured = |run: &str| curve(dir.path(), run, "valid_action");
    let other = measured("1");
    assert_eq!(other.keys().copied().collect::<Vec<_>>(), [0, 2, 4]);
    same(&measured("2"), &other, 1e-4);

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
    let begun = run(dir.path(), &[&order[..], &["--from", "run 1 step 4"]].concat());
    assert!(common::failure(&begun).contains("cannot be started from"));
    let merged = dir.path().join("merged");
    let adapter = saved.join("adapter");
    let pack =
        ["model", "pack", model.to_str().unwrap(), "--out", merged.to_str().unwrap(), "--adapter"];
    json(dir.path(), &[&pack[..], &[adapter.to_str().unwrap()]].concat());
    let again = ["--steps", "1", "--from", merged.to_str().unwrap()];
    json(dir.path(), &[&order[..], &again].concat());
    let again = measured("3")[&0];
    assert!((again - other[&4]).abs() < 1e-4, "{again} and {}", other[&4]);

    // A program that is killed here goes on with what was saved there.
    let long =
        [&order[..], &["--steps", "60", "--save-every", "5", "--lora", "4"], &there].concat();
    let args = [&long[..], &["--from", from, "--weights", &weights, "--json"]].concat();
    let whole = common::lines(&machine.reached(dir.path(), &args).output().unwrap());
    let mut killed = machine.reached(dir.path(), &args);
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(soon(Duration::from_secs(120), || is_at(dir.path(), "5", 12)), "no update");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let resumed = machine.reached(dir.path(), &["train", "--resume", "5"]).output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    same(&losses(&whole), &curve(dir.path(), "5", "loss"), 1e-5);
    assert_eq!(machine.left(), "0", "something stays there");

    // Another model lies there under that name.
    std::fs::write(model.join("tokenizer.json"), "{}").unwrap();
    machine.put(&model, NAME);
    let said = train(&["--from", from, "--weights", &weights]);
    let told = String::from_utf8_lossy(&said.stderr).to_string();
    assert!(!said.status.success() && told.contains("is not the one that the rows"), "{told}");
    for (wrong, says) in
        [("models/one/two", "--weights models/one/two"), ("/nowhere", "ended before")]
    {
        let said = train(&["--from", from, "--weights", wrong]);
        let told = String::from_utf8_lossy(&said.stderr).to_string();
        assert!(!said.status.success() && told.contains(says), "{told}");
    }
}
