//! The commands: everything a screen can do, without a terminal.

mod bench;
mod calls;
mod collect;
mod complete;
mod curate;
mod data;
mod doctor;
mod engine;
mod env;
mod eval;
mod gateway;
mod labels;
mod make;
mod minds;
mod model;
mod noise;
mod out;
mod person;
mod plain;
mod prompts;
mod replay;
mod rl;
mod shop;
mod study;
mod train;
mod visits;
mod world;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::budget;
use crate::control::Control;
use crate::ends;
use crate::env::{Opened, Suite, foreign, limited, open_named};
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::model::kernels::forms;
use crate::paths;
use crate::store::Store;
use crate::text;
use crate::tui::commands::Place;
use crate::tui::keymap;
use out::Out;

/// A terminal workbench for training language agents from their own early experience.
#[derive(Debug, Parser)]
#[command(name = "foretaste", version, max_term_width = 100)]
#[command(
    after_help = "Without a command the terminal program opens.\n\nExit codes: 0 ok, 1 failed, 2 \
                  wrong usage.\n\n\
Examples:\n  foretaste\n  foretaste --suite alfworld --data ~/alfworld\n  foretaste collect demos \
--suite household --split train --games 50\n  \
foretaste train --objective imitation --steps 200\n  foretaste eval --suite household --split \
unseen --games 20 --json"
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    opening: SuiteArgs,
    #[command(flatten)]
    expert: person::ExpertArg,
    /// Plain lines and a prompt in place of screens: for screen readers and slow lines
    #[arg(long)]
    plain: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Args)]
struct Common {
    /// Where everything is kept (default: the platform's data directory)
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// One JSON object per line on stdout; progress goes to stderr
    #[arg(long, global = true)]
    json: bool,
}

impl Common {
    fn store(&self) -> Result<Store> {
        let store = Store::open(&paths::data_dir(self.data_dir.clone())?)?;
        if let Some(why) = store.read_only() {
            out::tell(&format!(
                "warning: {} cannot be written ({why}): it is only read",
                store.root().display()
            ));
        }
        Ok(store)
    }

    fn out(&self) -> Out {
        Out::new(self.json)
    }
}

/// Which suite, and where its files are.
#[derive(Debug, Clone, Args)]
struct SuiteArgs {
    /// The suite: household, webshop or textcraft (all in the program), alfworld, or a world of
    /// another program: cmd:COMMAND, tcp:HOST:PORT, unix:PATH, a name of config.toml
    #[arg(long, default_value = "household")]
    suite: String,
    /// The suite's files (alfworld: the folder with train/, valid_seen/, ...; default
    /// $ALFWORLD_DATA; webshop: the folder with items_shuffle*.json, textcraft: with recipes/, each
    /// else of its own)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Steps an episode may take, refused actions included (default: the suite's, mostly 50)
    #[arg(long, value_name = "N", value_parser = number::<usize>(1..=1_000_000))]
    step_limit: Option<usize>,
}

impl SuiteArgs {
    fn open(&self) -> Result<Arc<dyn Suite>> {
        let suite = open_named(&self.suite, self.data.as_deref())?;
        Ok(match self.step_limit {
            Some(limit) => limited(suite, limit),
            None => suite,
        })
    }

    /// An open game, with the steps that were asked for.
    fn limit(&self, opened: Opened) -> Opened {
        Opened { limit: self.step_limit.unwrap_or(opened.limit), ..opened }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List suites and tasks, step an environment, play its expert
    Env(env::EnvArgs),
    /// Collect demonstrations, executed alternatives, reflections
    Collect(collect::CollectArgs),
    /// Decide on reflections: approve, reject, edit, requeue, undo
    Curate(curate::CurateArgs),
    /// See and export what is in the store
    Data(data::DataArgs),
    /// Train on the curated data
    Train(Box<train::TrainArgs>),
    /// Play games with a policy and report its success rate
    Eval(eval::EvalArgs),
    /// Arms, seeds and amounts of data crossed: train and play them all, and say which is better
    Study(study::StudyArgs),
    /// Print a stored trajectory step by step
    Replay(replay::ReplayArgs),
    /// Make a fresh model, or pack a checkpoint into a model folder
    Model(model::ModelArgs),
    /// List and test minds: endpoints of config.toml, URLs, model folders
    Minds(minds::MindsArgs),
    /// Answer agents of others, write down what they ask, and learn from it
    Gateway(gateway::GatewayArgs),
    /// Rewrite a mind's prompt by reflection on what came of it (GEPA)
    Prompts(prompts::PromptsArgs),
    /// Measure this program on this machine
    Bench(bench::BenchArgs),
    /// Every key of the terminal program
    Keys {
        /// As a page of the docs
        #[arg(long)]
        markdown: bool,
    },
    /// Completions for a shell, on stdout
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// The manual page, on stdout
    Man,
    /// Check terminal, data directory, model and suites, and say what to do about each finding
    Doctor {
        /// Also whether torchrun could train on this machine, as ssh knows it
        #[arg(long, value_name = "HOST")]
        ssh: Option<String>,
        /// The Python that has torch (default: FORETASTE_PYTHON, else python3; with --ssh python3)
        #[arg(long)]
        python: Option<String>,
    },
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match parsed() {
        Ok(cli) => cli,
        // What was typed stands in the message: as it is only where it cannot drive the terminal.
        Err(error)
            if error.use_stderr() && text::clean(&error.to_string()) != error.to_string() =>
        {
            out::tell(error.to_string().trim_end());
            return ExitCode::from(2);
        }
        Err(error) => error.exit(),
    };
    match guarded("foretaste", || run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_cancelled() => {
            out::tell(
                "stopped. What was acknowledged is saved; a run goes on with: foretaste train \
                 --resume RUN",
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            out::tell(&format!("error: {error}"));
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    forms::check()?;
    let common = cli.common.clone();
    if let Ok(root) = paths::data_dir(common.data_dir.clone()) {
        foreign::lives_in(root);
    }
    match cli.command {
        None if cli.plain => plain::run(&common, &cli.opening, cli.expert.name()),
        None => open_terminal(&common, &cli.opening, &cli.expert),
        Some(Command::Env(args)) => env::run(&common, args),
        Some(Command::Collect(args)) => collect::run(&common, args),
        Some(Command::Curate(args)) => curate::run(&common, args),
        Some(Command::Data(args)) => data::run(&common, args),
        Some(Command::Train(args)) => train::run(&common, *args),
        Some(Command::Eval(args)) => eval::run(&common, &args),
        Some(Command::Study(args)) => study::run(&common, &args),
        Some(Command::Replay(args)) => replay::run(&common, &args),
        Some(Command::Minds(args)) => minds::run(&common, &args),
        Some(Command::Prompts(args)) => prompts::run(&common, args),
        Some(Command::Gateway(args)) => gateway::run(&common, args),
        Some(Command::Model(args)) => model::run(&common, args),
        Some(Command::Bench(args)) => bench::run(&common, args),
        Some(Command::Keys { markdown }) => keys(&common, markdown),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "foretaste", &mut script);
            out::page(&String::from_utf8_lossy(&script));
            Ok(())
        }
        Some(Command::Man) => {
            let mut manual = Vec::new();
            let made = clap_mangen::Man::new(Cli::command()).render(&mut manual);
            made.map_err(|e| Error::new(format!("making the manual page: {e}")))?;
            out::page(&String::from_utf8_lossy(&manual));
            Ok(())
        }
        Some(Command::Doctor { ssh, python }) => doctor::run(&common, &cli.opening, ssh, python),
    }
}

fn parsed() -> std::result::Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches()?;
    match misplaced(&matches) {
        Some(misplaced) => Err(Cli::command().error(ErrorKind::ArgumentConflict, misplaced)),
        None => Cli::from_arg_matches(&matches),
    }
}

/// A number from a range: what is outside of it is refused before anything is done, or any memory
/// asked for.
fn number<T: TryFrom<u64> + Clone + Send + Sync + 'static>(
    range: RangeInclusive<u64>,
) -> RangedU64ValueParser<T> {
    RangedU64ValueParser::new().range(range)
}

/// A number with a fraction from a range; what is no number is in none.
fn real(range: RangeInclusive<f64>) -> impl Fn(&str) -> std::result::Result<f64, String> + Clone {
    move |text| {
        let value: f64 = text.parse().map_err(|_| "not a number".to_string())?;
        let said = || format!("not within {} and {}", range.start(), range.end());
        range.contains(&value).then_some(value).ok_or_else(said)
    }
}

/// Options of the terminal program before a command would be ignored by it: that is refused.
fn misplaced(matches: &ArgMatches) -> Option<String> {
    let (command, _) = matches.subcommand().filter(|(command, _)| *command != "doctor")?;
    let given = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
    let name = ["suite", "data", "step_limit", "expert", "plain"]
        .into_iter()
        .find(given)?
        .replace('_', "-");
    Some(format!(
        "--{name} before a command is for the terminal program; options of `{command}` come after \
         it (foretaste {command} --help)"
    ))
}

/// The key table with the person's own keys in it.
fn keys(common: &Common, markdown: bool) -> Result<()> {
    if markdown {
        out::page(&keymap::page());
        return Ok(());
    }
    let map = keymap::Keymap::load(&paths::data_dir(common.data_dir.clone())?.join("keys.toml"))?;
    for entry in &map.entries {
        let scope = keymap::word(entry.binding.screen);
        let b = &entry.binding.key;
        let row = serde_json::json!({"screen": scope, "name": b.name, "keys": entry.shown,
        "what": b.long});
        common
            .out()
            .line(&row, || format!("{scope:<11} {:<15} {:<13} {}", b.name, entry.shown, b.long));
    }
    Ok(())
}

fn open_terminal(common: &Common, opening: &SuiteArgs, expert: &person::ExpertArg) -> Result<()> {
    use std::io::IsTerminal;
    if !out::is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Error::new(
            "the terminal program needs a terminal, and this is a pipe or a file",
        )
        .hint(
            "use a command instead: env, collect, curate, data, train, eval, replay, model, bench, \
             doctor (foretaste --help)",
        ));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(Error::new("this terminal (TERM is dumb) cannot place its cursor")
            .hint("add --plain: lines and a prompt"));
    }
    let root = paths::data_dir(common.data_dir.clone())?;
    let suite = opening.open()?;
    let mut place = Place {
        suite: suite.name().to_string(),
        files: opening.data.as_ref().map(|files| files.display().to_string()),
        evaluated_on: suite.evaluated_on(),
        data_dir: None,
    };
    place.set_data_dir(&root, paths::data_dir(None).ok().as_deref());
    crate::tui::run(&root, &suite, expert.name(), place)
}

/// A control that Ctrl-C, a polite kill and a closed window or pipe end cleanly.
fn interruptible() -> Result<Control> {
    let control = Control::default();
    out::ends_with_output(&control.cancel);
    ends::cancels(&control.cancel)?;
    budget::obey(&control.cancel);
    Ok(control)
}

#[cfg(test)]
mod tests;
