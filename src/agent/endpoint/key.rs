//! The key of an endpoint: where it is kept, and how it is kept out of what people read.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::paths;

/// What stands in a text where the key stood.
const HIDDEN: &str = "[the key]";

/// A shorter text is no secret, and to take it out would take words apart.
const SHORTEST: usize = 4;

/// How long a program may take that writes a key: a person may have to unlock a keyring.
const PATIENCE: Duration = Duration::from_mins(1);

/// A file of more bytes holds no key.
const LARGEST: u64 = 16 << 10;

/// Where the key of an endpoint is. The profile names the place and never holds the key, so it may
/// be shown, kept and sent on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// It wants none.
    #[default]
    None,
    /// The value of an environment variable.
    Env(String),
    /// The content of a file that only its owner can read; `~/` begins the home directory.
    File(PathBuf),
    /// What a program writes, like `secret-tool lookup …` or `pass show …`: a keyring is asked by
    /// its own program.
    Command(Vec<String>),
}

impl Key {
    /// Reads it.
    pub fn read(&self) -> Result<Option<Secret>> {
        match self {
            Self::None => Ok(None),
            Self::Env(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                if name.is_empty() || !name.chars().all(plain) {
                    // It may be the key itself, which is not to be seen.
                    return Err(Error::usage("key.env is not the name of an environment variable")
                        .hint("write its name there, and put the key into the variable"));
                }
                let text = std::env::var(name).map_err(|error| {
                    let why = match error {
                        std::env::VarError::NotPresent => "is not set",
                        std::env::VarError::NotUnicode(_) => "is not text",
                    };
                    Error::usage(format!("the environment variable {name} {why}")).hint(format!(
                        "the endpoint's profile says that its key is there: export {name}=…"
                    ))
                })?;
                Secret::new(&text).map(Some).map_err(|error| error.at(name))
            }
            Self::File(path) => {
                let path = &paths::at_home(path);
                Secret::new(&from_file(path)?).map(Some).map_err(|error| error.at(path.display()))
            }
            Self::Command(words) => {
                let place = words.first().map_or("key.command", String::as_str);
                Secret::new(&from_command(words)?).map(Some).map_err(|error| error.at(place))
            }
        }
    }
}

/// The text of a file that nobody else can read. The rights are those of the file that was opened,
/// whatever the path leads to by then.
fn from_file(path: &Path) -> Result<String> {
    let failed = |error: &std::io::Error| Error::io("reading the key", path, error);
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let about = file.metadata().map_err(|error| failed(&error))?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(Error::new(format!("{} is no file with a key in it", path.display())));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::usage(format!(
                "{}: others may read or change this key (its mode is {mode:o})",
                path.display()
            ))
            .hint(format!("chmod 600 {}", path.display())));
        }
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(|error| failed(&error))?;
    Ok(text)
}

/// What a program writes. Nothing of it is shown, neither what it says was wrong.
fn from_command(words: &[String]) -> Result<String> {
    let Some((program, args)) = words.split_first() else {
        return Err(Error::usage("key.command names no program").hint(
            "like key = { command = [\"secret-tool\", \"lookup\", \"service\", \"NAME\"] }",
        ));
    };
    let failed = |what: String| {
        Error::usage(format!("{program}: {what}"))
            .hint("the endpoint's profile says that this program writes its key: try it by hand")
    };
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let output = child.stdout.take();
    // Read aside: a program that writes without end, or never, ends with its time.
    let (sender, written) = std::sync::mpsc::channel();
    let reading = std::thread::Builder::new().name("key".into()).spawn(move || {
        let read = guarded("reading a key", || {
            let mut text = String::new();
            let read = output.map(|output| output.take(LARGEST).read_to_string(&mut text));
            read.transpose().map(|_| text).map_err(|error| Error::new(error.to_string()))
        });
        _ = sender.send(read); // nobody may wait any more
    });
    reading.map_err(|error| failed(format!("cannot be read: {error}")))?;
    let end = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            _ => {
                _ = child.kill();
                _ = child.wait();
                return Err(failed(format!("wrote no key within {} s", PATIENCE.as_secs())));
            }
        }
    };
    if !status.success() {
        return Err(failed(format!("ended with {status}")));
    }
    // What it left running may hold its output open.
    match written.recv_timeout(end.saturating_duration_since(Instant::now())) {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(_)) => Err(failed("wrote what is not text".into())),
        Err(_) => Err(failed("has ended, and what it left running has not".into())),
    }
}

/// A key. It is sent in one header, and shown nowhere: not by `{:?}`, and not in errors, which go
/// through [`Secret::scrub`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Secret {
    /// A key without the white space around it. The error says nothing of what was given.
    fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::usage("the key is empty"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::usage("the key has characters in it that no key has"));
        }
        Ok(Self(text.into()))
    }

    /// What the header `Authorization` says.
    pub(super) fn bearer(&self) -> Result<reqwest::header::HeaderValue> {
        let mut value = reqwest::header::HeaderValue::from_str(&format!("Bearer {}", self.0))
            .map_err(|_| Error::usage("the key cannot be sent in a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A text without the key in it, as it is and as JSON writes it.
    pub fn scrub(&self, text: &str) -> String {
        if self.0.len() < SHORTEST {
            return text.into();
        }
        let escaped = self.0.replace('\\', "\\\\").replace('"', "\\\"");
        text.replace(&escaped, HIDDEN).replace(&self.0, HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown() {
        let secret = Secret::new(" sk-\"abc\n").unwrap();
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "… Some(…)");
        assert_eq!(secret.scrub("bad key sk-\"abc."), "bad key [the key].");
        assert_eq!(secret.scrub("{\"k\":\"sk-\\\"abc\"}"), "{\"k\":\"[the key]\"}");
        assert!(secret.bearer().unwrap().is_sensitive());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key");
        std::fs::write(&path, "sk-secret\n").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = Key::File(path.clone()).read().unwrap_err();
            assert!(error.message().contains(&format!("{mode:o}")), "{error}");
            assert!(!error.to_string().contains("sk-secret"));
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Key::File(path).read().unwrap(), Some(Secret("sk-secret".into())));
        assert!(Key::File(place.path().into()).read().is_err());
        assert!(Key::File(place.path().join("none")).read().is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_keyring_is_asked_by_its_program_and_nothing_of_it_is_shown() {
        let command =
            |script: &str| Key::Command(["sh", "-c", script].map(str::to_string).to_vec()).read();
        assert_eq!(command("echo sk-secret").unwrap(), Some(Secret("sk-secret".into())));
        for bad in ["echo sk-secret; exit 3", "echo sk-secret >&2", "printf 'sk secret'"] {
            let error = command(bad).unwrap_err();
            assert!(error.to_string().starts_with("sh"), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(Key::Command(Vec::new()).read().is_err());
        let missing = Key::Command(vec!["no-such-keyring".into()]).read().unwrap_err();
        assert!(missing.message().contains("no-such-keyring: cannot be run"), "{missing}");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = Key::Env("FORETASTE_NO_SUCH_KEY".into()).read().unwrap_err();
        assert!(error.message().contains("FORETASTE_NO_SUCH_KEY is not set"), "{error}");
        assert_eq!(Key::None.read().unwrap(), None);
        for bad in ["", " \n", "a b", "kéy"] {
            let error = Secret::new(bad).unwrap_err();
            assert!(bad.trim().is_empty() || !error.to_string().contains(bad.trim()));
        }
    }
}
