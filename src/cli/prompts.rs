//! `foretaste prompts`: a mind's prompt, rewritten by reflection on what came of it.

use std::io::Write;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Common, SuiteArgs, interruptible, number};
use crate::control::{Control, Meter};
use crate::error::{Error, Result};
use crate::paths;
use crate::prompts::{Game, Journal, Known, Outcome, Plan, Playing, Select, optimise, profile};
use crate::store::Store;
use crate::text::{apart, percent, signed};

/// Arguments of `foretaste prompts`.
#[derive(Debug, Args)]
pub struct PromptsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Rewrite what a mind is told before it acts, by what came of it in games (GEPA); of a name that was
    /// begun, go on where it stands
    Optimise(Box<OptimiseArgs>),
    /// Those that were begun
    List,
    /// The texts of one as a tree, with their scores, and how each differs from the one before it
    Show {
        /// Its name
        name: String,
    },
    /// Write a text as prompts/NAME.toml, for a mind of config.toml to name
    Accept {
        /// Its name
        name: String,
        /// Which text (default: the best on average)
        #[arg(long, value_name = "N", value_parser = number::<usize>(0..=1_000_000))]
        candidate: Option<usize>,
    },
}

#[derive(Debug, Args)]
struct OptimiseArgs {
    /// What it goes by
    name: String,
    #[command(flatten)]
    suite: SuiteArgs,
    /// Whose prompt it is: an endpoint's URL, or a mind of config.toml
    #[arg(long)]
    mind: Option<String>,
    /// Who writes new texts (default: the same)
    #[arg(long)]
    writer: Option<String>,
    /// The split that games are drawn from
    #[arg(long, default_value = "train")]
    split: String,
    /// Games that texts are rewritten by
    #[arg(long, default_value_t = 30, value_parser = number::<usize>(1..=10_000))]
    train: usize,
    /// Games that texts are compared on
    #[arg(long, default_value_t = 30, value_parser = number::<usize>(1..=10_000))]
    validation: usize,
    /// Games at most, all together
    #[arg(long, default_value_t = 300, value_parser = number::<u64>(1..=1_000_000))]
    budget: u64,
    /// Games that a rewriting is made by
    #[arg(long, default_value_t = 3, value_parser = number::<usize>(1..=100))]
    minibatch: usize,
    /// What is rewritten next: one that is best somewhere (GEPA), one of the four best on average (APO), or
    /// the best
    #[arg(long, value_enum, default_value_t = Select::Front)]
    select: Select,
    /// Steps of a game at most
    #[arg(long, default_value_t = 30, value_parser = number::<usize>(1..=10_000))]
    limit: usize,
    /// Decides everything that is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What an optimisation was begun with.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Design {
    game: Game,
    plan: Plan,
    /// The text that was begun with.
    text: String,
}

/// Answers in the store.
struct Kept<'a> {
    store: &'a mut Store,
    name: &'a str,
}

impl Journal for Kept<'_> {
    fn known(&self, asked: &str) -> Option<String> {
        self.store.prompt_answer(self.name, asked).ok().flatten()
    }

    fn keep(&mut self, asked: &str, answer: &str) -> Result<()> {
        self.store.keep_prompt_answer(self.name, asked, answer)
    }
}

/// Runs the command.
pub fn run(common: &Common, args: PromptsArgs) -> Result<()> {
    match args.what {
        What::Optimise(args) => begin(common, *args),
        What::List => list(common),
        What::Show { name } => show(common, &name),
        What::Accept { name, candidate } => accept(common, &name, candidate),
    }
}

fn begin(common: &Common, args: OptimiseArgs) -> Result<()> {
    let mut store = common.store()?;
    let looks = common.store()?;
    let suite = args.suite.open()?;
    let control = interruptible()?;
    let OptimiseArgs { name, mind, writer, split, train, validation, budget, minibatch, .. } = args;
    let begun = stored(&store, &name)?;
    let mind = mind.or_else(|| begun.as_ref().map(|design| design.game.mind.clone()));
    let mind = mind.ok_or_else(|| Error::usage("--mind: whose prompt is it?"))?;
    let game = Game {
        suite: suite.name().into(),
        split,
        writer: writer.unwrap_or_else(|| mind.clone()),
        mind,
        steps: args.limit,
    };
    let plan = Plan { train, validation, budget, minibatch, select: args.select, seed: args.seed };
    let mut playing = Playing::new(
        &looks,
        suite.as_ref(),
        game.clone(),
        (train, validation),
        args.seed,
        &control,
    )?;
    let design = match begun {
        None => {
            let design = Design { game, plan, text: playing.first().to_string() };
            store.begin_prompt(&name, &json!(design).to_string())?;
            design
        }
        // More may be spent than was asked for first; all else decides what the answers mean.
        Some(begun) if (&begun.game, Plan { budget, ..begun.plan }) == (&game, plan) => {
            Design { plan, ..begun }
        }
        Some(_) => {
            return Err(Error::usage(format!("{name} was begun with other settings"))
                .hint("give the same ones (--budget may differ), or another name"));
        }
    };
    let mut out = common.out();
    let meter = Meter::new("trials", 0, design.plan.budget);
    let mut told = 0;
    let each = &mut |so_far: &Outcome| {
        let mut progress = meter.at(so_far.trials);
        progress.doing = format!("{} texts,", so_far.candidates.len());
        out.progress(&progress);
        for (n, known) in so_far.candidates.iter().enumerate().skip(told) {
            super::out::tell(&scored(n, known));
        }
        told = so_far.candidates.len();
    };
    let mut kept = Kept { store: &mut store, name: &name };
    let found = optimise(&design.text, &design.plan, &mut playing, &mut kept, &control, each)?;
    let best = &found.candidates[found.best];
    common.out().line(&json!(found), || {
        format!(
            "{} texts written, {} of them no better on the games they were made by; {} games played\n{}\nwrite it \
             down: foretaste prompts accept {name}",
            found.written.0,
            found.written.1,
            found.trials,
            scored(found.best, best)
        )
    });
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
struct Nobody;

impl crate::prompts::Trial for Nobody {
    fn run(
        &mut self,
        _: &str,
        _: &[crate::prompts::Item],
        _: &mut dyn FnMut(usize, crate::prompts::Scored) -> Result<()>,
    ) -> Result<()> {
        Err(Error::cancelled())
    }

    fn rewrite(&mut self, _: &str) -> Result<String> {
        Err(Error::cancelled())
    }

    fn vet(&self, text: &str) -> Option<String> {
        (!text.contains("<action>")).then(|| "it asks for no <action>".to_string())
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
    match optimise(&design.text, &design.plan, &mut Nobody, &mut kept, &control, each) {
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
        "text {n} ({parent}): {} on {} games, after {} in all",
        percent(known.mean()),
        known.scores.len(),
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
    let (_, found) = standing(&mut store, name)?;
    let n = candidate.unwrap_or(found.best);
    let known = found.candidates.get(n).ok_or_else(|| {
        Error::usage(format!("{name} has {} texts, counted from 0", found.candidates.len()))
    })?;
    let folder = store.root().join("prompts");
    let path = folder.join(format!("{name}.toml"));
    std::fs::create_dir_all(&folder).map_err(|e| Error::io("making", &folder, &e))?;
    let file = profile(&known.text);
    paths::write_whole(&path, false, |out| {
        out.write_all(file.as_bytes()).map_err(|e| Error::io("writing", &path, &e))
    })?;
    common.out().line(&json!({"prompt": name, "candidate": n, "file": path}), || {
        format!(
            "{}\nwritten to {}; a mind of config.toml reads it by: prompts = \"{name}\"",
            scored(n, known),
            path.display()
        )
    });
    Ok(())
}
