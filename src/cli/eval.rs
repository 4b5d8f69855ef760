//! `foretaste eval`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::out::tell;
use super::{Common, SuiteArgs, interruptible, number, real};
use crate::agent::{self, Agent, Scores};
use crate::agreement::{Agreement, Which, agreement};
use crate::control::Control;
use crate::env::{Only, Suite};
use crate::episode::{Broken, Play, Scope};
use crate::error::{Error, Result};
use crate::eval::{Event, Part, evaluate, foresight, paired};
use crate::model::team::Priority;
use crate::store::Store;
use crate::surprise::surprises;
use crate::train::{Provenance, provenance};

/// Arguments of `foretaste eval`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct EvalArgs {
    #[command(flatten)]
    suite: SuiteArgs,
    /// The split (default: the suite's for evaluation, mostly its last)
    #[arg(long)]
    split: Option<String>,
    /// How many games
    #[arg(long, default_value_t = 20)]
    games: usize,
    /// Chooses the games
    #[arg(long, default_value_t = 1)]
    games_seed: u64,
    /// Seed of the sampling
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What plays: embedded, novice, a checkpoint's number, a model folder, or a GGUF file, with
    /// +bf16 behind it for products in bf16; an endpoint's URL, a mind of config.toml; one a role
    /// (policy=A,world=B) (default: the newest checkpoint, else embedded)
    #[arg(long, visible_alias = "mind")]
    checkpoint: Option<String>,
    /// Temperature over the admissible list; 0 takes the likeliest; several with commas, one after
    /// the other on the same games (0.4,0)
    #[arg(long, default_value = "0.4", value_delimiter = ',', value_parser = real(0.0..=100.0))]
    temperature: Vec<f64>,
    /// Write a thought before every action, and act after it (checkpoints of reflection are
    /// evaluated both ways unless one is asked for)
    #[arg(long)]
    think: bool,
    /// Act at once
    #[arg(long, conflicts_with = "think")]
    no_think: bool,
    /// Write actions as free text, in place of choosing among the admissible ones
    #[arg(long)]
    free: bool,
    /// Leave out of the list what was done in the same state of the world before (not the policy's own doing)
    #[arg(long, conflicts_with_all = ["free", "agreement", "surprise", "compare"])]
    no_repeat: bool,
    /// Only these games: a file with the name of one a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["games", "games_seed", "agreement", "surprise", "compare"])]
    tasks: Option<PathBuf>,
    /// Also say how right the model's predictions are, on the suite's expert's steps and uniform
    /// alternatives of the same games, and keep what it expected of its own actions
    #[arg(long)]
    predict: bool,
    /// Alternatives a state that are predicted beside the expert's action
    #[arg(
        short,
        default_value_t = 4,
        requires = "predict",
        value_parser = number::<usize>(0..=1000)
    )]
    k: usize,
    /// Play nothing: say instead how well the policy foresees this expert's stored demonstrations
    /// of the split
    #[arg(long, value_name = "EXPERT", conflicts_with_all = ["predict", "free"])]
    agreement: Option<String>,
    /// Play nothing: list this many states of stored demonstrations where the model is most
    /// surprised
    #[arg(
        long,
        value_name = "N",
        value_parser = number::<usize>(1..=1_000_000),
        conflicts_with_all = ["predict", "agreement", "think", "no_think", "free"]
    )]
    surprise: Option<usize>,
    /// Play nothing: hold stored evaluations against each other on the games that both played:
    /// `--compare 1,3 2,4` pairs 1 with 2 and 3 with 4, and says how much better the second ones
    /// are
    #[arg(
        long,
        num_args = 2,
        value_names = ["A", "B"],
        conflicts_with_all = ["predict", "agreement", "surprise", "think", "no_think", "free"]
    )]
    compare: Option<Vec<String>>,
}

/// Runs the command.
pub fn run(common: &Common, args: &EvalArgs) -> Result<()> {
    let mut store = common.store()?;
    if let Some([a, b]) = args.compare.as_deref() {
        return compare(common, &store, &ids(a)?, &ids(b)?);
    }
    if args.games == 0 {
        return Err(Error::usage("an evaluation of no games").hint("--games takes at least 1"));
    }
    let suite = args.suite.open()?;
    let split = args.split.clone().or_else(|| suite.evaluated_on()).unwrap_or_default();
    let listed = args.tasks.as_deref().map(task_list).transpose()?;
    let suite = Only { tasks: listed.as_deref(), ..Only::of(suite.as_ref()) };
    let games = listed.as_ref().map_or(args.games, Vec::len);
    let out = common.out();
    let mut live = common.out();
    let control = interruptible()?;
    let mut agent =
        agent::open(&store, args.checkpoint.as_deref(), Some(suite.name()), Priority::Interactive)?;
    let agent = agent.as_mut();
    let _held = agent::hold(&store, &agent.name());
    let Provenance { thinking, known } = provenance(&store, &agent.name(), &suite, &split)?;
    let ways: &[bool] = match (args.think, args.no_think) {
        (true, _) => &[true],
        (_, true) => &[false],
        _ => thinking,
    };
    if let Some(expert) = &args.agreement {
        let which = Which { suite: suite.name(), split: &split, expert, games: args.games };
        for think in ways {
            let found = agreement(&store, which, agent, *think, &control, &mut |progress| {
                live.progress(&progress);
            })?;
            out.line(&json!(found), || in_words(&found));
        }
        return Ok(());
    }
    if let Some(most) = args.surprise {
        return surprise(common, &mut store, (suite.name(), &split, args), most, agent, &control);
    }
    let scope = Scope { split: split.clone(), games, seed: args.games_seed, share: None };
    let ways = ways.iter().flat_map(|think| args.temperature.iter().map(move |t| (*think, *t)));
    for (think, temperature) in ways {
        let seed = args.seed;
        let free = args.free;
        let predict = args.predict;
        let no_repeat = args.no_repeat;
        let play = Play { temperature, seed, think, free, predict, no_repeat }.by(agent);
        let report = &mut |event: Event<'_>, progress| {
            match event {
                Event::Step => {}
                Event::Ended(game) => out.line(&json!(game), || {
                    let word = if game.success { "won " } else { "lost" };
                    format!("{word} {:3} steps  {}  {}", game.steps, game.kind, game.task_id)
                }),
                Event::Broken(Broken { task_id, why }) => {
                    let row = json!({"broke_off": task_id, "why": why.message()});
                    out.line(&row, || format!("broke off  {task_id}: {why}"));
                }
            }
            live.progress(&progress);
        };
        let with = (play, &known);
        let summary = evaluate(&mut store, &suite, &scope, agent, with, &control, report)?;
        out.line(&json!(summary), || summary.in_words(&play));
    }
    if args.predict {
        let found = foresight(&suite, &scope, args.k, agent, &control, &mut |progress| {
            live.progress(&progress);
        })?;
        store.add_foresight(
            &agent.world_name(),
            suite.name(),
            &split,
            &json!({
                "games_seed": args.games_seed, "games": args.games, "k": args.k, "found": found,
            }),
        )?;
        out.line(&json!({"predictions": found}), || {
            let part = |name: &str, part: &Part| {
                format!(
                    "{name}: {:.1} % to the letter, word F1 {:.3} ({} transitions of {} games)",
                    100.0 * part.exact,
                    part.f1,
                    part.transitions,
                    part.games
                )
            };
            let lines = [
                part("predictions, the mean over games", &found.all),
                part("  where the world changed", &found.changed),
                part("  where it did not", &found.unchanged),
            ];
            lines.join("\n")
        });
    }
    Ok(())
}

fn in_words(found: &Agreement) -> String {
    let mut text = format!(
        "{}{}: {:.1} % of {} actions of {} foreseen, {:.2} bits an action (uniform: {:.2})",
        found.checkpoint,
        if found.think { ", thinking first" } else { "" },
        100.0 * found.same,
        found.states,
        found.expert,
        found.bits,
        found.bits_uniform
    );
    if found.scores != Scores::Exact {
        text.push_str(&format!(" ({})", found.scores.describe()));
    }
    if found.unlisted > 0 {
        text.push_str(&format!(
            "; {} states left out, where the expert's action is not listed",
            found.unlisted
        ));
    }
    if found.unread > 0 {
        text.push_str(&format!(
            "; {} demonstrations left out, which are too long for it to read",
            found.unread
        ));
    }
    if found.trained_on > 0 {
        let trained = found.trained_on;
        let all = found.demonstrations;
        text.push_str(&format!(
            "; it was trained on the games of {trained} of these {all} demonstrations"
        ));
    }
    text
}

fn surprise(
    common: &Common,
    store: &mut Store,
    (suite, split, args): (&str, &str, &EvalArgs),
    most: usize,
    agent: &mut dyn Agent,
    control: &Control,
) -> Result<()> {
    let out = common.out();
    let mut live = common.out();
    let report = &mut |progress| live.progress(&progress);
    let found = surprises(store, (suite, split), args.games, agent, control, report)?;
    if found.unread > 0 {
        tell(&format!(
            "{} demonstrations are left out: too long for the model to read",
            found.unread
        ));
    }
    if found.scores != Scores::Exact {
        tell(&format!("how sure the policy is, is not exact: {}", found.scores.describe()));
    }
    for s in found.states.iter().take(most) {
        out.line(&json!(s), || {
            let instead = s
                .instead
                .as_ref()
                .map_or(String::new(), |a| format!(", policy {:.0} % for {a}", 100.0 * s.sure));
            let right = 100.0 * s.right;
            format!(
                "trajectory {} step {}: {} (prediction {right:.0} % right{instead})",
                s.trajectory, s.t, s.expert
            )
        });
    }
    Ok(())
}

/// The games that a file names, one a line.
fn task_list(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("reading", path, &e))?;
    let names = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let names: Vec<String> = names.map(str::to_string).collect();
    if names.is_empty() {
        return Err(Error::new(format!("{}: names no game", path.display()))
            .hint("a line each, as `foretaste env list` names them"));
    }
    Ok(names)
}

/// The numbers of a list like `1,3`.
fn ids(list: &str) -> Result<Vec<i64>> {
    let number = |part: &str| {
        part.trim().parse::<i64>().map_err(|_| {
            Error::usage(format!("`{part}` in --compare is no evaluation's number"))
                .hint("list them with: foretaste data list evaluations")
        })
    };
    list.split(',').map(number).collect()
}

fn compare(common: &Common, store: &Store, a: &[i64], b: &[i64]) -> Result<()> {
    let found = paired(store, a, b)?;
    common.out().line(&json!(found), || {
        let (low, high) = found.interval;
        let mut lines = vec![
            format!(
                "{} pairs of games ({} games): both won {}, only A {}, only B {}, neither {}",
                found.pairs, found.games, found.both, found.only_a, found.only_b, found.neither
            ),
            format!(
                "B less A: {:+.1} points [{:+.1}, {:+.1}] (95 %{}){}",
                100.0 * found.difference,
                100.0 * low,
                100.0 * high,
                if found.a.len() > 1 { ", resampling games and seeds" } else { "" },
                found.p.map_or(String::new(), |p| format!(", exact McNemar p {p:.3}"))
            ),
        ];
        if found.each.len() > 1 {
            let each: Vec<String> =
                found.each.iter().map(|d| format!("{:+.1}", 100.0 * d)).collect();
            lines.push(format!("each pair of evaluations: {}", each.join(", ")));
        }
        if found.unpaired > 0 {
            lines.push(format!(
                "{} games that only one of a pair played are left out",
                found.unpaired
            ));
        }
        lines.join("\n")
    });
    Ok(())
}
