//! What stored evaluations say, for people.

use std::collections::BTreeMap;

use super::{Failure, Paired, paired};
use crate::error::{Error, Result};
use crate::experience::{Step, wilson};
use crate::store::Store;

/// Fewer games than this tell two models apart only where all of them do.
const FEW: usize = 20;

/// A share with its interval.
fn share(won: u64, of: u64) -> String {
    let (low, high) = wilson(won, of);
    let rate = 100.0 * won as f64 / of.max(1) as f64;
    format!("{won} of {of} = {rate:.1} % [{:.1}, {:.1}]", 100.0 * low, 100.0 * high)
}

/// An evaluation: how it was played, what it came to by kind of task, and the episodes that stand
/// behind it.
pub fn told(store: &Store, id: i64) -> Result<Vec<String>> {
    let (eval, games) = store.evaluation(id)?;
    let mut lines = vec![
        format!("{}: {}", eval.checkpoint, share(eval.successes, eval.n)),
        format!("{} of {}, mean {:.1} steps", eval.how(), eval.suite, eval.mean_steps),
    ];
    if eval.broke_off > 0 {
        lines.push(format!("{} more broke off and count neither way", eval.broke_off));
    }
    lines.push(String::new());
    let kinds = store.evaluated_by_kind(id)?;
    let widest = kinds.iter().map(|(kind, ..)| kind.chars().count()).max().unwrap_or_default();
    lines.extend(
        kinds.iter().map(|(kind, won, of)| format!("{kind:widest$}  {}", share(*won, *of))),
    );
    let mut lost: BTreeMap<Failure, u64> = BTreeMap::new();
    for game in games.iter().filter(|game| !game.success) {
        // One that was deleted since still counts; how it was lost is not known any more.
        let Some(played) = store.trajectory_even_deleted(game.trajectory)? else { continue };
        let listed = |(t, step): (usize, &Step)| played.listed_at(t).contains(&step.action);
        let refused = played.steps.iter().enumerate().filter(|step| !listed(*step)).count();
        if let Some(how) = Failure::of(&played, refused) {
            *lost.entry(how).or_default() += 1;
        }
    }
    if !lost.is_empty() {
        let each: Vec<String> =
            lost.iter().map(|(how, n)| format!("{} {n}", how.as_str())).collect();
        lines.push(String::new());
        lines.push(format!("lost by: {}", each.join(", ")));
    }
    for (name, success) in [("won", true), ("lost", false)] {
        let which = games.iter().filter(|game| game.success == success);
        let mut which: Vec<i64> = which.map(|game| game.trajectory).collect();
        which.sort_unstable();
        let which: Vec<String> = which.iter().map(ToString::to_string).collect();
        if !which.is_empty() {
            lines.push(String::new());
            lines.push(format!("{name}: trajectories {}", which.join(", ")));
        }
    }
    lines.push(String::new());
    lines.push("Replay (F4) shows each, and `foretaste replay NUMBER`".into());
    Ok(lines)
}

/// How evaluation `b` differs from `a`, on the games that both played.
pub fn difference(store: &Store, a: i64, b: i64) -> Result<Vec<String>> {
    let found = paired(store, &[a], &[b])?;
    let Paired { interval: (low, high), games, unpaired, p, difference, .. } = found;
    let named = |id: i64| {
        let (eval, _) = store.evaluation(id)?;
        let think = if eval.think == Some(true) { " thinking" } else { "" };
        Ok::<_, Error>(format!("{}{think} (evaluation {id})", eval.checkpoint))
    };
    let (of_a, of_b) = (named(a)?, named(b)?);
    let few = if games < FEW { ", too few games to say" } else { "" };
    let mut lines = vec![
        format!(
            "{of_b} less {of_a}: {:+.1} points [{:+.1}, {:+.1}] (95 %, {games} games{}{few})",
            100.0 * difference,
            100.0 * low,
            100.0 * high,
            p.map_or(String::new(), |p| format!("; exact McNemar p {p:.3}"))
        ),
        format!(
            "  both won {}, only {of_a} {}, only {of_b} {}, neither {}",
            found.both, found.only_a, found.only_b, found.neither
        ),
    ];
    if unpaired > 0 {
        lines.push(format!("  {unpaired} games that only one of them played are left out"));
    }
    Ok(lines)
}
