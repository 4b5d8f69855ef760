//! `foretaste env`.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::person::{ExpertArg, Person};
use super::shop::{IndexArgs, ShopArgs, index};
use super::world::{CheckArgs, check, sidecar};
use super::{Common, Out, SuiteArgs, interruptible, make, out};
use crate::env::tw_pddl::TwPddl;
use crate::env::tw_pddl::prior::Counts;
use crate::env::{Environment, Opened, TaskRef, open_game_file, webshop};
use crate::episode::follow;
use crate::error::{Error, Result};
use crate::paths;

/// Arguments of `foretaste env`.
#[derive(Debug, Args)]
pub struct EnvArgs {
    #[command(subcommand)]
    command: EnvCommand,
}

#[derive(Debug, Subcommand)]
enum EnvCommand {
    /// Suites and splits, or the tasks of a split
    List {
        #[command(flatten)]
        suite: SuiteArgs,
        /// List this split's tasks
        #[arg(long)]
        split: Option<String>,
    },
    /// Step a game: actions from stdin, one a line; a state after each
    Step {
        #[command(flatten)]
        game: GameArgs,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Play an expert to the end of a game
    Expert {
        #[command(flatten)]
        game: GameArgs,
        #[command(flatten)]
        expert: ExpertArg,
    },
    /// How far the goal is, and every action that starts a shortest way to it
    Actions {
        #[command(flatten)]
        game: GameArgs,
        /// An action to take first; may be given several times
        #[arg(long = "after", value_name = "ACTION")]
        prefix: Vec<String>,
    },
    /// Print where things are usually found: the table that the fair expert searches by
    Prior {
        #[command(flatten)]
        suite: SuiteArgs,
        /// The split to count on
        #[arg(long, default_value = "train")]
        split: String,
        /// How many games
        #[arg(long, default_value_t = 4000)]
        games: usize,
    },
    /// Try everything that must hold of a world on a suite, and say what fails
    Check(CheckArgs),
    /// A side-car in Python that makes a world of something: print it, or list them
    Sidecar {
        /// Which; without one they are listed
        name: Option<String>,
    },
    /// Make the index of a catalogue that is too large for memory (webshop with all its products)
    Index(IndexArgs),
    /// Write a suite's games as files
    Make(make::MakeArgs),
}

/// Which game.
#[derive(Debug, Args)]
pub(super) struct GameArgs {
    #[command(flatten)]
    pub suite: SuiteArgs,
    /// A game.tw-pddl file
    #[arg(long, value_name = "FILE", conflicts_with = "task", required_unless_present = "task")]
    game: Option<PathBuf>,
    /// A task of the suite (see env list)
    #[arg(long)]
    pub task: Option<String>,
    /// Seed of whatever is random in the environment (these suites are deterministic)
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl GameArgs {
    pub fn open(&self) -> Result<Opened> {
        let opened = match (&self.game, &self.task) {
            (Some(file), _) => {
                let id = file.display().to_string();
                let opened =
                    open_game_file(file, &self.suite.suite, TaskRef { id, kind: String::new() })?;
                self.suite.limit(opened)
            }
            (None, Some(task)) => self.suite.open()?.open(task)?,
            (None, None) => return Err(Error::new("name a game with --game FILE or --task ID")),
        };
        if let Some(warning) = &opened.warning {
            out::tell(&format!("warning: {warning}"));
        }
        Ok(opened)
    }
}

/// Runs the command.
pub fn run(common: &Common, args: EnvArgs) -> Result<()> {
    let out = common.out();
    match args.command {
        EnvCommand::List { suite, split } => list(&out, &suite, split.as_deref()),
        EnvCommand::Step { game, shop } => step(common, &game, &shop),
        EnvCommand::Expert { game, expert } => {
            let out = Out::new(common.json || !out::is_terminal());
            let mut opened = game.open()?;
            let person = Person;
            let expert = expert.teacher(&person).expert(&opened.experts)?;
            show(&out, 0, None, opened.env.as_ref());
            let mut t = 0;
            let won = follow(
                opened.env.as_mut(),
                expert,
                opened.limit,
                &interruptible()?.cancel,
                |env, action| {
                    t += 1;
                    show(&out, t, Some(action), env);
                },
            )?;
            won.map_err(|why| {
                Error::new(format!("the expert {} does not win this game: {why}", expert.name()))
            })
        }
        EnvCommand::Actions { game, prefix } => actions(&out, &game, &prefix),
        EnvCommand::Prior { suite, split, games } => prior(&suite, &split, games),
        EnvCommand::Check(args) => check(common, &args),
        EnvCommand::Sidecar { name } => sidecar(&out, name.as_deref()),
        EnvCommand::Index(args) => index(common, &args),
        EnvCommand::Make(args) => make::run(common, &args),
    }
}

fn list(out: &Out, args: &SuiteArgs, split: Option<&str>) -> Result<()> {
    let suite = args.open()?;
    if let Some(split) = split {
        for task in suite.tasks(split)? {
            out.line(
                &json!({"suite": suite.name(), "split": split, "task": task.id, "kind": task.kind}),
                || format!("{}  {}", task.id, task.kind),
            );
        }
        return Ok(());
    }
    let mut empty = None;
    let mut some = false;
    for split in suite.splits() {
        let count = match suite.tasks(&split) {
            Ok(tasks) => tasks.len(),
            Err(error) => {
                out::tell(&format!("warning: {}", error.message()));
                empty = Some(error);
                0
            }
        };
        some |= count > 0;
        out.line(&json!({"suite": suite.name(), "split": split, "tasks": count}), || {
            format!("{}  {split}  {count} tasks", suite.name())
        });
    }
    // Nothing at all is an error, and not only a list of noughts.
    empty.filter(|_| !some).map_or(Ok(()), Err)
}

fn actions(out: &Out, game: &GameArgs, prefix: &[String]) -> Result<()> {
    let opened = game.open()?;
    let mut env = opened.env;
    for action in prefix {
        if !env.turn().admits(action) {
            return Err(Error::new(format!("`{action}` is not admissible there"))
                .hint("env step shows what is"));
        }
        env.step(action)?;
    }
    let cancel = interruptible()?.cancel;
    let left = opened.experts.distance(env.as_ref(), &cancel);
    let starts = if env.turn().success {
        Ok(Vec::new())
    } else {
        opened.experts.optimal_actions(env.as_ref(), &cancel)
    };
    let (left, starts) = match (left, starts) {
        (Ok(left), Ok(starts)) => (left, starts),
        (Err(why), _) | (_, Err(why)) => return Err(Error::new(format!("the planner: {why}"))),
    };
    let row = json!({"observation": env.turn().observation, "steps_left": left, "actions": starts});
    out.line(&row, || format!("{left} steps left\n{}", starts.join("\n")));
    Ok(())
}

fn prior(args: &SuiteArgs, split: &str, games: usize) -> Result<()> {
    let suite = args.open()?;
    let mut counts = Counts::default();
    for task in suite.tasks(split)?.iter().take(games) {
        let opened = suite.open(&task.id)?;
        let env = opened.env.as_any().downcast_ref::<TwPddl>();
        counts.add(
            env.ok_or_else(|| Error::new("only PDDL text games have such a table"))?.world().game(),
        )?;
    }
    out::page(&counts.table());
    Ok(())
}

fn state(t: usize, action: Option<&str>, env: &dyn Environment) -> Value {
    let turn = env.turn();
    let mut row = json!({
        "t": t,
        "action": action,
        "observation": turn.observation,
        "admissible": turn.actions.listed,
        "free": turn.actions.texts().1,
        "reward": turn.reward,
        "done": turn.done,
        "success": turn.success,
        "truncated": turn.truncated,
    });
    if let Some(visit) = env.as_any().downcast_ref::<webshop::Visit>() {
        row.as_object_mut().into_iter().for_each(|row| row.extend(visit.page()));
    }
    row
}

fn show(out: &Out, t: usize, action: Option<&str>, env: &dyn Environment) {
    out.line(&state(t, action, env), || {
        let turn = env.turn();
        let admissible = turn.actions.in_words();
        let end = if turn.success { "\n  done: success" } else { "" };
        format!("{t}> {}\n{}\n  [{admissible}]{end}", action.unwrap_or("(start)"), turn.observation)
    });
}

fn step(common: &Common, game: &GameArgs, shop: &ShopArgs) -> Result<()> {
    let by_hand = std::io::stdin().is_terminal() && out::is_terminal();
    let out = Out::new(common.json || !by_hand);
    let mut env = shop.open(game)?.env;
    show(&out, 0, None, env.as_ref());
    let mut t = 0;
    let mut refused = 0;
    while let Some(line) = paths::stdin_line().map_err(|e| {
        Error::new(format!("stdin line {}: {e}", t + 1))
            .hint("send one action a line as UTF-8 text")
    })? {
        let action = line.as_str();
        t += 1;
        if !env.turn().admits(action) {
            refused += 1;
            out::tell(&format!(
                "stdin line {t}: `{action}` is not admissible here; the answer is the \
                 environment's own"
            ));
        }
        env.step(action)?;
        show(&out, t, Some(action), env.as_ref());
    }
    if refused == 0 {
        return Ok(());
    }
    Err(Error::new(format!("{refused} of {t} actions were not admissible")).hint(
        "choose from the `admissible` list of the state before; every answer was still written",
    ))
}
