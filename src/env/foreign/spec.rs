//! Where a world of another program is, and how much is asked of it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::paths;

/// How one comes to such a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// A command of the shell, that is spoken to over its input and output.
    Command(String),
    /// An address that listens.
    Tcp(String),
    /// A socket of this machine.
    Unix(PathBuf),
}

/// A world of another program, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Where it is.
    pub at: At,
    /// So many processes of it at most.
    pub processes: usize,
    /// How long an answer may take, and the first one.
    pub patience: Duration,
    /// The same for the first answer.
    pub start: Duration,
    /// What a process may have, in MB.
    pub memory_mb: Option<u64>,
    /// What it is called here, where that was said.
    pub name: Option<String>,
}

/// A world of `config.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    suite: String,
    processes: Option<usize>,
    timeout_s: Option<u64>,
    start_s: Option<u64>,
    memory_mb: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    worlds: std::collections::BTreeMap<String, toml::Value>,
}

/// The most processes of one world, and the longest that an answer may take.
const MOST: usize = 64;
const LONGEST_S: u64 = 24 * 60 * 60;

/// The data directory of this process, whose `config.toml` has worlds by name.
static ROOT: OnceLock<PathBuf> = OnceLock::new();

/// Says where `config.toml` is; the first to say so is heeded.
pub fn lives_in(root: PathBuf) {
    ROOT.get_or_init(|| root);
}

/// The worlds of `config.toml`, by name.
///
/// # Errors
/// For a file that cannot be read, and for an entry that means nothing.
pub fn all() -> Result<Vec<Spec>> {
    let Some(root) = ROOT.get() else { return Ok(Vec::new()) };
    let path = root.join("config.toml");
    parse(&paths::settings(&path)?).map_err(|error| {
        error.at(path.display()).hint("docs/worlds.md has every setting of a world")
    })
}

fn parse(text: &str) -> Result<Vec<Spec>> {
    // A line of the file is never quoted: a key may stand on it.
    let file: File = toml::from_str(text).map_err(|e| Error::new(e.message().to_string()))?;
    let one = |(name, value): (String, toml::Value)| {
        let entry: Entry = value.try_into().map_err(|e: toml::de::Error| {
            Error::new(e.message().to_string()).at(format!("[worlds.{name}]"))
        })?;
        entry.spec(&name).map_err(|error| error.at(format!("[worlds.{name}]")))
    };
    file.worlds.into_iter().map(one).collect()
}

impl Entry {
    fn spec(self, name: &str) -> Result<Spec> {
        super::said::vet_name(name)?;
        let spec = Spec::parse(&self.suite)?.ok_or_else(|| {
            Error::new(format!("`suite = {:?}` is no world of another program", self.suite))
                .hint("cmd:COMMAND, tcp:HOST:PORT or unix:PATH")
        })?;
        let within = |field: &str, value: Option<u64>, usual: u64, most: u64| match value {
            None => Ok(usual),
            Some(value) if (1..=most).contains(&value) => Ok(value),
            Some(value) => Err(Error::new(format!("{field} = {value} is not within 1 and {most}"))),
        };
        if self.memory_mb.is_some() && !matches!(spec.at, At::Command(_)) {
            return Err(Error::new("memory_mb is for a program that is started here (cmd:)"));
        }
        let processes = self.processes.map(|n| n as u64);
        Ok(Spec {
            processes: within("processes", processes, spec.processes as u64, MOST as u64)? as usize,
            patience: Duration::from_secs(within("timeout_s", self.timeout_s, 60, LONGEST_S)?),
            start: Duration::from_secs(within("start_s", self.start_s, 120, LONGEST_S)?),
            memory_mb: self
                .memory_mb
                .map(|mb| within("memory_mb", Some(mb), 0, 1 << 30))
                .transpose()?,
            name: Some(name.into()),
            ..spec
        })
    }
}

impl Spec {
    /// The world that `cmd:…`, `tcp:…` or `unix:…` names; none for any other text.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        let Some((kind, rest)) = text.split_once(':') else { return Ok(None) };
        let empty = |what: &str| Error::usage(format!("`{text}` names no {what}"));
        let at = match kind {
            "cmd" if rest.trim().is_empty() => return Err(empty("command")),
            "cmd" => At::Command(rest.into()),
            "tcp" => match rest.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    At::Tcp(rest.into())
                }
                _ => return Err(empty("address").hint("tcp:127.0.0.1:9000")),
            },
            "unix" if rest.is_empty() => return Err(empty("socket")),
            "unix" => At::Unix(PathBuf::from(rest)),
            _ => return Ok(None),
        };
        // Who listens may take one caller only.
        let processes = if matches!(at, At::Command(_)) { 2 } else { 1 };
        let (patience, start) = (Duration::from_mins(1), Duration::from_mins(2));
        Ok(Some(Self { at, processes, patience, start, memory_mb: None, name: None }))
    }

    /// The world of that name in `config.toml`.
    pub fn named(name: &str) -> Result<Option<Self>> {
        Ok(all()?.into_iter().find(|spec| spec.name.as_deref() == Some(name)))
    }

    /// What it is called in messages.
    pub fn described(&self) -> String {
        match (&self.name, &self.at) {
            (Some(name), _) => name.clone(),
            (None, At::Command(command)) => format!("cmd:{command}"),
            (None, At::Tcp(address)) => format!("tcp:{address}"),
            (None, At::Unix(path)) => format!("unix:{}", Path::new(path).display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_is_named_by_where_it_is_and_nothing_else_is() {
        let spec = Spec::parse("cmd:python3 w.py --x a:b").unwrap().unwrap();
        assert_eq!(spec.at, At::Command("python3 w.py --x a:b".into()));
        assert_eq!((spec.processes, spec.described().as_str()), (2, "cmd:python3 w.py --x a:b"));
        assert_eq!(Spec::parse("tcp:localhost:9000").unwrap().unwrap().processes, 1);
        for none in ["household", "webshop", "x:y"] {
            assert_eq!(Spec::parse(none).unwrap(), None, "{none}");
        }
        for odd in ["cmd:", "cmd:  ", "tcp:9000", "tcp:host:port", "tcp::1", "unix:"] {
            assert!(Spec::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn the_worlds_of_a_file_are_read_and_what_means_nothing_is_refused_by_name() {
        let text = "theme = \"dark\"\n[worlds.lamp]\nsuite = \"cmd:python3 l.py\"\nprocesses = 4\n\
                    timeout_s = 5\nmemory_mb = 512";
        let found = parse(text).unwrap();
        assert_eq!((found[0].processes, found[0].memory_mb), (4, Some(512)));
        assert_eq!((found[0].patience.as_secs(), found[0].start.as_secs()), (5, 120));
        for (text, said) in [
            ("[worlds.a]\nsuite = \"cmd:x\"\ncolour = 3", "colour"),
            ("[worlds.a]\nsuite = \"household\"", "no world of another program"),
            ("[worlds.a]\nprocesses = 1", "suite"),
            ("[worlds.a]\nsuite = \"cmd:x\"\nprocesses = 0", "processes = 0"),
            ("[worlds.a]\nsuite = \"tcp:h:1\"\nmemory_mb = 9", "memory_mb"),
            ("[worlds.household]\nsuite = \"cmd:x\"", "household"),
            ("[worlds.\"a b\"]\nsuite = \"cmd:x\"", "a b"),
            ("[worlds]\na = 3", "[worlds.a]"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message().contains(said), "{text}: {error}");
        }
    }
}
