//! Where a job is done: in its folder here, or in one of a machine that ssh reaches. `tar` takes files
//! there and back, since both have it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Settings;
use super::job::LOG;
use crate::error::{Error, Result};
use crate::text::quoted;

/// Where a job is done.
pub(super) struct Place<'a> {
    /// How.
    pub of: &'a Settings,
    /// The job's folder here.
    pub folder: PathBuf,
    /// What the job is called: the folder's name on another machine.
    pub name: String,
}

/// Options of ssh: it asks nobody for anything, and notices a line that is dead.
const SSH: [&str; 7] =
    ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15"];

impl Place<'_> {
    /// The job's folder on another machine, below its home.
    fn there(&self) -> String {
        format!(".cache/foretaste/{}", self.name)
    }

    /// The command of the shell that does the job: what it writes to standard error stands in a file here.
    pub fn command(&self, threads: usize) -> String {
        let run = format!(
            "OMP_NUM_THREADS={threads} TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1 exec {} -m \
             torch.distributed.run --standalone --nproc_per_node {} train.py job.json",
            quoted(&self.of.python),
            self.of.processes
        );
        let folder = quoted(&self.folder.display().to_string());
        match &self.of.host {
            None => format!("cd {folder} && {run} 2>>{LOG}"),
            Some(host) => {
                let there = format!("cd {} && {run}", quoted(&self.there()));
                let (host, there) = (quoted(host), quoted(&there));
                format!("cd {folder} && exec ssh {} {host} {there} 2>>{LOG}", SSH.join(" "))
            }
        }
    }

    /// Takes the job's files there, where that is another machine.
    pub fn send(&self) -> Result<()> {
        let Some(host) = &self.of.host else { return Ok(()) };
        let there = quoted(&self.there());
        let mut pack = Command::new("tar");
        // What is written there stays there.
        let without = ["--exclude", "./out", "--exclude", &format!("./{LOG}")].map(str::to_string);
        pack.arg("cf").arg("-").arg("-C").arg(&self.folder).args(without).arg(".");
        let unpack = self.there_is(&format!("mkdir -p {there} && tar xf - -C {there}"));
        piped(pack, unpack).map_err(|error| error.at(format!("sending the run's rows to {host}")))
    }

    /// Brings a part of what was written back, where that was another machine.
    pub fn fetch(&self, part: &Path) -> Result<()> {
        let Some(host) = &self.of.host else { return Ok(()) };
        let (there, name) = (quoted(&self.there()), quoted(&part.display().to_string()));
        let pack = self.there_is(&format!("tar cf - -C {there} {name}"));
        let mut unpack = Command::new("tar");
        unpack.arg("xf").arg("-").arg("-C").arg(&self.folder);
        piped(pack, unpack)
            .map_err(|error| error.at(format!("bringing {} from {host}", part.display())))
    }

    /// Removes a part of what was written, wherever it was; what cannot be removed stays.
    pub fn remove(&self, part: &Path) {
        _ = std::fs::remove_dir_all(self.folder.join(part));
        if self.of.host.is_some() {
            let there = format!("{}/{}", self.there(), part.display());
            _ = ended(self.there_is(&format!("rm -rf {}", quoted(&there))));
        }
    }

    /// Removes the whole job; what cannot be removed stays.
    pub fn clear(&self) {
        _ = std::fs::remove_dir_all(&self.folder);
        if self.of.host.is_some() {
            _ = ended(self.there_is(&format!("rm -rf {}", quoted(&self.there()))));
        }
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
        let mut ssh = Command::new("ssh");
        ssh.args(SSH).arg(self.of.host.as_deref().unwrap_or_default()).arg(line);
        ssh
    }
}

/// What a command wrote, once it has ended well.
fn ended(mut command: Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let said = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    let said = said.map_err(|e| Error::new(format!("starting {name}: {e}")))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&said.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason");
    Err(Error::new(format!("{name}: {}", last.trim()))
        .hint("ssh has to get there without asking (a key, ssh-agent, ~/.ssh/config)"))
}

/// What one command writes is what the other reads; both have to end well.
fn piped(mut from: Command, mut to: Command) -> Result<()> {
    let failed = |e: std::io::Error| Error::new(format!("starting tar or ssh: {e}"));
    from.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut from = from.spawn().map_err(failed)?;
    let Some(output) = from.stdout.take() else {
        return Err(Error::new("the pipe between tar and ssh was not made"));
    };
    let said = to.stdin(output).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    // This process has the end that is read from too: whoever writes would wait for it for ever.
    drop(to);
    let first = from.wait().map_err(failed)?;
    let said = said.map_err(failed)?;
    let text = String::from_utf8_lossy(&said.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason");
    if said.status.success() && first.success() {
        return Ok(());
    }
    Err(Error::new(format!("tar over ssh: {}", last.trim()))
        .hint("ssh has to get there without asking (a key, ssh-agent, ~/.ssh/config)"))
}
