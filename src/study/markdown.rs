//! A report as a page of Markdown.

use std::fmt::Write;

use super::report::{ArmRow, Comparison, Condition, OnTest, Report};

/// Said wherever intervals stand.
pub const ABOUT_INTERVALS: &str = "Intervals are 95 %. Those of a rate are Wilson's over the games of all seeds, as if each were of its own. \
     Those of a difference are of 10,000 resampled data sets: seeds and rooms within their kind are drawn again \
     (games, where a kind has one room); with one seed they are about the games alone. *Primary* comparisons stand in \
     the study's file beforehand; p of every other one is corrected over all of these (Holm).";

/// A share in percent.
pub fn percent(x: f64) -> String {
    format!("{:.1}", 100.0 * x)
}

/// A difference in points.
pub fn signed(x: f64) -> String {
    format!("{:+.1}", 100.0 * x)
}

/// How games were lost, as shares of those that were.
fn lost(row: &ArmRow) -> String {
    let lost = (row.n - row.won).max(1) as f64;
    let share = |(how, n): (&String, &u64)| format!("{how} {:.0} %", 100.0 * *n as f64 / lost);
    row.failures.iter().map(share).collect::<Vec<_>>().join(", ")
}

/// The whole page.
pub fn markdown(report: &Report) -> String {
    let mut page = format!("# {}\n\n{}\n\n", report.name, report.about);
    let (done, of) = report.done;
    let state =
        if done == of { "finished".into() } else { format!("{done} of {of} jobs are finished") };
    _ = writeln!(page, "State: {state}. {ABOUT_INTERVALS}\n");
    for condition in &report.conditions {
        of_condition(&mut page, condition);
    }
    page
}

fn of_condition(page: &mut String, condition: &Condition) {
    _ = writeln!(page, "## {}\n", condition.name);
    for test in &condition.tests {
        of_test(page, test);
    }
    _ = writeln!(page, "### What it took (mean of the seeds)\n");
    page.push_str(
        "| arm | seeds | updates | tokens computed | minutes | demonstrations | executed alternatives | texts |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for cost in &condition.costs {
        _ = writeln!(
            page,
            "| {} | {} | {:.0} | {:.2} M | {:.1} | {:.0} | {:.0} | {:.0} |",
            cost.name,
            cost.seeds,
            cost.updates,
            cost.tokens / 1e6,
            cost.seconds / 60.0,
            cost.demonstrations,
            cost.alternatives,
            cost.reflections
        );
    }
    page.push('\n');
}

fn of_test(page: &mut String, test: &OnTest) {
    _ = writeln!(page, "### On {}\n\n{}.\n", test.name, test.how);
    let in_parts = test.arms.iter().any(|row| row.in_parts);
    let (reward, rule) = if in_parts { (" mean reward |", "---|") } else { ("", "") };
    _ = writeln!(
        page,
        "| arm | games won | rate |{reward} by seed | mean steps | lost by | predictions (exact, F1) |\n\
         |---|---|---|{rule}---|---|---|---|"
    );
    for row in &test.arms {
        let seeds: Vec<String> = row
            .seeds
            .iter()
            .map(|of| format!("{}: {}", of.seed, percent(of.won as f64 / of.n.max(1) as f64)))
            .collect();
        let foresight = row
            .foresight
            .map_or("–".to_string(), |(exact, f1)| format!("{} %, {f1:.3}", percent(exact)));
        let worth = row.mean_reward().map_or_else(
            || if in_parts { " – |".to_string() } else { String::new() },
            |(mean, (low, high))| format!(" {mean:.3} [{low:.3}, {high:.3}] |"),
        );
        _ = writeln!(
            page,
            "| {} | {} of {} | {} % [{}, {}] |{worth} {} | {:.1} | {} | {foresight} |",
            row.name,
            row.won,
            row.n,
            percent(row.rate()),
            percent(row.interval.0),
            percent(row.interval.1),
            seeds.join(", "),
            row.steps,
            lost(row)
        );
    }
    page.push('\n');
    if !test.comparisons.is_empty() {
        page.push_str("| difference | points | by seed | games × seeds | p | would be found (80 %) |\n|---|---|---|---|---|---|\n");
        for comparison in &test.comparisons {
            _ = writeln!(page, "{}", of_comparison(comparison));
        }
        page.push('\n');
    }
    by_kind(page, &test.arms);
}

fn of_comparison(comparison: &Comparison) -> String {
    let found = &comparison.found;
    let each: Vec<String> = found.each.iter().map(|x| signed(*x)).collect();
    let (name, p) = match comparison.adjusted {
        _ if comparison.primary => ("**, primary", format!("{:.3}", found.p)),
        Some(p) => ("", format!("{:.3}, corrected {p:.3}", found.p)),
        None => ("", format!("{:.3}", found.p)),
    };
    // With one seed it says nothing of what another would do.
    let alone = found.seeds.len() == 1;
    let p = if alone { "one seed".to_string() } else { p };
    let power = if alone { "–".to_string() } else { percent(found.detectable()) };
    let bold = if comparison.primary { "**" } else { "" };
    format!(
        "| {bold}{} − {}{name} | {} [{}, {}] | {} | {} × {} | {p} | {power} |",
        comparison.arm,
        comparison.over,
        signed(found.value),
        signed(found.interval.0),
        signed(found.interval.1),
        each.join(", "),
        found.games,
        found.seeds.len()
    )
}

fn by_kind(page: &mut String, arms: &[ArmRow]) {
    let Some(first) = arms.first().filter(|row| row.kinds.len() > 1) else { return };
    let names: Vec<&str> = arms.iter().map(|row| row.name.as_str()).collect();
    _ = writeln!(page, "| kind of task | {} |", names.join(" | "));
    _ = writeln!(page, "|---|{}", "---|".repeat(arms.len()));
    for kind in first.kinds.keys() {
        let cells: Vec<String> = arms
            .iter()
            .map(|row| match row.kinds.get(kind) {
                Some((won, all)) => {
                    format!("{won}/{all} = {} %", percent(*won as f64 / *all as f64))
                }
                None => "–".into(),
            })
            .collect();
        _ = writeln!(page, "| {kind} | {} |", cells.join(" | "));
    }
    page.push('\n');
}
