//! Train, what the run in front is made of.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use serde_json::Value;

use super::State;
use crate::store::{RunRow, RunStatus};
use crate::text::clean;
use crate::train::Objective;
use crate::train::Stage;
use crate::train::data::DataSummary;
use crate::train::rl::Rl;
use crate::train::torchrun::Settings;
use crate::tui::theme::Theme;

/// What a run trains on, a line each.
fn about_data(
    data: &serde_json::Value,
    criteria: &serde_json::Value,
    stages: &[Stage],
) -> Vec<String> {
    let pool = criteria["pool"].as_str().filter(|_| data["branches"].as_u64() > Some(0));
    let mut lines = vec![format!(
        "data: {} demonstrations, {} alternatives{}, {} reflections, {} unique tokens in {} trees",
        data["demonstrations"],
        data["branches"],
        pool.map_or(String::new(), |pool| format!(" of the pool {}", clean(pool))),
        data["reflections"],
        data["tokens"],
        data["trees"],
    )];
    if let Ok(summary) = serde_json::from_value::<DataSummary>(data.clone()) {
        if let Some(preferred) = summary.preferred() {
            lines[0] = format!("data: {preferred}");
        }
        if summary.targets.iter().any(|count| *count > 0) {
            lines.push(summary.targets_in_words(stages));
        }
        lines.push(summary.validation());
        lines.extend(summary.notes());
    }
    lines
}

/// How it is trained: the budget, and its stages.
fn about_plan(run: &RunRow, plan: &Value, stages: &[Stage]) -> Vec<String> {
    let batch = plan["batch"].as_u64().unwrap_or_default() as usize;
    let start = if run.start.is_empty() { "the newest checkpoint" } else { &run.start };
    let how = match (plan["lora"].as_u64(), plan["tuning"]["schedule"].as_str()) {
        (Some(rank), Some(schedule)) => format!(", {schedule}, LoRA {rank}"),
        (None, Some(schedule)) => format!(", {schedule}, all weights"),
        (Some(rank), None) => format!(", LoRA {rank}"),
        (None, None) => String::new(),
    };
    let by = match serde_json::from_value::<Settings>(plan["torchrun"].clone()) {
        Ok(of) => of.in_words(),
        Err(_) => match plan["device"].as_str() {
            Some(device) => format!("candle on {}", clean(device)),
            None => format!("{} workers", plan["workers"]),
        },
    };
    let unit = if run.objective == Objective::Rl.as_str() { "tasks" } else { "trees" };
    let budget = format!(
        "budget: {} updates of {batch} {unit}, rate {}{how}, {by} · seed {} · from {}",
        run.steps,
        plan["rate"],
        run.seed,
        clean(start)
    );
    let stage = |stage: &Stage| {
        if stage.name == Objective::Rl.as_str() {
            return format!("plays {} games, {} updates", stage.trees, stage.updates);
        }
        let epochs = stage.epochs(batch);
        format!(
            "{}: {} updates, {epochs:.1} epochs over {} trees",
            stage.name, stage.updates, stage.trees
        )
    };
    std::iter::once(budget).chain(stages.iter().map(stage)).collect()
}

/// The checkpoints of a run, the best marked.
fn saved(state: &State, run: i64) -> String {
    let own = state.checkpoints.iter().filter(|saved| saved.run == run);
    let plays = state.run().is_some_and(|run| run.objective == Objective::Rl.as_str());
    let each: Vec<String> = own
        .map(|saved| {
            let best = state.lists.checkpoints.get(&saved.id).is_some_and(|f| f.is_best);
            let by = if plays {
                "most validation games won"
            } else {
                "the held-out games' actions cost least"
            };
            let best = if best { format!(", best: {by}") } else { String::new() };
            format!("{} (#{}{best})", saved.step, saved.id)
        })
        .collect();
    let all = if each.is_empty() { "none yet".into() } else { each.join(", ") };
    format!("checkpoints at step: {all}")
}

/// All of it, in lines.
fn lines<'a>(state: &State, run: &RunRow, theme: Theme) -> Vec<Line<'a>> {
    let config: Value = serde_json::from_str(&run.config).unwrap_or_default();
    let plan = &config["plan"];
    let stages: Vec<Stage> = serde_json::from_value(config["stages"].clone()).unwrap_or_default();
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("{} ", run.objective), theme.strong()),
        Span::raw(state.status(run)),
    ])];
    let words = [run.name.as_deref().unwrap_or_default(), &run.tags, &run.note];
    let words: Vec<String> =
        words.iter().filter(|word| !word.is_empty()).map(|w| clean(w)).collect();
    lines.extend((!words.is_empty()).then(|| Line::from(words.join(" · "))));
    let warn = |text: &String| {
        Line::styled(format!("{} {}", theme.glyph("▲", "!"), clean(text)), theme.warn())
    };
    // What is wrong comes first: it must be in sight however little room there is.
    lines.extend(state.alerts.iter().map(warn));
    if run.status == RunStatus::Queued {
        lines.push(Line::from("It waits for its turn. What it trains on is known then."));
    } else {
        let data = match serde_json::from_value::<Rl>(plan["rl"].clone()) {
            Ok(rl) => vec![format!(
                "plays {} / {} · {}",
                clean(plan["data"]["suite"].as_str().unwrap_or_default()),
                clean(plan["data"]["split"].as_str().unwrap_or_default()),
                rl.in_words(plan["batch"].as_u64().unwrap_or_default() as usize)
            )],
            Err(_) => about_data(&config["data"], &plan["data"], &stages),
        };
        lines.extend(data.into_iter().map(Line::from));
    }
    lines.extend(about_plan(run, plan, &stages).into_iter().map(Line::from));
    let warnings: Vec<String> =
        serde_json::from_value(config["warnings"].clone()).unwrap_or_default();
    lines.extend(warnings.iter().map(warn));
    lines.push(Line::from(saved(state, run.id)));
    if let Some(error) = &run.error {
        lines.push(Line::styled(
            format!("failed: {}. r goes on from the last checkpoint.", clean(error)),
            theme.bad(),
        ));
    } else if run.status == RunStatus::BrokeOff {
        lines.push(Line::styled(
            "its process ended without finishing. r goes on from the last checkpoint.",
            theme.warn(),
        ));
    }
    lines
}

/// Draws it.
pub(super) fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    frame.render_widget(text(state, theme).block(theme.panel("This run")), area);
}

/// How many rows that takes, its frame included.
pub(super) fn height(state: &State, theme: Theme, width: u16) -> u16 {
    let rows = text(state, theme).line_count(width.saturating_sub(2));
    u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2)
}

fn text<'a>(state: &State, theme: Theme) -> Paragraph<'a> {
    let none = || {
        [
            "No run yet. Training needs data: in Explore, c collects it; in Curate, a approves reflections.",
            "Then t starts a run, in the background. You can go on exploring meanwhile. R plays and learns from that: it needs no data.",
        ]
        .map(Line::from)
        .to_vec()
    };
    let lines = state.run().map_or_else(none, |run| lines(state, run, theme));
    Paragraph::new(lines).wrap(Wrap { trim: false })
}
