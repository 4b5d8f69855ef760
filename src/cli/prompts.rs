//! `foretaste prompts`: a prompt, rewritten by reflection on what came of it.

mod optimise;

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::json;

use self::optimise::{Design, Tried};
use super::{Common, number};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::paths;
use crate::prompts::{self, Journal, Known, Outcome};
use crate::store::Store;
use crate::text::{apart, counted, percent, signed};

/// Arguments of `foretaste prompts`.
#[derive(Debug, Args)]
pub struct PromptsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Rewrite what a mind is told before it acts by what came of it in games (GEPA), or with --agent what
    /// an agent of others tells its model; of a name that was begun, go on where it stands
    Optimise(Box<optimise::OptimiseArgs>),
    /// Those that were begun
    List,
    /// The texts of one as a tree, with their scores, and how each differs from the one before it
    Show {
        /// Its name
        name: String,
    },
    /// Forget one, with all that was answered
    Forget {
        /// Its name
        name: String,
    },
    /// Write a text as prompts/NAME.toml, for a mind of config.toml or a route of the gateway to name
    Accept {
        /// Its name
        name: String,
        /// Which text (default: the best on average)
        #[arg(long, value_name = "N", value_parser = number::<usize>(0..=1_000_000))]
        candidate: Option<usize>,
    },
}

/// Answers in the store.
struct Kept<'a> {
    store: &'a mut Store,
    name: &'a str,
}

impl Journal for Kept<'_> {
    fn known(&self, asked: &str) -> Result<Option<String>> {
        self.store.prompt_answer(self.name, asked)
    }

    fn keep(&mut self, asked: &str, answer: &str) -> Result<()> {
        self.store.keep_prompt_answer(self.name, asked, answer)
    }
}

/// Runs the command.
pub fn run(common: &Common, args: PromptsArgs) -> Result<()> {
    match args.what {
        What::Optimise(args) => optimise::begin(common, &args),
        What::Forget { name } => forget(common, &name),
        What::List => list(common),
        What::Show { name } => show(common, &name),
        What::Accept { name, candidate } => accept(common, &name, candidate),
    }
}

fn forget(common: &Common, name: &str) -> Result<()> {
    let mut store = common.store()?;
    if !store.forget_prompt(name)? {
        return Err(Error::usage(format!("no prompt is called {name}"))
            .hint("list them with: foretaste prompts list"));
    }
    common.out().line(&json!({"forgotten": name}), || format!("{name} is forgotten"));
    Ok(())
}

fn stored(store: &Store, name: &str) -> Result<Option<Design>> {
    let design = store.prompt_design(name)?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|e| Error::new(format!("the prompt {name}: {e}")))
    };
    design.map(read).transpose()
}

/// Nobody who answers: what is known is read again, and nothing is asked.
struct Nobody<'a>(&'a Tried);

impl prompts::Trial for Nobody<'_> {
    fn run(
        &mut self,
        _: &str,
        _: &[prompts::Item],
        _: &mut dyn FnMut(usize, prompts::Scored) -> Result<()>,
    ) -> Result<()> {
        Err(Error::cancelled())
    }

    fn rewrite(&mut self, _: &str) -> Result<String> {
        Err(Error::cancelled())
    }

    fn vet(&self, text: &str) -> Option<String> {
        self.0.unfit(text)
    }
}

/// How an optimisation stands, from what is kept.
fn standing(store: &mut Store, name: &str) -> Result<(Design, Outcome)> {
    let none = || {
        Error::usage(format!("no prompt is called {name}"))
            .hint("list them with: foretaste prompts list")
    };
    let design = stored(store, name)?.ok_or_else(none)?;
    let mut last = None;
    let mut kept = Kept { store, name };
    let each = &mut |so_far: &Outcome| last = Some(so_far.clone());
    let control = Control::default();
    let nobody = &mut Nobody(&design.tried);
    match prompts::optimise(&design.text, &design.plan, nobody, &mut kept, &control, each) {
        Ok(found) => Ok((design, found)),
        Err(error) if error.is_cancelled() => {
            let unknown = || Error::new(format!("{name}: the first text was not tried to its end"));
            Ok((design, last.ok_or_else(unknown)?))
        }
        Err(error) => Err(error),
    }
}

fn list(common: &Common) -> Result<()> {
    let mut store = common.store()?;
    let out = common.out();
    for name in store.prompt_names()? {
        let row = match standing(&mut store, &name) {
            Ok((design, found)) => json!({"name": name, "texts": found.candidates.len(),
                "first": found.candidates[0].mean(), "best": found.candidates[found.best].mean(),
                "trials": found.trials, "budget": design.plan.budget}),
            Err(error) => json!({"name": name, "error": error.message()}),
        };
        out.line(&row, || super::out::pairs(&row));
    }
    Ok(())
}

fn scored(n: usize, known: &Known) -> String {
    let parent = known.parent.map_or("the first text".into(), |parent| format!("from {parent}"));
    format!(
        "text {n} ({parent}): {} on {}, after {} in all",
        percent(known.mean()),
        counted(known.scores.len() as u64, "item"),
        known.trials
    )
}

fn show(common: &Common, name: &str) -> Result<()> {
    let mut store = common.store()?;
    let (_, found) = standing(&mut store, name)?;
    common.out().line(&json!(found), || {
        let mut lines = Vec::new();
        tree(&found, None, 0, &mut lines);
        lines.push(format!(
            "best on average: {}; best on some game and not dominated: {}",
            found.best,
            found.front.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ));
        lines.join("\n")
    });
    Ok(())
}

/// The texts below one, each with what it says otherwise.
fn tree(found: &Outcome, parent: Option<usize>, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    for (n, known) in found.candidates.iter().enumerate() {
        if known.parent != parent {
            continue;
        }
        lines.push(format!("{indent}{}", scored(n, known)));
        let said = match parent {
            None => known.text.clone(),
            Some(parent) => changed(&found.candidates[parent].text, &known.text),
        };
        lines.extend(said.lines().map(|line| format!("{indent}  {line}")));
        tree(found, Some(n), depth + 1, lines);
    }
}

/// What a text leaves out of another and what it adds, by words.
fn changed(old: &str, new: &str) -> String {
    let [was, is] = apart(old, new);
    format!("was: {}\nis:  {}", signed(&was, ['[', ']']), signed(&is, ['{', '}']))
}

fn accept(common: &Common, name: &str, candidate: Option<usize>) -> Result<()> {
    let mut store = common.store()?;
    let (design, found) = standing(&mut store, name)?;
    let n = candidate.unwrap_or(found.best);
    let known = found.candidates.get(n).ok_or_else(|| {
        Error::usage(format!("{name} has {} texts, counted from 0", found.candidates.len()))
    })?;
    let folder = store.root().join("prompts");
    let path = folder.join(format!("{name}.toml"));
    std::fs::create_dir_all(&folder).map_err(|e| Error::io("making", &folder, &e))?;
    let (file, how) = design.tried.file(name, &known.text);
    paths::write_whole(&path, false, |out| {
        out.write_all(file.as_bytes()).map_err(|e| Error::io("writing", &path, &e))
    })?;
    common
        .out()
        .line(&json!({"prompt": name, "candidate": n, "file": path.display().to_string()}), || {
            format!("{}\nwritten to {}; {how}", scored(n, known), path.display())
        });
    Ok(())
}
