//! Explore, another mind beside the one that answers: asked about the same actions of the same
//! state, so that two policies, or two world models, are seen side by side.

use super::{Minds, State};
use crate::agent::Scores;
use crate::explore::LookBeside;
use crate::text::{clean, percent};
use crate::tui::effect::{BesideCmd, Effect};

/// What is told of another mind.
#[derive(Debug)]
pub enum Told {
    /// What was asked for with this ticket is loaded; none where it could not be.
    Loaded(u64, Option<Minds>),
    /// Its share of each admissible action, for a ticket, and how it is known.
    Scores(u64, Vec<f64>, Scores),
    /// What it expects of the what-ifs, for a ticket.
    Predicted(u64, Vec<String>, bool),
}

/// Another mind, and what it makes of the state.
#[derive(Debug, Default)]
pub struct Beside {
    /// By which ticket it was asked for.
    pub asked: u64,
    /// Who it is.
    pub minds: Minds,
    /// Its share of each admissible action.
    pub shares: Option<Vec<f64>>,
    /// How they are known.
    pub scores: Scores,
    /// What it expects of the what-ifs, the expert's first.
    pub predictions: Vec<String>,
    /// Whether that is complete.
    pub predicted: bool,
}

impl Beside {
    /// What it goes by, or that it is still being loaded.
    pub(super) fn name(&self) -> String {
        let name = clean(&self.minds.described);
        let how = match self.scores {
            Scores::Exact => String::new(),
            scores => format!(" ({})", scores.describe()),
        };
        if name.is_empty() { "loading…".into() } else { name + &how }
    }

    /// Its share of the admissible action at a place, in as many columns as any.
    pub(super) fn share(&self, at: usize) -> String {
        let share = self.shares.as_ref().and_then(|shares| shares.get(at));
        share.map_or_else(|| "     …".into(), |share| percent(*share))
    }
}

impl State {
    /// Lets another mind be asked beside; nothing named lets it go.
    pub(super) fn ask_beside(&mut self, named: Option<String>) -> Vec<Effect> {
        self.minds_asked += 1;
        let asked = self.minds_asked;
        self.beside = named.as_ref().map(|_| Beside { asked, ..Beside::default() });
        vec![Effect::Beside(BesideCmd::Load(asked, named))]
    }

    /// What it made of another state is of no use any more.
    pub(super) fn clear_beside(&mut self) {
        if let Some(beside) = &mut self.beside {
            let (asked, minds) = (beside.asked, std::mem::take(&mut beside.minds));
            *beside = Beside { asked, minds, ..Beside::default() };
        }
    }

    /// Asks the other mind about what stands here.
    pub(super) fn look_beside(&self) -> Vec<Effect> {
        let foreseen = self.what_ifs();
        let Some(view) = self.view.as_ref().filter(|view| !view.done) else { return Vec::new() };
        let Some(_) = self.beside.as_ref().filter(|b| !b.minds.described.is_empty()) else {
            return Vec::new();
        };
        vec![Effect::Beside(BesideCmd::Look(Box::new(LookBeside {
            ticket: self.ticket,
            score: self.to_score(view.state.clone(), view.admissible.clone()),
            foreseen,
        })))]
    }

    /// Takes in what is told of it.
    pub(super) fn hear_beside(&mut self, told: Told) -> Vec<Effect> {
        let ticket = self.ticket;
        match (told, &mut self.beside) {
            (Told::Loaded(of, None), beside) if beside.as_ref().is_some_and(|b| b.asked == of) => {
                *beside = None;
            }
            (Told::Loaded(of, Some(minds)), Some(beside)) if beside.asked == of => {
                beside.minds = minds;
                return self.look_beside();
            }
            (Told::Scores(of, shares, scores), Some(beside)) if of == ticket => {
                beside.shares = Some(shares);
                beside.scores = scores;
            }
            (Told::Predicted(of, texts, complete), Some(beside)) if of == ticket => {
                beside.predictions = texts;
                beside.predicted = complete;
            }
            // About a state left since, or a mind let go.
            _ => {}
        }
        Vec::new()
    }
}
