//! `foretaste doctor`: what was found, and what to do about it.

use serde_json::json;

use super::{Common, SuiteArgs, out};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::kernels::forms;
use crate::train::torchrun::Settings as Torchrun;
use crate::tui::keymap::Keymap;
use crate::tui::settings::Settings;
use crate::{paths, store::Store};

/// Runs the command; fails if something must be mended before the program can work.
pub fn run(
    common: &Common,
    opening: &SuiteArgs,
    ssh: Option<String>,
    python: Option<String>,
) -> Result<()> {
    let out = common.out();
    let mut broken = 0;
    let mut say = |what: &str, ok: bool, found: String, next: Option<String>| {
        broken += u32::from(!ok);
        out.line(&json!({"check": what, "ok": ok, "found": found, "next": next}), || {
            let mark = if ok { "ok   " } else { "FAIL " };
            let next =
                next.as_deref().map(|next| format!("\n        next: {next}")).unwrap_or_default();
            format!("{mark} {what:<10} {found}{next}")
        });
    };
    let mut check = |what: &str, result: Result<String>| match result {
        Ok(found) => say(what, true, found, None),
        Err(error) => {
            say(what, false, error.message().to_string(), error.next_step().map(str::to_string));
        }
    };
    let root = paths::data_dir(common.data_dir.clone());
    let settings = root.clone().and_then(|root| Settings::load(&root.join("config.toml")));
    check("terminal", settings.map(|settings| terminal(&settings)));
    check(
        "keys",
        root.clone().and_then(|root| Keymap::load(&root.join("keys.toml"))).map(|map| {
            let own = map.entries.iter().filter(|entry| entry.is_own()).count();
            format!("{} bindings, {own} of them your own (keys.toml)", map.entries.len())
        }),
    );
    check("processor", forms::check().map(|()| forms::in_words()));
    check(
        "model",
        Model::embedded().map(|model| {
            let config = &model.decoder.config;
            format!(
                "embedded, {} layers x {}, {} tokens, context {}",
                config.layers, config.hidden, config.vocab, config.context
            )
        }),
    );
    check(
        "data",
        root.clone().and_then(|root| {
            let store = Store::open(&root)?;
            if let Some(why) = store.read_only() {
                return Err(Error::new(format!(
                    "{} cannot be written ({why}): it is only read",
                    root.display()
                ))
                .hint("name another data directory with --data-dir, or make this one writable"));
            }
            store.set_setting("doctor", "was here")?;
            let counts = store.counts()?;
            Ok(format!(
                "{} is writable: {} demonstrations, {} alternatives, {} runs",
                root.display(),
                counts.demonstrations,
                counts.branches,
                counts.runs
            ))
        }),
    );
    check(
        "minds",
        root.clone().and_then(|root| {
            let minds = crate::agent::minds::all(&root)?;
            let names: Vec<&str> = minds.iter().map(|mind| mind.name.as_str()).collect();
            Ok(match names.as_slice() {
                [] => "none in config.toml; optional: docs/minds.md".to_string(),
                names => format!("{} (test them with: foretaste minds)", names.join(", ")),
            })
        }),
    );
    check("disk", root.and_then(|root| disk(&root)));
    check(
        "household",
        crate::env::open_suite("household", None)
            .map(|suite| format!("{} splits", suite.splits().len())),
    );
    let alfworld = crate::env::open_suite("alfworld", opening.data.as_deref());
    check(
        "alfworld",
        match alfworld {
            Ok(suite) => Ok(format!("splits: {}", suite.splits().join(", "))),
            Err(error) => Ok(format!(
                "not set up ({}); optional: {}",
                error.message(),
                error.next_step().unwrap_or_default()
            )),
        },
    );
    let usual = Torchrun::new(1, ssh.clone());
    let asked = Torchrun { python: python.clone().unwrap_or(usual.python.clone()), ..usual };
    // Who names a machine or a Python means it.
    check(
        "torchrun",
        match ssh.or(python) {
            Some(_) => asked.installed(),
            None => Ok(torchrun(&asked)),
        },
    );
    check("devices", Ok(crate::model::device::Device::in_this_build()));
    if broken == 0 { Ok(()) } else { Err(Error::new(format!("{broken} of the checks failed"))) }
}

/// Whether the usual Python can make updates; nobody has to have it.
fn torchrun(usual: &Torchrun) -> String {
    usual.installed().unwrap_or_else(|error| {
        format!(
            "not set up ({}); optional: {}",
            error.message(),
            error.next_step().unwrap_or_default()
        )
    })
}

fn terminal(settings: &Settings) -> String {
    let size =
        crossterm::terminal::size().map_or("unknown size".into(), |(w, h)| format!("{w}x{h}"));
    let shown = if out::is_terminal() { size } else { "stdout is no terminal".into() };
    let term = std::env::var("TERM").unwrap_or_else(|_| "unset".into());
    format!("{shown}, TERM {term}; {}", settings.reasons())
}

/// Writes and removes a megabyte: whether there is room is what matters, not how much the system
/// claims.
fn disk(root: &std::path::Path) -> Result<String> {
    let probe =
        tempfile::NamedTempFile::new_in(root).map_err(|e| Error::io("writing to", root, &e))?;
    std::fs::write(probe.path(), vec![0; 1 << 20])
        .map_err(|e| Error::io("writing to", root, &e))?;
    Ok("there is room for a checkpoint".into())
}
