//! Train, the form before an evaluation.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};

use super::State;
use crate::tui::effect::{Effect, EvalCmd, EvalOrder, JobCmd, Notice, RunCmd, StoreCmd};
use crate::tui::sheet::{Field, Sheet, Takes, Typed};
use crate::tui::theme::{Theme, centered};

/// The suite's own choice of a split.
const AUTO: &str = "auto";

impl State {
    /// Opens the form with the chosen checkpoints filled in.
    pub(super) fn open_evaluation(&mut self) -> Vec<Effect> {
        use Takes::{Choice, Number, Text};
        let names: Vec<String> = self.chosen().iter().map(|saved| saved.id.to_string()).collect();
        let named = if names.is_empty() { "embedded".to_string() } else { names.join(",") };
        let both = format!("embedded,{named}");
        let splits = self.known_splits();
        let splits: Vec<&str> = splits.iter().map(String::as_str).collect();
        self.evaluating = Some(Sheet::new(vec![
            Field::new("models", "models", Text, &[&named, &both, "embedded"])
                .hint("numbers, names, with commas; all play the same games"),
            Field::new("split", "split", Text, &splits)
                .hint("auto: the one that the suite has for it; any other can be typed"),
            Field::new("games", "games", Number, &["20", "50", "100", "134"]),
            Field::new("temperature", "temperature", Number, &["0.4", "0", "1"])
                .hint("0 takes the likeliest"),
            Field::new("chosen", "games' seed", Number, &["1", "2", "3"]).hint("which games"),
            Field::new("seed", "seed", Number, &["1", "2", "3"]).hint("of the sampling"),
            Field::new("think", "thinking", Choice, &[AUTO, "yes", "no"])
                .hint("auto: both ways if it was trained on reflections"),
            Field::new("no_repeat", "repeats", Choice, &["as they come", "left out"])
                .hint("left out: no action twice in the same state, while others are left"),
        ]));
        Vec::new()
    }

    /// The suite's own choice, and the splits that games were evaluated or demonstrated on.
    fn known_splits(&self) -> Vec<String> {
        let suite = self.suite.as_deref().unwrap_or_default();
        let evaluated = self.evaluations.iter().filter(|eval| eval.suite == suite);
        let evaluated = evaluated.map(|eval| eval.split.clone());
        let demonstrated = self.choices.origins.iter().filter(|(name, ..)| name == suite);
        let demonstrated = demonstrated.map(|(_, split, _)| split.clone());
        let mut splits = vec![AUTO.to_string()];
        for split in evaluated.chain(demonstrated).chain(["train".to_string()]) {
            if !splits.contains(&split) {
                splits.push(split);
            }
        }
        splits
    }

    /// Takes a key for it.
    pub(super) fn type_evaluation(&mut self, mut sheet: Sheet, key: KeyEvent) -> Vec<Effect> {
        match sheet.key(key) {
            Typed::Left => return Vec::new(),
            // It stays open until everything that is named was found.
            Typed::Done => {
                let effect = match order(&sheet) {
                    Ok(order) => {
                        let look = EvalCmd::Playable(Box::new(order), self.suite.clone());
                        Effect::Store(StoreCmd::Run(RunCmd::Eval(look)))
                    }
                    Err(why) => super::sides::say(why),
                };
                self.evaluating = Some(sheet);
                return vec![effect];
            }
            _ => {}
        }
        self.evaluating = Some(sheet);
        Vec::new()
    }

    /// Lets them play, or says what is not there.
    pub(super) fn play(
        &mut self,
        wanted: Box<EvalOrder>,
        found: Result<(), String>,
    ) -> Vec<Effect> {
        let still = self.evaluating.as_ref().map(order);
        // Something else was typed, or the form left, while it was looked for.
        if still.is_none_or(|still| still.as_ref() != Ok(&*wanted)) {
            return Vec::new();
        }
        if let Err(text) = found {
            return vec![Effect::Say(Notice { text, bad: true })];
        }
        self.evaluating = None;
        vec![Effect::Job(JobCmd::Evaluate(wanted))]
    }
}

/// What the fields ask for, or which of them means nothing.
fn order(sheet: &Sheet) -> Result<EvalOrder, String> {
    let refused =
        |name: &str| format!("{name}: `{}` is no number that can be meant", sheet.value(name));
    let whole = |name: &str| sheet.value(name).parse::<u64>().map_err(|_| refused(name));
    let models = sheet.value("models").split(',').map(str::trim).filter(|name| !name.is_empty());
    let models: Vec<String> = models.map(str::to_string).collect();
    let temperature: f64 =
        sheet.value("temperature").parse().map_err(|_| refused("temperature"))?;
    let games = whole("games")? as usize;
    if models.is_empty() {
        return Err("models: name at least one, like embedded".into());
    }
    if games == 0 || !(0.0..=100.0).contains(&temperature) {
        return Err("at least one game, and a temperature from 0 to 100".into());
    }
    Ok(EvalOrder {
        models,
        split: Some(sheet.value("split").trim().to_string()).filter(|split| split != AUTO),
        games,
        games_seed: whole("chosen")?,
        seed: whole("seed")?,
        temperature,
        think: match sheet.value("think") {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        },
        no_repeat: sheet.value("no_repeat") == "left out",
    })
}

/// Draws it over the screen.
pub(super) fn draw(sheet: &Sheet, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let over = centered(area, 90, sheet.fields.len() as u16 + 4);
    frame.render_widget(Clear, over);
    let block = theme.panel("Evaluate · Enter plays · arrows, or type · Esc leaves");
    let inner = block.inner(over);
    let rows = inner.height.saturating_sub(2) as usize;
    let mut lines = sheet.lines(theme, inner.width as usize, rows);
    lines.push(Line::default());
    lines.push(Line::styled(
        " several play the same games; then their difference is said, with its interval",
        theme.dim(),
    ));
    frame.render_widget(Paragraph::new(lines).block(block), over);
}
