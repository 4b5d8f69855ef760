//! The form before collecting.

use ratatui::text::Line;

use super::effect::{CollectOrder, TEMPLATE};
use super::sheet::{Field, Sheet, Takes};
use super::theme::Theme;
use crate::collect::ASKED;
use crate::episode::Scope;

/// All kinds, the suite's own expert.
const ALL: &str = "all";
const NONE: &str = "none";
const SUITES: &str = "the suite's";

/// What the form can choose from.
#[derive(Debug, Clone, Default)]
pub struct Offered {
    /// The split that is open, and the others.
    pub splits: Vec<String>,
    /// The expert that speaks, and the others.
    pub experts: Vec<String>,
    /// Kinds of task.
    pub kinds: Vec<String>,
}

/// The form, with what is open in Explore filled in.
pub fn sheet(offered: &Offered) -> Sheet {
    use Takes::{Choice, Number, Text};
    let words = |all: &[String], more: &str| -> Vec<String> {
        all.iter()
            .cloned()
            .chain([more.to_string()].into_iter().filter(|m| !m.is_empty()))
            .collect()
    };
    let chosen = |name, label, takes, choices: Vec<String>| {
        let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
        Field::new(name, label, takes, &choices)
    };
    let kinds = [vec![ALL.to_string()], offered.kinds.clone()].concat();
    let asked = ASKED.to_string();
    let mut sheet = Sheet::new(vec![
        Field::new("games", "games", Number, &["20", "50", "100", "200", "5"]),
        chosen("split", "split", Choice, words(&offered.splits, "")),
        chosen("kinds", "kinds", Text, kinds).hint("of task, with commas"),
        chosen("expert", "expert", Choice, words(&offered.experts, SUITES))
            .hint("who demonstrates"),
        Field::new("k", "uniform", Number, &["4", "8", "2", "0"])
            .hint("alternatives a state drawn from the list"),
        Field::new("asked", "of the policy", Number, &[&asked, "1", "2", "4", "0"])
            .hint("alternatives a state that it proposes"),
        Field::new("policy", "policy", Text, &["newest", "embedded"])
            .hint("newest checkpoint, a number, a name"),
        Field::new("think", "  it thinks first", Choice, &["no", "yes"]),
        Field::new("written", "reflections", Text, &[TEMPLATE, NONE])
            .hint("one a state: template, none, or a mind"),
        Field::new("attempts", "  attempts", Number, &["3", "1", "2", "5"])
            .hint("of a mind, until the rules find nothing"),
        Field::new("sample", "  first", Number, &["5", ALL, "10"])
            .hint("texts of a mind, to be read in Curate before all are paid for"),
        Field::new("seed", "seed", Number, &["1", "2", "3"]).hint("which games, and what is drawn"),
    ]);
    adapt(&mut sheet);
    sheet
}

/// Shows what means something beside what is filled in: the template writes each text once, and for
/// nothing.
pub fn adapt(sheet: &mut Sheet) {
    let by_mind = ![TEMPLATE, NONE].contains(&sheet.value("written").trim());
    sheet.show("attempts", by_mind);
    sheet.show("sample", by_mind);
}

/// What the fields ask for, or which of them means nothing.
pub fn order(sheet: &Sheet) -> Result<CollectOrder, String> {
    let number = |name: &str| {
        let value = sheet.value(name);
        value
            .parse::<u64>()
            .map_err(|_| format!("{name}: `{value}` is no number that can be meant"))
    };
    let games = number("games")? as usize;
    let (k, asked) = (number("k")? as usize, number("asked")? as usize);
    if games == 0 || k > 1000 || asked > 1000 {
        return Err("at least one game, and at most 1,000 alternatives a state".into());
    }
    let attempts = number("attempts")? as usize;
    if !(1..=20).contains(&attempts) || sheet.value("written").trim().is_empty() {
        return Err("reflections: a writer, or none; and 1 to 20 attempts".into());
    }
    let writer = Some(sheet.value("written").trim().to_string()).filter(|writer| writer != NONE);
    let sample = match sheet.value("sample") {
        ALL => None,
        _ => Some(number("sample")? as usize),
    };
    if sample == Some(0) {
        return Err("a sample of reflections has at least one".into());
    }
    let kinds = Some(sheet.value("kinds")).filter(|kinds| *kinds != ALL).unwrap_or_default();
    let kinds = kinds.split(',').map(str::trim).filter(|kind| !kind.is_empty());
    Ok(CollectOrder {
        scope: Scope {
            split: sheet.value("split").to_string(),
            games,
            seed: number("seed")?,
            share: None,
        },
        kinds: kinds.map(str::to_string).collect(),
        expert: Some(sheet.value("expert").to_string()).filter(|name| name != SUITES),
        k,
        asked,
        policy: sheet.value("policy").trim().to_string(),
        think: sheet.value("think") == "yes",
        sample: sample.filter(|_| writer.as_deref().is_some_and(|writer| writer != TEMPLATE)),
        writer,
        attempts,
    })
}

/// What would be collected, in words.
pub fn words(sheet: &Sheet, theme: Theme) -> Vec<Line<'static>> {
    let said = match order(sheet) {
        Err(why) => return vec![Line::styled(format!(" {why}"), theme.bad())],
        Ok(order) => order,
    };
    let mut lines = vec![format!(
        "demonstrations of {} games of {}, by {}",
        said.scope.games,
        said.scope.split,
        said.expert.as_deref().unwrap_or("the suite's own expert")
    )];
    lines.push(match (said.k, said.asked) {
        (0, 0) => "no alternatives, and so no reflections".into(),
        (k, 0) => format!("at every state {k} executed alternatives drawn from the list"),
        (k, asked) => format!(
            "at every state {k} drawn from the list, and {asked} draws of {} (one that is no \
             alternative is replaced from the list; it is said how many were)",
            said.policy
        ),
    });
    let writer = said.writer.filter(|_| said.k + said.asked > 0);
    lines.extend(writer.map(|writer| match writer.as_str() {
        TEMPLATE => "and from those a reflection by the template, to be reviewed".to_string(),
        mind => match said.sample {
            Some(n) => format!(
                "and from those {n} reflections by {mind}, at most {} attempts each: read them \
                 first",
                said.attempts
            ),
            None => format!(
                "and from those a reflection by {mind}, at most {} attempts each, to be reviewed",
                said.attempts
            ),
        },
    }));
    lines.into_iter().map(|line| Line::styled(format!(" {line}"), theme.dim())).collect()
}
