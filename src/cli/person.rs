//! Who is the expert: `--expert`, and a person at the keyboard as one.

use clap::{Args, ValueEnum};

use super::out;
use crate::control::Cancel;
use crate::env::{Advice, Environment, Expert, NoAdvice};
use crate::episode::Teacher;
use crate::explore::HUMAN;
use crate::paths;

/// `--expert NAME`.
#[derive(Debug, Clone, Args)]
pub struct ExpertArg {
    /// Who is the expert: fair plays from what it has been shown, planner knows everything,
    /// walkthrough is the game's own plan, human is you (default: fair)
    #[arg(long, value_enum)]
    expert: Option<Name>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    Planner,
    Fair,
    Walkthrough,
    Human,
}

impl ExpertArg {
    /// The name given.
    pub fn name(&self) -> Option<&'static str> {
        self.expert.map(|name| match name {
            Name::Planner => "planner",
            Name::Fair => "fair",
            Name::Walkthrough => "walkthrough",
            Name::Human => HUMAN,
        })
    }

    /// Whoever demonstrates then.
    pub fn teacher<'a>(&self, person: &'a Person) -> Teacher<'a> {
        match self.name() {
            Some(HUMAN) => Teacher::Other(person),
            name => Teacher::Suite(name),
        }
    }
}

/// A person: shown each state on stderr, answering with a line on stdin. An action that is not
/// admissible is asked for again; the end of the input gives the game up.
#[derive(Debug)]
pub struct Person;

impl Expert for Person {
    fn name(&self) -> &'static str {
        HUMAN
    }

    fn advise(&self, env: &dyn Environment, _: &Cancel) -> Result<Advice, NoAdvice> {
        let turn = env.turn();
        let list = turn.actions.in_words();
        out::tell(&format!("\ntask: {}\n{}\n[{list}]", env.task(), turn.observation));
        loop {
            out::prompt("> ");
            let line =
                paths::stdin_line().map_err(|e| NoAdvice::Other(format!("reading stdin: {e}")))?;
            let line = line.ok_or_else(|| NoAdvice::Other("the input ended".into()))?;
            let action = line.trim();
            if turn.admits(action) && !action.is_empty() {
                return Ok(Advice { action: action.to_string(), steps_left: None });
            }
            out::tell(&format!("`{action}` is not admissible here; choose from the list above"));
        }
    }
}
