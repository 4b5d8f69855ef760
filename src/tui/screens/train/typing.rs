//! Train, while the form before a run is filled in or the name of a curve is typed.

use crossterm::event::{Event, KeyCode, KeyEvent};
use regex::{Regex, RegexBuilder};
use tui_input::backend::crossterm::EventHandler;

use super::State;
use super::fields::{self, AUTO};
use super::filled::{fill, moved, plan};
use crate::selection::ALL;
use crate::store::RunRow;
use crate::train::{Forecast, Objective, Plan, built_in, command, usual_split, usual_start};
use crate::tui::effect::{Effect, JobCmd, Notice, RunCmd, StoreCmd};
use crate::tui::sheet::{Sheet, Typed};
use crate::tui::text::pasted;

/// The form before a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// What can be set.
    pub sheet: Sheet,
    /// Whether it waits until another run ends.
    pub queue: bool,
    /// The run that it was filled in from.
    pub again: Option<i64>,
    /// What it would take, once that is worked out, or why it cannot start.
    pub forecast: Option<Result<Forecast, String>>,
}

impl Form {
    /// What the fields make.
    pub fn plan(&self) -> crate::error::Result<Plan> {
        plan(&self.sheet)
    }

    /// What it starts from, by the name that commands take.
    pub fn start(&self) -> &str {
        self.sheet.value("start")
    }

    /// The command that starts the same run; none while a field means nothing.
    pub fn command(&self) -> Option<String> {
        self.plan().ok().map(|plan| command(&plan, self.start()))
    }
}

/// A pattern for names, whatever their case; an empty one fits all.
pub fn pattern(typed: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(typed.trim()).case_insensitive(true).build()
}

impl State {
    /// Opens the form of a new run, filled in from another one if that is to be run again.
    pub(super) fn open_form(&mut self, queue: bool, again: Option<RunRow>) -> Vec<Effect> {
        let mut sheet = fields::sheet();
        let suite = self.suite.clone().unwrap_or_default();
        sheet.set("start", usual_start(&suite));
        sheet.set("suite", suite);
        let mut from = None;
        if let Some(run) = again {
            let config: serde_json::Value = serde_json::from_str(&run.config).unwrap_or_default();
            if let Ok(plan) = serde_json::from_value::<Plan>(config["plan"].clone()) {
                fill(&mut sheet, &plan, if run.start.is_empty() { "newest" } else { &run.start });
                from = Some(run.id);
            }
        }
        self.form = Some(Form { sheet, queue, again: from, forecast: None });
        self.offer();
        self.choices().into_iter().chain(self.ask()).collect()
    }

    /// Opens it set to play and learn from that: from the checkpoint or the model that knows least,
    /// where nobody has trained one here yet.
    pub(super) fn open_play(&mut self, queue: bool) -> Vec<Effect> {
        self.open_form(queue, None);
        if let Some(form) = &mut self.form {
            form.sheet.set("objective", Objective::Rl.as_str());
            form.sheet.set("preset", "play");
            fields::preset(&mut form.sheet);
            let own = self.suite.as_deref() == Some("household");
            if own && self.checkpoints.is_empty() {
                form.sheet.set("start", "novice");
            } else if !self.checkpoints.is_empty() {
                form.sheet.set("start", "newest");
            }
        }
        self.offer();
        self.choices().into_iter().chain(self.ask()).collect()
    }

    /// Asks who demonstrated and what was drawn where the form looks.
    fn choices(&self) -> Option<Effect> {
        let sheet = &self.form.as_ref()?.sheet;
        let named = |name: &str| Some(sheet.value(name).to_string()).filter(|v| v != AUTO);
        let split = named("split").filter(|split| split != ALL);
        let choices = RunCmd::Choices(named("suite"), split, named("expert"));
        Some(Effect::Store(StoreCmd::Run(choices)))
    }

    /// What the fields can be set to, as far as that depends on what there is.
    pub(super) fn offer(&mut self) {
        let starts = built_in().map(str::to_string).into_iter();
        let saved = self.checkpoints.iter().map(|c| c.label.clone().unwrap_or_else(|| c.name()));
        let starts: Vec<String> = starts.chain(saved).collect();
        let there = &self.choices;
        let Some(form) = &mut self.form else { return };
        let suite = form.sheet.value("suite").to_string();
        let mut suites: Vec<String> = there.origins.iter().map(|(name, ..)| name.clone()).collect();
        suites.dedup();
        let of_suite = there.origins.iter().filter(|(name, ..)| *name == suite);
        let splits = of_suite.map(|(_, split, _)| split.clone()).chain([ALL.to_string()]).collect();
        let experts = there.experts.iter().map(|(name, _)| name.clone());
        let experts = [AUTO.to_string()].into_iter().chain(experts).chain([ALL.to_string()]);
        let mut pools: Vec<String> = there.pools.iter().map(|count| count.pool.clone()).collect();
        pools.dedup();
        pools.push(ALL.into());
        for (name, choices) in [
            ("start", starts),
            ("suite", suites),
            ("split", splits),
            ("expert", experts.collect()),
            ("pool", pools),
        ] {
            if let Some(field) = form.sheet.get_mut(name) {
                field.choices = choices;
            }
        }
        let hints =
            [("split", there.splits_of(&suite)), ("expert", there.who()), ("pool", there.drawn())];
        for (name, hint) in hints {
            if let Some(field) = form.sheet.get_mut(name) {
                field.hint = hint;
            }
        }
        fields::refresh(
            &mut form.sheet,
            form.forecast.as_ref().and_then(|found| found.as_ref().ok()),
        );
    }

    /// Asks what the form's run would take; a field that means nothing says so itself.
    pub(super) fn ask(&mut self) -> Option<Effect> {
        let form = self.form.as_mut()?;
        match form.plan() {
            Ok(plan) => {
                let start = form.start().to_string();
                Some(Effect::Store(StoreCmd::Run(RunCmd::Forecast(Box::new(plan), start))))
            }
            Err(error) => {
                form.forecast = Some(Err(Notice::error(&error).text));
                None
            }
        }
    }

    /// Takes what a plan would take, if it still is what the form says.
    pub(super) fn take_forecast(
        &mut self,
        of: &Plan,
        start: &str,
        found: Result<Forecast, String>,
    ) {
        let Some(form) = &mut self.form else { return };
        if form.start() == start && form.plan().is_ok_and(|plan| plan == *of) {
            form.forecast = Some(found);
            self.offer();
        }
    }

    /// Takes a key while the form is open or words are typed; none otherwise.
    pub(super) fn type_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        if let Some(mut input) = self.searching.take() {
            match key.code {
                KeyCode::Esc => {}
                KeyCode::Enter if pattern(input.value()).is_ok() => {
                    self.words = input.value().trim().to_string();
                    // The large curve is one of those that are listed.
                    let listed = self.listed();
                    if !listed.iter().any(|name| name == self.name()) {
                        self.name = listed.into_iter().next();
                    }
                }
                _ => {
                    input.handle_event(&Event::Key(key));
                    self.searching = Some(input);
                }
            }
            return Some(Vec::new());
        }
        if let Some(line) = self.line.take() {
            return Some(self.type_line(line, key));
        }
        if let Some(sheet) = self.evaluating.take() {
            return Some(self.type_evaluation(sheet, key));
        }
        let form = self.form.as_mut()?;
        Some(match form.sheet.key(key) {
            Typed::Moved => Vec::new(),
            Typed::Left => {
                self.form = None;
                Vec::new()
            }
            Typed::Done => self.start(),
            Typed::Changed(name) => self.changed(name),
            Typed::Other => match key.code {
                KeyCode::Char('y') => form.command().map_or_else(Vec::new, Effect::copied),
                KeyCode::Char('q') => {
                    self.form = None;
                    Vec::new()
                }
                _ => Vec::new(),
            },
        })
    }

    /// Starts what the form says, or queues it; one that cannot start stays and says why.
    fn start(&mut self) -> Vec<Effect> {
        let can = |form: &mut Form| form.plan().is_ok() && !matches!(form.forecast, Some(Err(_)));
        let Some(form) = self.form.take_if(can) else { return Vec::new() };
        let Ok(plan) = form.plan().map(Box::new) else { return Vec::new() };
        let start = form.start().to_string();
        vec![if form.queue {
            Effect::Store(StoreCmd::Run(RunCmd::Queue(plan, start)))
        } else {
            Effect::Job(JobCmd::Train(plan, start))
        }]
    }

    /// What follows from another value of a field.
    fn changed(&mut self, name: &'static str) -> Vec<Effect> {
        let Some(form) = &mut self.form else { return Vec::new() };
        match name {
            "preset" => fields::preset(&mut form.sheet),
            "suite" => {
                // A split of the other suite, with what was collected there.
                let suite = form.sheet.value("suite");
                let split = usual_split(&self.choices.origins, suite);
                if built_in().contains(&form.sheet.value("start")) {
                    let start = usual_start(form.sheet.value("suite"));
                    form.sheet.set("start", start);
                }
                form.sheet.set("split", split);
                form.sheet.set("expert", AUTO);
            }
            "split" => form.sheet.set("expert", AUTO),
            "ssh" => moved(&mut form.sheet),
            _ => {}
        }
        // Another number of updates only scales the cost; anything else is worked out anew.
        let plan = form.plan();
        form.forecast = match (name, form.forecast.take(), &plan) {
            ("updates", Some(Ok(known)), Ok(plan)) => Some(Ok(known.of(plan))),
            _ => None,
        };
        let choices =
            if ["suite", "split", "expert"].contains(&name) { self.choices() } else { None };
        self.offer();
        choices.into_iter().chain(self.ask()).collect()
    }

    /// Takes pasted text.
    pub(super) fn type_text(&mut self, text: &str) -> Vec<Effect> {
        if let Some(input) = &mut self.searching {
            pasted(input, text);
        } else if let Some(line) = &mut self.line {
            pasted(&mut line.input, text);
        } else if let Some(sheet) = &mut self.evaluating {
            sheet.paste(text);
        } else if let Some(form) = &mut self.form
            && let Typed::Changed(name) = form.sheet.paste(text)
        {
            return self.changed(name);
        }
        Vec::new()
    }
}

#[cfg(test)]
#[path = "typing_tests.rs"]
mod tests;
