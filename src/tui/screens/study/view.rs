//! Study, the drawing: arms as rows, seeds as cells, differences below.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::State;
use super::rows::{Row, rows};
use crate::study::{
    ArmRow, Comparison, Condition, OfSeed, OnTest, Standing, Task, percent, signed,
};
use crate::text::{clean, counted};
use crate::tui::text::{grouped, wrapped};
use crate::tui::theme::{Theme, fit};

/// Cells of an arm's name, and of a seed's figure.
const NAME: usize = 18;
const CELL: usize = 7;

pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let width = area.width.saturating_sub(2) as usize;
    let height = area.height.saturating_sub(2) as usize;
    if let Some(episodes) = &state.episodes {
        let (title, lines) = episodes.draw(theme, width, height);
        frame.render_widget(Paragraph::new(lines).block(theme.panel(&title)), area);
        return;
    }
    let mut lines = Vec::new();
    let title = match (&state.studies, state.front()) {
        (None, _) => {
            lines.push(Line::styled("…", theme.dim()));
            "Study".to_string()
        }
        (Some(_), None) => {
            lines = none_yet(theme, width);
            "Study".to_string()
        }
        (Some(all), Some(study)) => {
            lines.extend(head(study, theme, width));
            let of =
                if all.len() > 1 { format!(" (n: {} studies)", all.len()) } else { String::new() };
            format!("Study · {}{of}", clean(&study.design.name))
        }
    };
    if let Some(study) = state.front() {
        let room = height.saturating_sub(lines.len() + usize::from(state.typed.is_some()));
        let all = rows(study);
        if all.is_empty() {
            let planned = planned(study).into_iter().flat_map(|line| wrapped(&line, width));
            lines.extend(planned.map(|line| Line::styled(line, theme.dim())));
        }
        let from =
            state.at.saturating_sub(room.saturating_sub(3)).min(all.len().saturating_sub(room));
        for (i, row) in all.iter().enumerate().skip(from).take(room) {
            let cursor = (i == state.at).then_some(state.seed);
            lines.push(line(study, row, cursor, theme, width));
        }
    }
    if let Some(input) = &state.typed {
        lines.truncate(height.saturating_sub(1));
        lines.push(Line::from(vec![
            Span::styled("a study's file: ", theme.key()),
            Span::raw(clean(input.value())),
            Span::styled(" ", theme.selected()),
        ]));
    }
    frame.render_widget(Paragraph::new(lines).block(theme.panel(&title)), area);
}

fn none_yet(theme: Theme, width: usize) -> Vec<Line<'static>> {
    let text = "no studies yet. A study trains and plays several ways of training with several seeds, and says \
                which is better and how sure that is. a reads a study's file: studies/quick.toml is one that \
                needs nothing else (outside: foretaste study studies/quick.toml).";
    wrapped(text, width).into_iter().map(|line| Line::styled(line, theme.dim())).collect()
}

/// What a study will do, of which nothing was played yet.
fn planned(study: &Standing) -> Vec<String> {
    let design = &study.design;
    let list = |all: &[String]| all.join(", ");
    let texts = |all: &mut dyn Iterator<Item = String>| list(&all.collect::<Vec<_>>());
    vec![
        "nothing was played yet. What it will do:".to_string(),
        format!(
            "arms {} · seeds {} · experts {}",
            texts(&mut design.arms.iter().map(ToString::to_string)),
            texts(&mut design.seeds.iter().map(ToString::to_string)),
            list(&design.experts)
        ),
        format!(
            "tests {}",
            texts(
                &mut design.test.iter().map(|test| format!("{} ({} games)", test.name, test.games))
            )
        ),
        format!("what that takes: foretaste study {}.toml --plan", clean(&design.name)),
    ]
}

/// What it asks, and how far it is.
fn head(study: &Standing, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = wrapped(&clean(&study.design.about), width)
        .into_iter()
        .map(|line| Line::styled(line, theme.strong()))
        .collect();
    let (done, of) = (study.done.len(), study.jobs.len());
    let state = match &study.doing {
        Some(job) => format!("being done: {}", clean(job)),
        None if done == of => "finished".into(),
        None => "nobody works at it: s goes on".into(),
    };
    let bar = theme.bar(done as f64 / of.max(1) as f64, 12);
    lines.push(Line::raw(fit(&format!("{bar} {done} of {of} jobs · {state}"), width)));
    for (job, why) in study.failed.iter().take(2) {
        let text = format!("{} ended without a result: {}", clean(job), clean(why));
        lines.push(Line::styled(fit(&text, width), theme.bad()));
    }
    lines.push(Line::default());
    lines
}

fn line(
    study: &Standing,
    row: &Row<'_>,
    cursor: Option<usize>,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    match row {
        Row::Blank => Line::default(),
        Row::Condition(condition) => {
            Line::styled(fit(&clean(&condition.name), width), theme.strong())
        }
        Row::Test(test) => {
            let seeds: String = study
                .design
                .seeds
                .iter()
                .map(|seed| format!("{:>CELL$}", format!("#{seed}")))
                .collect();
            let name = fit(&clean(&test.name), NAME);
            let text = format!("{name:NAME$}{seeds}   all seeds, % [95 %]    steps");
            Line::styled(fit(&text, width), theme.dim())
        }
        Row::Arm { condition, arm, .. } => of_arm(study, (condition, arm), cursor, theme, width),
        Row::Comparison { one, .. } => of_comparison(one, cursor.is_some(), theme, width),
        Row::Cost(cost) => {
            let text = format!(
                "{:NAME$}{} of training, {:.1} M tokens, {} alternatives, {} texts",
                fit(&cost.name, NAME - 1),
                minutes(cost.seconds),
                cost.tokens / 1e6,
                grouped(cost.alternatives as u64),
                grouped(cost.reflections as u64)
            );
            Line::styled(fit(&text, width), theme.dim())
        }
    }
}

fn minutes(seconds: f64) -> String {
    format!("{:.1} min", seconds / 60.0)
}

/// An arm: a cell a seed, then all of them.
fn of_arm(
    study: &Standing,
    (condition, arm): (&Condition, &ArmRow),
    cursor: Option<usize>,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let mark = if cursor.is_some() { theme.glyph("▸", ">") } else { " " };
    let mut spans =
        vec![Span::styled(format!("{mark}{:1$}", fit(&arm.name, NAME - 2), NAME - 1), theme.key())];
    for (i, seed) in study.design.seeds.iter().enumerate() {
        let played = arm.seeds.iter().find(|of| of.seed == *seed);
        let text = match played {
            Some(of) => percent(of.won as f64 / of.n.max(1) as f64),
            None => waiting(study, condition, arm, *seed),
        };
        let style = if cursor == Some(i) { theme.selected() } else { theme.frame() };
        let pad = CELL.saturating_sub(text.chars().count());
        spans.push(Span::raw(" ".repeat(pad)));
        spans.push(Span::styled(text, if played.is_some() { style } else { theme.dim() }));
    }
    let (low, high) = arm.interval;
    let all = format!("   {:>5} [{}, {}]", percent(arm.rate()), percent(low), percent(high));
    spans.push(Span::raw(format!("{all:<24}")));
    spans.push(Span::styled(format!("{:>6.1}", arm.steps), theme.dim()));
    if let Some((mean, _)) = arm.mean_reward() {
        spans.push(Span::styled(format!("  worth {mean:.2}"), theme.dim()));
    }
    let used: usize = spans.iter().map(|span| span.content.chars().count()).sum();
    if width > used + 14 {
        spans.push(Span::styled(format!("  {}", theme.bar(arm.rate(), 12)), theme.good()));
    }
    Line::from(spans)
}

/// How far a seed of an arm is that was not played.
fn waiting(study: &Standing, condition: &Condition, arm: &ArmRow, seed: u64) -> String {
    let is_of = |task: &Task| match task {
        Task::Visit { cell } | Task::Train { cell } | Task::Test { cell, .. } => {
            cell.seed == seed && cell.arm() == arm.name && cell.condition() == condition.name
        }
        _ => false,
    };
    let own: Vec<_> = study.jobs.iter().filter(|job| is_of(&job.task)).collect();
    let doing = own.iter().any(|job| study.doing.as_deref() == Some(&job.name));
    let mut trains = own.iter().filter(|job| matches!(job.task, Task::Train { .. }));
    match (doing, trains.any(|job| study.done.contains(&job.name))) {
        (true, _) => "now".into(),
        (_, false) => "·".into(),
        _ => "trained".into(),
    }
}

/// A difference: its value and interval, and where that lies around nothing.
fn of_comparison(one: &Comparison, cursor: bool, theme: Theme, width: usize) -> Line<'static> {
    let found = &one.found;
    let mark = if cursor { theme.glyph("▸", ">") } else { " " };
    let star = if one.primary { "*" } else { " " };
    let name = format!("{} - {}", one.arm, one.over);
    let (low, high) = found.interval;
    let apart = low > 0.0 || high < 0.0;
    let figures = format!(
        "{} points [{}, {}] {}",
        signed(found.value),
        signed(low),
        signed(high),
        counted(found.seeds.len() as u64, "seed")
    );
    let style = match (apart, found.value > 0.0) {
        (false, _) => theme.frame(),
        (true, true) => theme.good(),
        (true, false) => theme.bad(),
    };
    let mut spans = vec![
        Span::raw(format!("{mark}{star}")),
        Span::styled(
            format!("{:28}", fit(&name, 28)),
            if cursor { theme.selected() } else { theme.frame() },
        ),
        Span::styled(format!("{figures:<38}"), style.add_modifier(Modifier::BOLD)),
    ];
    let used: usize = spans.iter().map(|span| span.content.chars().count()).sum();
    if width > used + 24 {
        spans.push(Span::styled(scale(low, found.value, high, theme), style));
    }
    Line::from(spans)
}

/// An interval on a line from -30 to +30 points.
fn scale(low: f64, value: f64, high: f64, theme: Theme) -> String {
    const CELLS: usize = 21;
    let at = |x: f64| (((x + 0.3) / 0.6).clamp(0.0, 1.0) * (CELLS - 1) as f64).round() as usize;
    (0..CELLS)
        .map(|i| match i {
            _ if i == at(value) => theme.glyph("●", "O"),
            _ if (at(low)..=at(high)).contains(&i) => theme.glyph("─", "-"),
            _ if i == CELLS / 2 => theme.glyph("│", "|"),
            _ => " ",
        })
        .collect()
}

/// What stands behind the figure of a seed.
pub fn cell(
    study: &Standing,
    condition: &Condition,
    test: &OnTest,
    arm: &ArmRow,
    of: &OfSeed,
) -> (String, Vec<String>) {
    let (low, high) = crate::experience::wilson(of.won, of.n);
    let mut lines = vec![
        condition.name.clone(),
        format!(
            "seed {}: {} of {} = {} % [{}, {}] on {}",
            of.seed,
            of.won,
            of.n,
            percent(of.won as f64 / of.n.max(1) as f64),
            percent(low),
            percent(high),
            test.name
        ),
    ];
    let all: Vec<String> =
        arm.kinds.iter().map(|(kind, (won, n))| format!("  {kind}: {won} of {n}")).collect();
    lines.push(String::new());
    lines.push("all seeds, by kind of task:".into());
    lines.extend(all);
    if !arm.failures.is_empty() {
        lines.push(String::new());
        lines.push("lost games, all seeds, by how they were lost:".into());
        lines.extend(arm.failures.iter().map(|(how, n)| format!("  {how}: {n}")));
    }
    if let Some((exact, f1)) = arm.foresight {
        lines.push(String::new());
        lines.push(format!("predictions: {} % to the letter, word F1 {f1:.3}", percent(exact)));
    }
    lines.push(String::new());
    lines.push(match of.evaluation {
        Some(id) => {
            format!("e lists its games: evaluation {id} of the study's own data directory,")
        }
        None => "it was played elsewhere".into(),
    });
    lines.push(format!(
        "  foretaste --data-dir {}",
        crate::text::quoted(&study.folder.display().to_string())
    ));
    (format!("{}, seed {}", arm.name, of.seed), lines)
}

/// What stands behind a difference.
pub fn comparison(test: &OnTest, one: &Comparison) -> (String, Vec<String>) {
    let found = &one.found;
    let each: Vec<String> = found
        .seeds
        .iter()
        .zip(&found.each)
        .map(|(seed, x)| format!("  seed {seed}: {} points", signed(*x)))
        .collect();
    let mut lines = vec![
        format!(
            "on {}: {} points [{}, {}], p {:.3}",
            test.name,
            signed(found.value),
            signed(found.interval.0),
            signed(found.interval.1),
            found.p
        ),
        format!("{} games in {} rooms, played with each of:", found.games, found.rooms),
    ];
    lines.extend(each);
    lines.push(match one.adjusted {
        _ if one.primary => "a primary comparison: the study's file names it beforehand".into(),
        Some(p) => format!("exploratory: p is {p:.3} after Holm's correction"),
        None => "exploratory".into(),
    });
    lines.push(format!(
        "as many seeds and games find a difference of {} points four times out of five",
        percent(found.detectable())
    ));
    if found.seeds.len() == 1 {
        lines.push("with one seed the interval is about the games alone".into());
    }
    (format!("{} less {}", one.arm, one.over), lines)
}
