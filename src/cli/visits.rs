//! `foretaste collect visits`.

use clap::Args;

use super::collect::Range;
use super::person::{ExpertArg, Person};
use super::{number, real};
use crate::agent;
use crate::collect::{self, Visiting};
use crate::control::Control;
use crate::episode::Play;
use crate::error::{Error, Result};
use crate::experience::{ANSWERS, is_answers};
use crate::model::team::Priority;
use crate::store::Store;

/// Arguments of `foretaste collect visits`.
#[derive(Debug, Args)]
pub struct VisitsArgs {
    #[command(flatten)]
    range: Range,
    /// The policy: embedded, a checkpoint's number, a folder, an endpoint's URL, a mind of
    /// config.toml (default: the newest checkpoint)
    #[arg(long, visible_alias = "mind")]
    checkpoint: Option<String>,
    #[command(flatten)]
    expert: ExpertArg,
    /// Temperature; 0 takes the likeliest
    #[arg(long, default_value_t = 0.4, value_parser = real(0.0..=100.0))]
    temperature: f64,
    /// Let the policy think before it acts
    #[arg(long)]
    think: bool,
    /// Answers in a game at most, in states drawn by the seed (default: in all)
    #[arg(long, value_parser = number::<usize>(1..=1_000_000))]
    answers: Option<usize>,
    /// The pool that they stand in: `answers`, or `answers: NAME`
    #[arg(long, default_value = ANSWERS)]
    pool: String,
}

/// Runs the command.
pub fn run(
    store: &mut Store,
    args: VisitsArgs,
    control: &Control,
    report: collect::Report<'_>,
) -> Result<()> {
    let VisitsArgs { range, checkpoint, expert, temperature, think, answers, pool } = args;
    if !is_answers(&pool) {
        return Err(Error::usage(format!("`{pool}` is no pool of answers (--pool)"))
            .hint("answers, or `answers: NAME`"));
    }
    let suite = range.suite.open()?;
    let name = Some(suite.name());
    let mut agent = agent::open(store, checkpoint.as_deref(), name, Priority::Interactive)?;
    let scope = range.scope();
    let visiting = Visiting {
        agent: agent.as_mut(),
        play: Play { temperature, seed: scope.seed, think, ..Play::default() },
        teacher: expert.teacher(&Person),
        pool,
        answers: &|_| answers.unwrap_or(usize::MAX),
    };
    let suite = range.only(suite.as_ref());
    collect::visits(store, &suite, &scope, visiting, control, report)
}
