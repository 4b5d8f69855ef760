//! Endpoints by name: `[minds.NAME]` in `config.toml` of the data directory.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::NEWEST;
use super::endpoint::Profile;
use super::prompt::Questions;
use super::remote::ReflectingProfile;
use crate::error::{Error, Result};
use crate::model::BuiltIn;
use crate::paths;
use crate::text::line_of;

/// A mind as a person wrote it down: where it is, and how it is asked for reflections.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// What it goes by.
    pub name: String,
    /// The endpoint.
    pub profile: Profile,
    /// How it is asked for reflections, by name; none is the usual way.
    pub reflections: Option<String>,
    /// What it is told that it is asked, by name; none is the usual way.
    pub prompts: Option<String>,
    /// The model whose tokens it is given, in place of messages ([`super::served`]).
    pub tokens_of: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    minds: BTreeMap<String, toml::Table>,
}

/// Whether a name is that of an endpoint: a URL, with `#MODEL` behind it for one of its models.
pub fn is_url(name: &str) -> bool {
    name.starts_with("http://") || name.starts_with("https://")
}

/// The minds of a data directory, in the order of their names.
pub fn all(root: &Path) -> Result<Vec<Named>> {
    let path = root.join("config.toml");
    parse(&paths::settings(&path)?).map_err(|error| error.at(path.display()))
}

/// The settings of a mind.
const FIELDS: [&str; 19] = [
    "url",
    "tokens_of",
    "reflections",
    "prompts",
    "model",
    "key",
    "timeout_s",
    "connect_timeout_s",
    "idle_timeout_s",
    "concurrency",
    "retries",
    "max_reply_tokens",
    "budget_tokens",
    "price_in",
    "price_out",
    "thinks_first",
    "system",
    "completion_limit",
    "extra",
];

/// Whether a mind may be called so: what means something else everywhere is no name.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty()
        && name.chars().all(plain)
        && !name.chars().all(|c| c.is_ascii_digit())
        && name != NEWEST
        && BuiltIn::named(name).is_none()
}

fn parse(text: &str) -> Result<Vec<Named>> {
    // The library quotes the line, and on the line may stand a key.
    let wrong = |e: &toml::de::Error| {
        let line = e.span().map(|span| line_of(text, span.start));
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let what = e.message().split('`').step_by(2).collect::<Vec<_>>().join("…");
        Error::new(format!("{place}{what}"))
    };
    let file: File = toml::from_str(text).map_err(|e| wrong(&e))?;
    let one = |(name, mut table): (String, toml::Table)| {
        let at = |error: Error| {
            error.at(format!("[minds.{name}]")).hint("docs/minds.md has every setting of a mind")
        };
        if !is_name(&name) {
            return Err(at(Error::new(
                "a name has letters, digits, dots and dashes, and is no number, nor newest or a \
                 model of the program",
            )));
        }
        match table.get("key") {
            None | Some(toml::Value::Table(_)) => {}
            Some(toml::Value::String(none)) if none == "none" => {}
            Some(_) => {
                return Err(at(Error::new("the key itself does not go into this file").hint(
                    "name the variable that has it, key = { env = \"NAME\" }, or a file that you \
                     alone can read, key = { file = \"PATH\" }",
                )));
            }
        }
        if let Some(odd) = table.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(at(Error::new(format!("`{odd}` is no setting of a mind"))
                .hint(format!("settings: {}", FIELDS.join(", ")))));
        }
        let mut named = |field: &str| match table.remove(field) {
            None => Ok(None),
            Some(toml::Value::String(name)) => Ok(Some(name)),
            Some(other) => Err(at(Error::new(format!("{field} = {other} is no name")))),
        };
        let (reflections, prompts) = (named("reflections")?, named("prompts")?);
        let tokens_of = named("tokens_of")?;
        if tokens_of.is_some() && (reflections.is_some() || prompts.is_some()) {
            return Err(at(Error::new(
                "tokens_of beside reflections or prompts: what is given in tokens is what it learnt from",
            )));
        }
        let profile: Profile =
            toml::Value::Table(table).try_into().map_err(|e: toml::de::Error| at(wrong(&e)))?;
        if profile.url.is_empty() {
            return Err(at(Error::new("`url` is missing")));
        }
        if tokens_of.is_some() && profile.model.is_none() {
            return Err(at(Error::new(
                "tokens_of without model: the first that a server lists may be the one without an adapter",
            )));
        }
        profile.vet().map_err(at)?;
        Ok(Named { name, profile, reflections, prompts, tokens_of })
    };
    file.minds.into_iter().map(one).collect()
}

/// The mind of that name or at that URL; none where it names something else.
pub fn find(root: &Path, name: &str) -> Result<Option<Named>> {
    if is_url(name) {
        let (url, model) =
            name.split_once('#').map_or((name, None), |(url, model)| (url, Some(model)));
        let model = model.filter(|model| !model.is_empty());
        // A password in it is not said again.
        Profile::at(url).vet()?;
        let profile = Profile { model: model.map(str::to_string), ..Profile::at(url) };
        let (reflections, prompts, tokens_of) = (None, None, None);
        return Ok(Some(Named { name: name.into(), profile, reflections, prompts, tokens_of }));
    }
    // A file that cannot be read is said where it matters: a name may mean something else.
    // And a folder of that name is that folder, in every command.
    if !is_name(name) || Path::new(name).exists() {
        return Ok(None);
    }
    Ok(all(root)?.into_iter().find(|mind| mind.name == name))
}

/// How a mind is asked for reflections.
pub fn reflecting(root: &Path, named: &Named) -> Result<ReflectingProfile> {
    let name = named.reflections.as_deref();
    name.map_or_else(
        || Ok(ReflectingProfile::default()),
        |name| ReflectingProfile::named(root, name),
    )
}

/// What a mind is told that it is asked.
pub fn questions(root: &Path, named: &Named) -> Result<Questions> {
    let name = named.prompts.as_deref();
    name.map_or_else(|| Ok(Questions::default()), |name| Questions::named(root, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minds_are_read_by_name_and_what_is_not_known_is_refused_by_name() {
        let text = "theme = \"dark\"\n[minds.writer]\nurl = \"http://127.0.0.1:1/v1\"\n\
                    price_in = 0.5\nreflections = \"paper-faithful\"\nkey = { env = \"X_KEY\" }";
        let found = parse(text).unwrap();
        assert_eq!((found[0].name.as_str(), found[0].profile.price_in), ("writer", Some(0.5)));
        assert_eq!(found[0].reflections.as_deref(), Some("paper-faithful"));
        for (text, said) in [
            ("[minds.a]\nurl = \"http://h\"\ncolour = 3", "`colour` is no setting"),
            ("[minds.a]\nurl = \"http://h\"\nkey = \"sk-4711\"", "does not go into"),
            ("[minds.a]\nurl = \"http://h\"\nconcurrency = 0", "concurrency"),
            ("[minds.a]\nmodel = \"m\"", "`url` is missing"),
            ("[minds.\"a b\"]\nurl = \"http://h\"", "letters"),
            ("[minds.a]\nurl = \"http://h\"\nreflections = 3", "reflections"),
            ("[minds.a]\nurl = \"http://h\"\nprompts = true", "prompts"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message().contains(said), "{text}: {error}");
            assert!(error.message().contains("[minds.a"), "{error}");
        }
    }

    #[test]
    fn a_url_is_a_mind_and_names_its_model() {
        let dir = tempfile::tempdir().unwrap();
        let found = find(dir.path(), "http://127.0.0.1:8080/v1#qwen").unwrap().unwrap();
        assert_eq!(found.profile.model.as_deref(), Some("qwen"));
        assert_eq!(found.profile.url, "http://127.0.0.1:8080/v1");
        assert_eq!(find(dir.path(), "embedded").unwrap(), None);
    }
}
