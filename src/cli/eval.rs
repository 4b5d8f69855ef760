//! `foretaste eval`.

use clap::Args;
use serde_json::json;

use super::{Common, SuiteArgs, interruptible};
use crate::agent::local::LocalAgent;
use crate::agreement::agreement;
use crate::collect::Scope;
use crate::error::Result;
use crate::eval::{Play, evaluate};
use crate::model::team::Priority;
use crate::surprise::surprises;
use crate::train::checkpoint;

/// Arguments of `foretaste eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(flatten)]
    suite: SuiteArgs,
    /// The split
    #[arg(long, default_value = "unseen")]
    split: String,
    /// How many games
    #[arg(long, default_value_t = 20)]
    games: usize,
    /// Chooses the games and the sampling
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What plays: embedded, a checkpoint's number, or a model folder (default: the newest checkpoint, else embedded)
    #[arg(long)]
    checkpoint: Option<String>,
    /// Temperature over the admissible list; 0 takes the likeliest
    #[arg(long, default_value_t = 0.4)]
    temperature: f64,
    /// Also predict every outcome before it happens and report how right the predictions were
    #[arg(long)]
    predict: bool,
    /// Play nothing: say instead how well the policy foresees this expert's stored demonstrations of the split
    #[arg(long, value_name = "EXPERT", conflicts_with = "predict")]
    agreement: Option<String>,
    /// Play nothing: list this many states of stored demonstrations where the model is most surprised
    #[arg(long, value_name = "N", conflicts_with_all = ["predict", "agreement"])]
    surprise: Option<usize>,
}

/// Runs the command.
pub fn run(common: &Common, args: &EvalArgs) -> Result<()> {
    let mut store = common.store()?;
    let suite = args.suite.open()?;
    let (out, mut live) = (common.out(), common.out());
    let control = interruptible();
    let model = checkpoint::load(&store, args.checkpoint.as_deref())?;
    let mut agent = LocalAgent::new(model, control.cancel.clone(), Priority::Interactive)?;
    if let Some(expert) = &args.agreement {
        let which = (suite.name(), args.split.as_str(), expert.as_str());
        let found = agreement(&store, which, args.games, &mut agent, &control, &mut |progress| live.progress(&progress))?;
        out.line(&json!(found), || {
            format!(
                "{}: {:.1} % of {} actions of {} foreseen, {:.2} bits an action (uniform: {:.2})",
                found.checkpoint,
                100.0 * found.same,
                found.states,
                found.expert,
                found.bits,
                found.bits_uniform
            )
        });
        return Ok(());
    }
    if let Some(most) = args.surprise {
        let which = (suite.name(), args.split.as_str());
        let found =
            surprises(&mut store, which, args.games, &mut agent, &control, &mut |progress| live.progress(&progress))?;
        for s in found.iter().take(most) {
            out.line(&json!(s), || {
                let instead =
                    s.instead.as_ref().map_or(String::new(), |a| format!(", policy {:.0} % for {a}", 100.0 * s.sure));
                format!(
                    "trajectory {} step {}: {} (prediction {:.0} % right{instead})",
                    s.trajectory,
                    s.t,
                    s.expert,
                    100.0 * s.right
                )
            });
        }
        return Ok(());
    }
    let scope = Scope { split: args.split.clone(), games: args.games, seed: args.seed };
    let play = Play { temperature: args.temperature, predict: args.predict };
    let summary = evaluate(&mut store, suite.as_ref(), &scope, &mut agent, play, &control, &mut |game, progress| {
        out.line(&json!(game), || {
            let word = if game.success { "won " } else { "lost" };
            format!("{word} {:3} steps  {}  {}", game.steps, game.kind, game.task_id)
        });
        live.progress(&progress);
    })?;
    out.line(&json!(summary), || {
        let percent = |x: f64| format!("{:.1} %", 100.0 * x);
        let (low, high) = summary.interval;
        let mut text = format!(
            "{}: {} of {} = {} [{}, {}], mean {:.1} steps",
            summary.checkpoint,
            summary.successes,
            summary.n,
            percent(summary.rate),
            percent(low),
            percent(high),
            summary.mean_steps
        );
        if let (Some(exact), Some(f1)) = (summary.prediction_exact, summary.prediction_f1) {
            text.push_str(&format!("; predictions {} exact, word F1 {f1:.3}, n {}", percent(exact), summary.predictions));
        }
        text
    });
    Ok(())
}
