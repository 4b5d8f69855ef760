//! Models by their names on the Hugging Face hub, like `Qwen/Qwen3-0.6B`: read from the cache that
//! other tools share (`HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`), and
//! fetched into it only where a person asks for that. A name that is used anywhere never goes to
//! the network by itself.
//!
//! The cache's layout is that of `huggingface_hub`: `models--ORG--NAME/refs/REVISION` holds a
//! commit, `snapshots/COMMIT/` its files (as links, or as files: both are read everywhere). Of what
//! a hub answers only the list of files, the commit (hexadecimal) and bytes of a stated length are
//! used; no name or path of its making goes to the disk.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};
use ureq::config::RedirectAuthHeaders;

use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Kind, Result};
use crate::paths::write_whole;

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
        let parts: Vec<&str> = path.split('/').collect();
        if !parts.iter().chain([&revision]).all(|part| is_plain(part)) {
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
        let is_whole = if self.file.is_some() { found.is_file() } else { is_model(&found) };
        is_whole.then_some(found)
    }

    /// The same name with the commit that is in the cache, so that it means the same files later.
    pub fn pinned(&self, found: &Path) -> String {
        let snapshot = if self.file.is_some() { found.parent() } else { Some(found) };
        let commit = snapshot.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let file = self.file.as_ref().map(|file| format!("/{file}")).unwrap_or_default();
        format!("{}{file}@{commit}", self.repo)
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
        let endpoint = std::env::var("HF_ENDPOINT").ok().filter(|url| !url.is_empty());
        let endpoint = endpoint.unwrap_or_else(|| "https://huggingface.co".into());
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            Error::new(format!("{}: {what}: {why}", self.repo)).of(Kind::Io).hint(
                "is the name right, the network there, and HF_TOKEN set if the model is gated?",
            )
        };
        let token = token();
        let api = ApiBuilder::from_cache(cache()).with_progress(false).with_token(token.clone());
        let api = api.with_endpoint(endpoint.clone()).build();
        let api = api.map_err(|e| failed("the hub", &e))?;
        let repo = Repo::with_revision(self.repo.clone(), RepoType::Model, self.revision.clone());
        let info = api.repo(repo).info().map_err(|e| failed("asking the hub", &e))?;
        let there: Vec<String> = info.siblings.into_iter().map(|file| file.rfilename).collect();
        let commit = info.sha;
        if commit.len() != 40 || !commit.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(failed("asking the hub", &"it names no commit"));
        }
        let folder = self.folder(cache().path());
        let snapshot = folder.join("snapshots").join(&commit);
        std::fs::create_dir_all(&snapshot).map_err(|e| Error::io("creating", &snapshot, &e))?;
        let config = ureq::Agent::config_builder()
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .http_status_as_error(true);
        let agent = ureq::Agent::from(config.build());
        for name in self.wanted(&there)? {
            let path = snapshot.join(&name);
            if !path.is_file() {
                let url = format!("{endpoint}/{}/resolve/{commit}/{name}", self.repo);
                let from = From { agent: &agent, url: &url, token: token.as_deref() };
                from.download(&path, control, report).map_err(|error| error.at(&name))?;
            }
        }
        // Last: until then the revision means what it meant before.
        let named = folder.join("refs").join(&self.revision);
        let refs = folder.join("refs");
        std::fs::create_dir_all(&refs).map_err(|e| Error::io("creating", &refs, &e))?;
        write_whole(&named, true, |file| {
            file.write_all(commit.as_bytes()).map_err(|e| Error::io("writing", &named, &e))
        })?;
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
            name.ends_with(".safetensors") && is_plain(name) && !name.starts_with("adapter")
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

/// What may stand in a path: no folder, nothing hidden, nothing that leads out.
fn is_plain(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphanumeric())
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Whether a folder has what a model needs: other tools fetch a configuration alone.
fn is_model(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    has("config.json")
        && has("tokenizer.json")
        && (has("model.safetensors") || has("model.safetensors.index.json"))
}

/// The key of the hub, as its other clients find it.
fn token() -> Option<String> {
    let said = |text: String| Some(text.trim().to_string()).filter(|text| !text.is_empty());
    let set = |name: &str| std::env::var(name).ok().and_then(said);
    let home = || {
        let home = set("HF_HOME").map(PathBuf::from);
        home.or_else(|| Some(Cache::default().path().parent()?.to_path_buf()))
    };
    set("HF_TOKEN").or_else(|| {
        let file = set("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| Some(home()?.join("token")));
        std::fs::read_to_string(file?).ok().and_then(said)
    })
}

/// Where a file comes from.
struct From<'a> {
    agent: &'a ureq::Agent,
    url: &'a str,
    token: Option<&'a str>,
}

impl From<'_> {
    /// Fetches it into a file beside `path`, which takes its place when it is whole; goes on where
    /// an earlier one was cut off.
    fn download(
        &self,
        path: &Path,
        control: &Control,
        report: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let failed = |why: String| Error::new(why).of(Kind::Io).hint("the same command goes on");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let part = path.with_file_name(format!(".{name}.part"));
        let io = |what: &'static str| {
            let part = part.clone();
            move |e: std::io::Error| Error::io(what, &part, &e)
        };
        let have = std::fs::metadata(&part).map_or(0, |about| about.len());
        let mut request = self.agent.get(self.url);
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if have > 0 {
            request = request.header("range", format!("bytes={have}-"));
        }
        let response = request.call().map_err(|e| failed(e.to_string()))?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        // `bytes 5-9/10`, where a part was asked for and is given.
        let range = header("content-range").and_then(|range| {
            let (from, rest) = range.strip_prefix("bytes ")?.split_once('-')?;
            Some((from.parse::<u64>().ok()?, rest.split_once('/')?.1.parse::<u64>().ok()?))
        });
        let length = header("content-length").and_then(|n| n.parse::<u64>().ok());
        let (from, total) = match (response.status().as_u16(), range, length) {
            (206, Some((from, total)), _) if from == have => (have, total),
            (200, _, Some(total)) => (0, total),
            _ => return Err(failed("the hub does not say how long it is".into())),
        };
        let mut file =
            File::options().create(true).append(true).open(&part).map_err(io("opening"))?;
        file.set_len(from).map_err(io("writing"))?;
        let meter = Meter::new(format!("{name}, bytes,"), from, total);
        let mut done = from;
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 18];
        while done < total {
            control.checkpoint()?;
            let n = reader.read(&mut buffer).map_err(|e| failed(e.to_string()))?;
            if n == 0 {
                return Err(failed(format!("cut off after {done} of {total} bytes")));
            }
            let n = n.min((total - done) as usize);
            file.write_all(&buffer[..n]).map_err(io("writing"))?;
            done += n as u64;
            report(meter.at(done));
        }
        file.sync_all().map_err(io("writing"))?;
        std::fs::rename(&part, path).map_err(|e| Error::io("writing", path, &e))
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
