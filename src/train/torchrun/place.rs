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
const SSH: &str = "ssh -T -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15";

impl Place<'_> {
    /// The job's folder on another machine, below its home.
    fn there(&self) -> String {
        format!(".cache/foretaste/{}", self.name)
    }

    /// The command of the shell that does the job: what it writes to standard error stands in a file here.
    pub fn command(&self, threads: usize) -> String {
        let log = quoted(&self.folder.join(LOG).display().to_string());
        let run = format!(
            "OMP_NUM_THREADS={threads} TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 \
             GLOO_SOCKET_IFNAME=${{GLOO_SOCKET_IFNAME:-lo}} PYTHONUNBUFFERED=1 exec {} -m \
             torch.distributed.run --standalone --nproc_per_node {} train.py job.json",
            quoted(&self.of.python),
            self.of.processes
        );
        match &self.of.host {
            None => {
                let folder = quoted(&self.folder.display().to_string());
                format!("cd {folder} && {run} 2>>{log}")
            }
            Some(host) => {
                let there = format!("cd {} && {run}", quoted(&self.there()));
                format!("exec {SSH} {} {} 2>>{log}", quoted(host), quoted(&there))
            }
        }
    }

    /// Takes the job's files there, where that is another machine.
    pub fn send(&self) -> Result<()> {
        let Some(host) = &self.of.host else { return Ok(()) };
        let there = quoted(&self.there());
        let unpack = quoted(&format!("mkdir -p {there} && tar xf - -C {there}"));
        let folder = quoted(&self.folder.display().to_string());
        // What is written there stays there.
        self.shell(&format!(
            "tar cf - -C {folder} --exclude ./out --exclude ./{LOG} . | {SSH} {} {unpack}",
            quoted(host)
        ))
        .map_err(|error| error.at(format!("sending the run's rows to {host}")))
    }

    /// Brings a part of what was written back, where that was another machine.
    pub fn fetch(&self, part: &Path) -> Result<()> {
        let Some(host) = &self.of.host else { return Ok(()) };
        let pack = format!(
            "tar cf - -C {} {}",
            quoted(&self.there()),
            quoted(&part.display().to_string())
        );
        let folder = quoted(&self.folder.display().to_string());
        self.shell(&format!("{SSH} {} {} | tar xf - -C {folder}", quoted(host), quoted(&pack)))
            .map_err(|error| error.at(format!("bringing {} from {host}", part.display())))
    }

    /// Removes a part of what was written, wherever it was; what cannot be removed stays.
    pub fn remove(&self, part: &Path) {
        _ = std::fs::remove_dir_all(self.folder.join(part));
        if let Some(host) = &self.of.host {
            let there = format!("{}/{}", self.there(), part.display());
            let remove = quoted(&format!("rm -rf {}", quoted(&there)));
            _ = self.shell(&format!("{SSH} {} {remove}", quoted(host)));
        }
    }

    /// Removes the whole job; what cannot be removed stays.
    pub fn clear(&self) {
        _ = std::fs::remove_dir_all(&self.folder);
        if let Some(host) = &self.of.host {
            let remove = quoted(&format!("rm -rf {}", quoted(&self.there())));
            _ = self.shell(&format!("{SSH} {} {remove}", quoted(host)));
        }
    }

    /// Whether a part of what was written is there.
    pub fn has(&self, part: &Path) -> bool {
        match &self.of.host {
            None => self.folder.join(part).exists(),
            Some(host) => {
                let there = format!("{}/{}", self.there(), part.display());
                let ask = quoted(&format!("test -e {}", quoted(&there)));
                self.shell(&format!("{SSH} {} {ask}", quoted(host))).is_ok()
            }
        }
    }

    fn shell(&self, line: &str) -> Result<()> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line).stdin(Stdio::null()).stdout(Stdio::null());
        let said = shell.stderr(Stdio::piped()).output();
        let said = said.map_err(|e| Error::new(format!("starting sh: {e}")))?;
        let text = String::from_utf8_lossy(&said.stderr);
        if said.status.success() {
            return Ok(());
        }
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason");
        Err(Error::new(last.trim().to_string())
            .hint("ssh has to get there without asking (a key, ssh-agent, ~/.ssh/config)"))
    }
}
