//! `foretaste collect`.

use clap::{Args, Subcommand, ValueEnum};

use super::out::{self, pairs};
use super::person::{ExpertArg, Person};
use super::visits::{self, VisitsArgs};
use super::{Common, SuiteArgs, interruptible, number, real};
use crate::agent::template::Template;
use crate::agent::{self, REFLECTING, Reflector, Star};
use crate::collect::{self, ASKED, By, Contrast, Draw, Faults, Proposer, Wanted, Writing};
use crate::control::{Control, Progress};
use crate::curation::faults;
use crate::env::{Only, Part, Suite};
use crate::episode::Scope;
use crate::error::{Error, Result};
use crate::experience::{POLICY, UNIFORM};
use crate::model::sampler::Sampling;
use crate::model::team::Priority;
use crate::selection::Share;
use crate::store::Store;

/// Arguments of `foretaste collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All of the below, as the screens collect it: demonstrations, K uniform alternatives and 3 of
    /// the policy at every state, and a reflection of the template for each
    All {
        #[command(flatten)]
        range: Range,
        #[command(flatten)]
        expert: ExpertArg,
        /// Uniform alternatives a state; 0 for none
        #[arg(short, default_value_t = 4, value_parser = number::<usize>(0..=1000))]
        k: usize,
        /// Alternatives a state that are asked of the policy; 0 for none
        #[arg(long, default_value_t = ASKED, value_parser = number::<usize>(0..=1000))]
        asked: usize,
        /// Let the policy think before each
        #[arg(long)]
        think: bool,
        /// Write no reflections
        #[arg(long, conflicts_with = "writer")]
        no_reflections: bool,
        /// The mind that writes the reflections, in place of the template
        #[arg(long)]
        writer: Option<String>,
        #[command(flatten)]
        attempts: AttemptsArg,
        /// The policy: embedded, a checkpoint's number, a folder, an endpoint's URL, a mind of
        /// config.toml (default: the newest checkpoint)
        #[arg(long, visible_alias = "mind")]
        checkpoint: Option<String>,
    },
    /// Expert trajectories
    Demos {
        #[command(flatten)]
        range: Range,
        #[command(flatten)]
        expert: ExpertArg,
    },
    /// K executed alternatives at every state of the demonstrations
    Branches {
        #[command(flatten)]
        range: Range,
        /// Alternatives a state, in this pool
        #[arg(short, default_value_t = 4, value_parser = number::<usize>(1..=1000))]
        k: usize,
        /// Who proposes alternatives
        #[arg(long, value_enum, default_value_t = From::Uniform)]
        proposer: From,
        /// The pool they belong to (default: the proposer's name)
        #[arg(long)]
        pool: Option<String>,
        /// The policy: embedded, a checkpoint's number, a folder, an endpoint's URL, a mind of
        /// config.toml
        #[arg(long, visible_alias = "mind")]
        checkpoint: Option<String>,
        /// Let the policy think before each proposal
        #[arg(long)]
        think: bool,
        /// Execute the policy's proposals that are not admissible, and keep what the environment
        /// says to them
        #[arg(long)]
        keep_invalid: bool,
        /// Only for demonstrations by this expert (with --visits: for visits by this mind)
        #[arg(long)]
        expert: Option<String>,
        /// At every state of the visits, in place of the demonstrations
        #[arg(long)]
        visits: bool,
    },
    /// Episodes of the policy among these games, and what an expert would have done in the states that
    /// it came through (DAgger): `train --visits` imitates those answers too
    Visits(VisitsArgs),
    /// A reflection for every state with executed alternatives, pending review
    Reflections(ReflectionsArgs),
}

#[derive(Debug, Args)]
struct ReflectionsArgs {
    #[command(flatten)]
    range: Range,
    /// What writes them: a local model sees no outcome, and what it writes is a rationale only;
    /// one behind an endpoint is given the outcomes
    #[arg(long, value_enum, default_value_t = Generator::Template)]
    generator: Generator,
    /// The pool of alternatives that they are written from (default: policy, or uniform where
    /// that is empty)
    #[arg(long)]
    pool: Option<String>,
    /// At most so many alternatives a state
    #[arg(short, default_value_t = 3, value_parser = number::<usize>(1..=1000))]
    k: usize,
    /// The mind that writes, with --generator model or star (default: the newest checkpoint)
    #[arg(long, visible_alias = "mind")]
    checkpoint: Option<String>,
    /// Write about each alternative by itself
    #[arg(long)]
    each: bool,
    #[command(flatten)]
    attempts: AttemptsArg,
    /// How words are drawn, with --generator model or star (default: 0.7)
    #[arg(long, value_parser = real(0.0..=100.0))]
    temperature: Option<f64>,
    /// Only for demonstrations by this expert
    #[arg(long)]
    expert: Option<String>,
}

#[derive(Debug, Args)]
struct AttemptsArg {
    /// Attempts of a mind at a text, until the rules find nothing in it; all are kept
    #[arg(long, default_value_t = 1, value_parser = number::<usize>(1..=20))]
    attempts: usize,
    /// Write so many texts only, of different demonstrations: to be read before the same command
    /// without this writes, and pays for, all
    #[arg(long, value_parser = number::<usize>(1..=1000))]
    sample: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// Drawn from the list
    Uniform,
    /// Asked of the policy
    Policy,
    /// By turns: drawn from the list, and asked of the policy
    Mixture,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Generator {
    /// By a rule, from the executed outcomes
    Template,
    /// By a mind
    Model,
    /// What a mind thought before it did as the expert did, without sight of any outcome: a
    /// rationale (STaR). --attempts N lets it try again where it did something else
    Star,
}

#[derive(Debug, Args)]
pub struct Range {
    #[command(flatten)]
    pub suite: SuiteArgs,
    /// The split
    #[arg(long, default_value = "train")]
    split: String,
    /// How many games (of alternatives and reflections: how many that have demonstrations)
    #[arg(long, default_value_t = 20)]
    games: usize,
    /// Chooses the games and whatever is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only a share of the split's instances: 1/8, or 1/8@3 by the seed 3
    #[arg(long)]
    share: Option<Share>,
    /// Only games of these kinds
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    pub kinds: Vec<String>,
    /// Only this part of the split's games: 2/4 is the second of four, which together are all; for several
    /// processes at once
    #[arg(long, value_name = "I/N")]
    part: Option<Part>,
}

impl Range {
    /// Those of a suite's games that are meant.
    pub fn only<'a>(&'a self, suite: &'a dyn Suite) -> Only<'a> {
        Only { kinds: &self.kinds, part: self.part, ..Only::of(suite) }
    }

    /// As a scope.
    pub fn scope(&self) -> Scope {
        Scope { split: self.split.clone(), games: self.games, seed: self.seed, share: self.share }
    }
}

/// Runs the command.
pub fn run(common: &Common, args: CollectArgs) -> Result<()> {
    let mut store = common.store()?;
    let out = common.out();
    let mut live = common.out();
    let control = interruptible()?;
    let mut report = |row: serde_json::Value, progress: Progress| {
        if !row.is_null() {
            out.line(&row, || said(&row));
        }
        live.progress(&progress);
    };
    match args.what {
        What::All {
            range,
            expert,
            k,
            asked,
            think,
            no_reflections,
            writer,
            attempts,
            checkpoint,
        } => {
            let suite = range.suite.open()?;
            let scope = range.scope();
            let name = suite.name();
            let policy = |store: &Store| {
                agent::open(store, checkpoint.as_deref(), Some(name), Priority::Interactive)
            };
            let asked = if agent::knows(&store, checkpoint.as_deref(), name)? {
                asked
            } else {
                out::tell(&format!(
                    "no model knows {name} yet, so none is asked for alternatives (--checkpoint \
                     names one)"
                ));
                0
            };
            let open = |store: &Store| {
                agent::open(store, writer.as_deref(), Some(name), Priority::Interactive)
            };
            let AttemptsArg { attempts, sample } = attempts;
            check_writer(&store, writer.as_deref(), (attempts, sample), name)?;
            let by = match &writer {
                None => By::Template,
                Some(_) => By::Mind { open: &open, attempts, sample, faults: &faults },
            };
            let reflections = (!no_reflections).then_some(by);
            let teacher = expert.teacher(&Person);
            let wanted = Wanted { scope: &scope, teacher, k, asked, think, reflections };
            let suite = range.only(suite.as_ref());
            let found = collect::all(&mut store, &suite, wanted, &policy, &control, &mut report)?;
            out.line(&serde_json::json!({"collected": found}), || found.to_string());
            Ok(())
        }
        What::Demos { range, expert } => {
            let suite = range.suite.open()?;
            let teacher = expert.teacher(&Person);
            let suite = range.only(suite.as_ref());
            collect::demonstrations(
                &mut store,
                &suite,
                &range.scope(),
                teacher,
                &control,
                &mut report,
            )
        }
        What::Branches {
            range,
            k,
            proposer,
            pool,
            checkpoint,
            think,
            keep_invalid,
            expert,
            visits,
        } => {
            let policy = Policy { proposer, checkpoint, think, keep_invalid };
            let draw = Draw { pool, k, proposer: Proposer::Uniform, expert, visits };
            branches(common, &mut store, &range, policy, draw, &mut report)
        }
        What::Visits(args) => visits::run(&mut store, args, &control, &mut report),
        What::Reflections(args) => reflections(&mut store, args, &control, &mut report),
    }
}

fn reflections(
    store: &mut Store,
    args: ReflectionsArgs,
    control: &Control,
    report: collect::Report<'_>,
) -> Result<()> {
    let ReflectionsArgs { range, generator, pool, k, checkpoint, each, .. } = args;
    let ReflectionsArgs { attempts, temperature, expert, .. } = args;
    let suite = range.suite.open()?;
    let named = checkpoint.is_some();
    let open = |store: &Store| {
        agent::open(store, checkpoint.as_deref(), Some(suite.name()), Priority::Interactive)
    };
    let mut reflector: Box<dyn Reflector> = match generator {
        Generator::Template => Box::new(Template),
        Generator::Model => open(store)?,
        Generator::Star => Box::new(Star(open(store)?)),
    };
    if each && generator == Generator::Star {
        return Err(Error::usage("--each means nothing for STaR, which contrasts nothing")
            .hint("leave it out"));
    }
    let contrast = Contrast { pool, k, each, expert, anew: true };
    let how = drawn(temperature, generator, named)?;
    let AttemptsArg { attempts, sample } = attempts;
    let reflector = reflector.as_mut();
    // What a policy thought is kept for what it led to, whatever the rules say of it.
    let faults: Faults<'_> = if generator == Generator::Star { &|_, _| 0 } else { &faults };
    let writing = Writing { reflector, how, attempts, sample, faults };
    let suite = range.only(suite.as_ref());
    let scope = range.scope();
    collect::reflections(store, &suite, &scope, &contrast, writing, control, report)
}

/// Refuses a writer that is not there, before anything is collected, and what means nothing without
/// one.
fn check_writer(
    store: &Store,
    writer: Option<&str>,
    (attempts, sample): (usize, Option<usize>),
    suite: &str,
) -> Result<()> {
    match writer {
        Some(_) => agent::check(store, writer, Some(suite)),
        None if attempts > 1 => {
            Err(Error::usage("the template writes each text once (--attempts)")
                .hint("--writer MIND names one that can try again"))
        }
        None if sample.is_some() => {
            Err(Error::usage("the template's texts cost nothing (--sample)")
                .hint("--writer MIND names one whose texts are read first"))
        }
        None => Ok(()),
    }
}

/// How the words of reflections are drawn; `named` says whether a mind was.
fn drawn(temperature: Option<f64>, generator: Generator, named: bool) -> Result<Sampling> {
    match (temperature, generator) {
        (_, Generator::Template) if named => {
            Err(Error::usage("the template writes, and no mind (--mind)")
                .hint("--generator model lets the mind write"))
        }
        (None, _) => Ok(REFLECTING),
        (Some(_), Generator::Template) => Err(Error::usage("the template draws no words")
            .hint("--temperature is for --generator model")),
        (Some(temperature), Generator::Model | Generator::Star) => {
            Ok(Sampling { temperature, ..REFLECTING })
        }
    }
}

/// A row of a collection, in words.
fn said(row: &serde_json::Value) -> String {
    if let Some(ids) = row["branches"].as_array() {
        let mut row = row.clone();
        row["branches"] = ids.len().into();
        return pairs(&row);
    }
    let Some(expected) = row.get("expected") else { return pairs(row) };
    let most = &expected["at_most"];
    let cost = most["cost"].as_f64().map_or_else(
        || "no price is set (price_in, price_out)".to_string(),
        |cost| format!("a cost of {cost:.4} at the prices that are set"),
    );
    format!(
        "about {} reflections to write; each attempt at all of them takes at most {} tokens in, \
         {} out, {cost}",
        expected["texts"], most["prompt_tokens"], most["answer_tokens"]
    )
}

/// Who proposes alternatives, as it was asked for.
struct Policy {
    proposer: From,
    checkpoint: Option<String>,
    think: bool,
    keep_invalid: bool,
}

fn branches(
    common: &Common,
    store: &mut Store,
    range: &Range,
    policy: Policy,
    draw: Draw<'_>,
    report: collect::Report<'_>,
) -> Result<()> {
    let suite = range.suite.open()?;
    let Policy { proposer, checkpoint, think, keep_invalid } = policy;
    let control = interruptible()?;
    let mut agent = match proposer {
        From::Uniform if checkpoint.is_some() || think || keep_invalid => {
            return Err(Error::usage(
                "--checkpoint, --think and --keep-invalid are about the policy's proposals",
            )
            .hint("add --proposer policy, or mixture"));
        }
        From::Uniform => None,
        From::Policy | From::Mixture => {
            let name = Some(suite.name());
            Some(agent::open(store, checkpoint.as_deref(), name, Priority::Interactive)?)
        }
    };
    let proposer = match agent.as_mut() {
        None => Proposer::Uniform,
        Some(policy) => {
            let mixed = proposer == From::Mixture;
            Proposer::Policy { policy: policy.as_mut(), think, keep_invalid, mixed }
        }
    };
    let name = draw.pool.clone().unwrap_or_else(|| proposer.pool().to_string());
    let mut proposed = 0;
    let mut drawn = 0;
    let mut counted = |row: serde_json::Value, progress: Progress| {
        proposed += row["from"][POLICY].as_u64().unwrap_or_default();
        drawn += row["from"][UNIFORM].as_u64().unwrap_or_default();
        report(row, progress);
    };
    let draw = Draw { proposer, ..draw };
    let suite = range.only(suite.as_ref());
    let done = collect::branches(store, &suite, &range.scope(), draw, &control, &mut counted);
    let new = proposed + drawn;
    let from = serde_json::json!({POLICY: proposed, UNIFORM: drawn});
    common.out().line(&serde_json::json!({"pool": name, "new": new, "from": from}), || {
        format!(
            "pool {name}: {new} new, {proposed} proposed by the policy, {drawn} drawn from the list or by rules"
        )
    });
    done
}
