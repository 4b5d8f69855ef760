//! Models by their names on the Hugging Face hub, like `Qwen/Qwen3-0.6B`: read from the cache that
//! other tools share (`HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`), and
//! fetched into it only where a person asks for that. A name that is used anywhere never goes to
//! the network by itself.
//!
//! The cache's layout is that of `huggingface_hub`: `models--ORG--NAME/refs/REVISION` holds a
//! commit, `snapshots/COMMIT/` links to its files.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Kind, Result};

/// What is fetched of a repository beside its weights.
const BESIDE: [&str; 8] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
];

/// The revision of a name that has none.
const MAIN: &str = "main";

/// `ORG/NAME`, `ORG/NAME@REVISION`, or a file in it: `ORG/NAME/FILE.gguf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubName {
    repo: String,
    file: Option<String>,
    revision: String,
}

impl HubName {
    /// A name of this form.
    pub fn parse(name: &str) -> Option<Self> {
        let (path, revision) = name.split_once('@').unwrap_or((name, MAIN));
        let is_plain = |part: &&str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let parts: Vec<&str> = path.split('/').collect();
        if !parts.iter().chain([&revision]).all(is_plain) {
            return None;
        }
        let (org, name, file) = match parts[..] {
            [org, name] => (org, name, None),
            [org, name, file] if is_gguf(file) => (org, name, Some(file.to_string())),
            _ => return None,
        };
        Some(Self { repo: format!("{org}/{name}"), file, revision: revision.to_string() })
    }

    fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(Repo::model(self.repo.clone()).folder_name())
    }

    /// The files in the cache: a folder, or the file that is named; none where they are not there.
    pub fn cached(&self) -> Option<PathBuf> {
        let folder = self.folder(cache().path());
        let snapshots = folder.join("snapshots");
        let named = std::fs::read_to_string(folder.join("refs").join(&self.revision)).ok();
        let commit = named.map(|commit| commit.trim().to_string()).or_else(|| {
            // A revision may be the beginning of a commit.
            let there = std::fs::read_dir(&snapshots).ok()?;
            let names = there.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let mut fits = names.filter(|name| name.starts_with(&self.revision));
            fits.next().filter(|_| fits.next().is_none())
        })?;
        let snapshot = snapshots.join(commit);
        let found = self.file.as_ref().map_or(snapshot.clone(), |file| snapshot.join(file));
        let is_whole = if self.file.is_some() {
            found.is_file()
        } else {
            // As it is fetched: the configuration last.
            found.join("config.json").is_file()
        };
        is_whole.then_some(found)
    }

    /// The same name with the commit that is in the cache, so that it means the same files later.
    pub fn pinned(&self, found: &Path) -> String {
        let snapshot = if self.file.is_some() { found.parent() } else { Some(found) };
        let commit = snapshot.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let file = self.file.as_ref().map(|file| format!("/{file}")).unwrap_or_default();
        format!("{}{file}@{}", self.repo, &commit[..commit.len().min(12)])
    }

    /// That it is not in the cache, and how it comes there.
    pub fn missing(&self, name: &str) -> Error {
        let place = cache().path().display().to_string();
        Error::new(format!("{name}: nothing is there, nor in the hub's cache ({place})"))
            .hint(format!("if it is a name of the hub: foretaste model fetch {name}"))
    }

    /// Fetches what a model needs into the cache; what is there already is not fetched again.
    /// Returns where it is.
    ///
    /// # Errors
    /// Where the hub cannot be asked, has no such model, or has it in a form that is not read here.
    pub fn fetch(&self, control: &Control, report: &mut dyn FnMut(Progress)) -> Result<PathBuf> {
        if std::env::var("HF_HUB_OFFLINE").is_ok_and(|set| !["", "0", "false"].contains(&&*set)) {
            return Err(Error::new(format!("{}: HF_HUB_OFFLINE is set", self.repo)).hint(
                "nothing is fetched while it is; unset it, or copy the model's folder here",
            ));
        }
        let mut api = ApiBuilder::from_cache(cache()).with_progress(false).with_retries(3);
        if let Ok(endpoint) = std::env::var("HF_ENDPOINT") {
            api = api.with_endpoint(endpoint);
        }
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            Error::new(format!("{}: {what}: {why}", self.repo)).of(Kind::Io).hint(
                "is the name right, the network there, and HF_TOKEN set if the model is gated?",
            )
        };
        let api = api.build().map_err(|e| failed("the hub", &e))?;
        let repo = Repo::with_revision(self.repo.clone(), RepoType::Model, self.revision.clone());
        let repo = api.repo(repo);
        let info = repo.info().map_err(|e| failed("asking the hub", &e))?;
        let there: Vec<String> = info.siblings.into_iter().map(|file| file.rfilename).collect();
        if info.sha.is_empty() || !info.sha.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(failed("asking the hub", &"it names no commit"));
        }
        let snapshot = self.folder(cache().path()).join("snapshots").join(&info.sha);
        for name in self.wanted(&there)? {
            control.checkpoint()?;
            if snapshot.join(&name).is_file() {
                continue;
            }
            download(&repo, &name, report).map_err(|e| failed(&name, &e))?;
        }
        self.cached().ok_or_else(|| failed("fetched", &"and yet not in the cache"))
    }

    /// The names of the files that are needed, of those that there are: the configuration last, so
    /// that a folder that has it is whole.
    fn wanted(&self, there: &[String]) -> Result<Vec<String>> {
        let has = |name: &str| there.iter().any(|known| known == name);
        if let Some(file) = &self.file {
            return has(file)
                .then(|| vec![file.clone()])
                .ok_or_else(|| self.lacks(&format!("has no {file}")));
        }
        let weights = there.iter().filter(|name| {
            name.ends_with(".safetensors") && !name.contains('/') && !name.starts_with("adapter")
        });
        let mut wanted: Vec<String> = weights.cloned().collect();
        if wanted.is_empty() {
            let gguf = there.iter().find(|name| is_gguf(name) && !name.contains('/'));
            let hint = gguf.map(|file| format!("name a file: {}/{file}", self.repo));
            let error = self.lacks("has no safetensors");
            return Err(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
        if let Some(missing) = ["config.json", "tokenizer.json"].into_iter().find(|n| !has(n)) {
            return Err(self.lacks(&format!("has no {missing}")));
        }
        let beside = BESIDE.into_iter().rev().filter(|name| has(name));
        wanted.extend(beside.map(str::to_string));
        Ok(wanted)
    }

    fn lacks(&self, what: &str) -> Error {
        Error::new(format!("{}: the repository {what}", self.repo))
    }
}

fn is_gguf(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"))
}

/// Where the hub's models are on this machine.
fn cache() -> Cache {
    let named = std::env::var_os("HF_HUB_CACHE").filter(|path| !path.is_empty());
    named.map_or_else(Cache::from_env, |path| Cache::new(PathBuf::from(path)))
}

fn download(
    repo: &ApiRepo,
    name: &str,
    report: &mut dyn FnMut(Progress),
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let counting = Counting { report, meter: None, done: 0 };
    repo.download_with_progress(name, counting)?;
    Ok(())
}

/// Bytes as the progress of a job.
struct Counting<'a> {
    report: &'a mut dyn FnMut(Progress),
    meter: Option<Meter>,
    done: u64,
}

impl hf_hub::api::Progress for Counting<'_> {
    fn init(&mut self, size: usize, filename: &str) {
        self.meter = Some(Meter::new(format!("{filename}, bytes,"), 0, size as u64));
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        if let Some(meter) = &self.meter {
            (self.report)(meter.at(self.done));
        }
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
