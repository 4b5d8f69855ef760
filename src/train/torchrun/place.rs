//! Where a job is done: in its folder here, or in one of a machine that ssh reaches. `tar` takes files
//! there and back, since both have it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Settings;
use super::job::{HELD, LOG, MODEL, OUT, ROWS, SHAPE, TOLD, checkpoint};
use crate::env::foreign::in_own_group;
use crate::error::{Error, Result};
use crate::paths;
use crate::text::quoted;

/// Where a job is done.
#[derive(Clone)]
pub(super) struct Place {
    /// How.
    pub of: Settings,
    /// The job's folder here.
    pub folder: PathBuf,
    /// What the job is called: the folder's name on another machine.
    pub name: String,
}

/// Options of ssh: it asks nobody for anything, and notices a line that is dead.
const SSH: [&str; 7] =
    ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15"];

impl Place {
    /// The job's folder on another machine, below its home.
    fn there(&self) -> String {
        format!(".cache/foretaste/{}", self.name)
    }

    /// The job's folder where it is done.
    fn where_it_is(&self) -> String {
        match &self.of.host {
            Some(_) => self.there(),
            None => self.folder.display().to_string(),
        }
    }

    /// The command of the shell that does the job: what it writes to standard error stands in a file here.
    pub fn command(&self, threads: usize) -> String {
        let run = format!(
            "OMP_NUM_THREADS={threads} TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1 exec {} -m \
             torch.distributed.run --standalone --nproc_per_node {} train.py job.json",
            at_home(&self.of.python),
            self.of.processes
        );
        let folder = quoted(&self.folder.display().to_string());
        match &self.of.host {
            None => format!("cd {folder} && {run} 2>>{LOG}"),
            Some(host) => {
                let there = by_sh(&format!("cd {} && {run}", quoted(&self.there())));
                let (host, there) = (quoted(host), quoted(&there));
                format!("cd {folder} && exec ssh {} -- {host} {there} 2>>{LOG}", SSH.join(" "))
            }
        }
    }

    /// Takes the job's files there, where that is another machine.
    pub fn send(&self) -> Result<()> {
        let Some(host) = &self.of.host else { return Ok(()) };
        let there = quoted(&self.there());
        // What is written there stays there, and what was sent whole is not sent again.
        let mut without = vec![OUT, LOG, TOLD];
        if self.has(&[PathBuf::from(SENT)])? {
            without.extend([MODEL, "adapter", ROWS, HELD, SHAPE]);
        }
        let mut pack = Command::new("tar");
        in_own_group(&mut pack);
        pack.arg("cf").arg("-").arg("-C").arg(&self.folder);
        pack.args(without.iter().map(|name| format!("--exclude=./{name}"))).arg(".");
        let line = format!("mkdir -p {there} && tar xf - -C {there} && touch {there}/{SENT}");
        let unpack = self.there_is(&line);
        piped(pack, unpack).map_err(|error| error.at(format!("sending the run's rows to {host}")))
    }

    /// Brings what torchrun told there back, where that was another machine and it told anything.
    pub fn fetch_told(&self) -> Result<()> {
        if self.of.host.is_none() || !self.has(&[PathBuf::from(TOLD)])? {
            return Ok(());
        }
        self.fetch(TOLD, Path::new(TOLD))
    }

    /// Brings what was learnt of a checkpoint back from another machine: its optimiser stays there. Those before it
    /// are not needed there any more: this one is gone on from.
    pub fn bring(&self, step: u64) -> Result<()> {
        let part = checkpoint(step);
        let all =
            ["config.json", "adapter_config.json", "*.safetensors", "*.safetensors.index.json"]
                .map(|name| format!("{}/{name}", part.display()));
        // A pattern that nothing matches stands for itself.
        let there =
            format!("$(for one in {}; do test -e \"$one\" && echo \"$one\"; done)", all.join(" "));
        self.fetch(&there, &part)?;
        let line = format!(
            "cd {} && for one in {OUT}/checkpoint-*; do test \"${{one##*-}}\" -lt {step} && rm -rf \"$one\"; done; true",
            quoted(&self.there())
        );
        // What cannot be removed stays.
        _ = ended(self.there_is(&line));
        Ok(())
    }

    /// Brings files back that a shell there names, and puts the part that they are of in place once it is whole: one
    /// that was left on its way may be coming still.
    fn fetch(&self, names: &str, part: &Path) -> Result<()> {
        let host = self.of.host.as_deref().unwrap_or_default();
        let io = |e: std::io::Error| Error::io("bringing a part of a run to", &self.folder, &e);
        let coming = paths::temporary().tempdir_in(&self.folder).map_err(io)?;
        let pack = self.there_is(&format!("cd {} && tar cf - {names}", quoted(&self.there())));
        let mut unpack = Command::new("tar");
        unpack.arg("xf").arg("-").arg("-C").arg(coming.path());
        in_own_group(&mut unpack);
        piped(pack, unpack)
            .map_err(|error| error.at(format!("bringing a part of the run from {host}")))?;
        let to = self.folder.join(part);
        if to.is_dir() {
            std::fs::remove_dir_all(&to).map_err(io)?;
        }
        to.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(io)?;
        std::fs::rename(coming.path().join(part), &to).map_err(io)
    }

    /// Whether an earlier start of the job has ended: it may be writing its last checkpoint still.
    pub fn is_quiet(&self) -> Result<bool> {
        let look = "import fcntl\nfile = open('job.lock', 'a')\ntry: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n\
                    except OSError: print('busy')";
        let python = at_home(&self.of.python);
        let line = format!(
            "cd {} 2>/dev/null && test -e job.lock || exit 0; {python} -c {}",
            quoted(&self.where_it_is()),
            quoted(look)
        );
        let said = ended(at(&self.of, &line));
        said.map(|said| said.trim() != "busy")
            .map_err(|error| error.at("asking for an earlier start"))
    }

    /// Asks an earlier start of the job to save and end: whoever it was told by may not reach it any more.
    pub fn ask_to_leave(&self) -> Result<()> {
        let folder = quoted(&self.where_it_is());
        // Its owner may just have cleared it away.
        ended(at(&self.of, &format!("! test -d {folder} || touch {folder}/leave"))).map(drop)
    }

    /// Removes the whole job; what cannot be removed stays.
    pub fn clear(&self) {
        _ = std::fs::remove_dir_all(&self.folder);
        if self.of.host.is_some() {
            _ = self.clear_there();
        }
    }

    /// Removes what of it is on the other machine.
    pub fn clear_there(&self) -> Result<()> {
        ended(self.there_is(&format!("rm -rf {}", quoted(&self.there())))).map(drop)
    }

    /// The command that does so.
    pub fn clearing(&self) -> String {
        let host = self.of.host.as_deref().unwrap_or_default();
        format!("ssh {} rm -rf {}", quoted(host), quoted(&self.there()))
    }

    /// Whether all of these are there.
    ///
    /// # Errors
    /// Where the other machine cannot be asked.
    pub fn has(&self, all: &[PathBuf]) -> Result<bool> {
        let Some(host) = &self.of.host else {
            return Ok(all.iter().all(|part| self.folder.join(part).exists()));
        };
        let each = |part: &PathBuf| {
            let there = format!("{}/{}", self.there(), part.display());
            format!("test -e {}", quoted(&there))
        };
        let ask: Vec<String> = all.iter().map(each).collect();
        let ask = format!("{} && echo there || echo gone", ask.join(" && "));
        let said =
            ended(self.there_is(&ask)).map_err(|error| error.at(format!("asking {host}")))?;
        Ok(said.trim() == "there")
    }

    /// Where a part stands, for people.
    pub fn named(&self, part: &Path) -> String {
        match &self.of.host {
            None => self.folder.join(part).display().to_string(),
            Some(host) => format!("{host}:{}/{}", self.there(), part.display()),
        }
    }

    /// A command of the other machine's shell.
    fn there_is(&self, line: &str) -> Command {
        at(&self.of, line)
    }
}

/// Stands beside what was sent whole.
const SENT: &str = "sent";

/// A command of the shell there, or here where no other machine is named.
pub(super) fn at(of: &Settings, line: &str) -> Command {
    let Some(host) = &of.host else {
        let mut here = Command::new("sh");
        here.args(["-c", line]);
        return here;
    };
    let mut ssh = Command::new("ssh");
    ssh.args(SSH).args(["--", host, &by_sh(line)]);
    in_own_group(&mut ssh);
    ssh
}

/// A line for whatever shell a person has there (zsh and fish read some of it in their own way).
fn by_sh(line: &str) -> String {
    format!("exec sh -c {}", quoted(line))
}

/// A program's path for a shell, which knows where home is.
pub(super) fn at_home(path: &str) -> String {
    path.strip_prefix("~/").map_or_else(|| quoted(path), |rest| format!("~/{}", quoted(rest)))
}

/// What a command wrote, once it has ended well.
pub(super) fn ended(mut command: Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let said = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    let said = said.map_err(|e| Error::new(format!("starting {name}: {e}")))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let error = Error::new(format!("{name}: {}", last_of(&said.stderr)));
    // What ssh itself ends with.
    Err(if said.status.code() == Some(255) { error.hint(KEY) } else { error })
}

/// What is said where ssh does not get there.
const KEY: &str = "ssh has to get there without asking (a key, ssh-agent, ~/.ssh/config)";

/// The last line that says anything.
fn last_of(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("no reason").trim().to_string()
}

/// What one command writes is what the other reads; both have to end well.
fn piped(mut from: Command, mut to: Command) -> Result<()> {
    let failed = |e: std::io::Error| Error::new(format!("starting tar or ssh: {e}"));
    from.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut from = from.spawn().map_err(failed)?;
    let Some(output) = from.stdout.take() else {
        return Err(Error::new("the pipe between tar and ssh was not made"));
    };
    let said = to.stdin(output).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    // This process has the end that is read from too: whoever writes would wait for it for ever.
    drop(to);
    let first = from.wait_with_output().map_err(failed)?;
    let said = said.map_err(failed)?;
    // Where the one breaks off the other complains of what it got.
    let Some(broken) = [&first, &said].into_iter().find(|one| !one.status.success()) else {
        return Ok(());
    };
    let ssh = broken.status.code() == Some(255);
    let error = Error::new(format!("tar over ssh: {}", last_of(&broken.stderr)));
    Err(if ssh { error.hint(KEY) } else { error })
}
