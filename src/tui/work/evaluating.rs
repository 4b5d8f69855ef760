//! Games played by checkpoints, the same ones by all of them.

use std::path::Path;

use super::Mailbox;
use crate::agent;
use crate::control::{Control, Progress};
use crate::env::Suite;
use crate::episode::{Play, Scope};
use crate::error::Result;
use crate::eval::{Event, Summary, difference, evaluate, told};
use crate::model::team::Priority;
use crate::store::Store;
use crate::train::{Provenance, provenance};
use crate::tui::effect::{EvalCmd, EvalOrder, Notice};
use crate::tui::msg::{JobMsg, Msg};
use crate::tui::screen::Screen;
use crate::tui::screens::train;

/// What Train asks about evaluations.
pub(super) fn obey(store: &Store, command: EvalCmd, mail: &Mailbox) -> Result<()> {
    let show = |title: String, lines| mail.send(Msg::Text(Screen::Train, title, lines));
    match command {
        EvalCmd::Told(id) => show(format!("Evaluation {id}"), told(store, id)?),
        EvalCmd::Difference(a, b) => {
            show(format!("Evaluations {a} and {b}"), difference(store, a, b)?);
        }
        EvalCmd::Playable(order, suite) => {
            let found = all_there(store, &order, suite.as_deref());
            let found = found.map_err(|error| Notice::error(&error).text);
            mail.send(Msg::from(train::Msg::Playable(order, found)));
        }
    }
    Ok(())
}

/// Refuses an order of which something is not there.
fn all_there(store: &Store, order: &EvalOrder, suite: Option<&str>) -> Result<()> {
    order.models.iter().try_for_each(|model| agent::check(store, Some(model), suite))
}

/// Lets every model play, one that was trained on reflections first thinking, then acting at once,
/// and says how they differ from the first.
pub(super) fn evaluate_all(
    root: &Path,
    suite: &dyn Suite,
    order: &EvalOrder,
    control: &Control,
    tell: &mut dyn FnMut(JobMsg),
    mail: &Mailbox,
) -> Result<String> {
    let mut store = Store::open(root)?;
    let split = order.split.clone().or_else(|| suite.evaluated_on()).unwrap_or_default();
    let scope = Scope { split, games: order.games, seed: order.games_seed, share: None };
    // What is not there is said before anything is played.
    all_there(&store, order, Some(suite.name()))?;
    let mut played: Vec<(Summary, String)> = Vec::new();
    let all = order.models.len();
    for (i, model) in order.models.iter().enumerate() {
        let mut agent = agent::open(&store, Some(model), Some(suite.name()), Priority::Background)?;
        let _held = agent::hold(&store, &agent.name());
        let Provenance { thinking, known } =
            provenance(&store, &agent.name(), suite, &scope.split)?;
        let asked = order.think.map(|think| vec![think]);
        for think in asked.unwrap_or_else(|| thinking.to_vec()) {
            let EvalOrder { temperature, seed, no_repeat, .. } = *order;
            let play = Play { temperature, seed, think, no_repeat, ..Play::default() };
            let report = &mut |_: Event<'_>, progress: Progress| {
                let which = if all > 1 { format!(" ({} of {all})", i + 1) } else { String::new() };
                let how = if think { ", thinking," } else { "" };
                let doing = format!("{}{which}{how} {}", agent_name(model), progress.doing);
                tell(JobMsg::Progress(Progress { doing, ..progress }));
            };
            let with = (play, &known);
            let summary =
                evaluate(&mut store, suite, &scope, agent.as_mut(), with, control, report)?;
            let words = summary.in_words(&play);
            played.push((summary, words));
        }
    }
    let lines = compared(&store, &played)?;
    if played.len() > 1 {
        let title = format!("The same games of {}", scope.split);
        mail.send(Msg::Text(Screen::Train, title, lines.clone()));
    }
    // What the box showed can be read again (!).
    let said = lines.iter().filter(|line| !line.is_empty()).map(|line| line.trim());
    Ok(said.collect::<Vec<_>>().join(" · "))
}

fn agent_name(model: &str) -> String {
    if model.chars().all(|c| c.is_ascii_digit()) {
        format!("checkpoint {model}")
    } else {
        model.to_string()
    }
}

/// What each came to, and how the others differ from the first on the same games.
fn compared(store: &Store, played: &[(Summary, String)]) -> Result<Vec<String>> {
    let mut lines: Vec<String> = played.iter().map(|(_, words)| words.clone()).collect();
    let Some((first, _)) = played.first() else { return Ok(lines) };
    let of_first: Vec<&Summary> = played
        .iter()
        .map(|(summary, _)| summary)
        .filter(|summary| summary.checkpoint == first.checkpoint)
        .collect();
    for (other, _) in played.iter().filter(|(other, _)| other.checkpoint != first.checkpoint) {
        // Both thinking or both acting at once, where the first did both; else as it was played.
        let first = of_first.iter().find(|own| own.think == other.think).unwrap_or(&of_first[0]);
        lines.push(String::new());
        lines.extend(difference(store, first.evaluation, other.evaluation)?);
    }
    Ok(lines)
}
