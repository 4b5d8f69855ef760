//! Explore, what its keys do.

use tui_input::Input;

use super::refusals::say;
use super::view::as_given;
use super::{State, Typing};
use crate::explore::{HUMAN, Tried};
use crate::tui::effect::{Effect, JobCmd, MindCmd, WorldCmd};
use crate::tui::keys::{Key, key};

/// Alternatives that `s` adds.
const MORE: usize = 4;

/// What keys do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Take the expert's action.
    StepExpert,
    /// Take alternative N (1–9).
    Alternative(usize),
    /// Type an action.
    Type,
    /// Take the selected admissible action.
    TakeSelected,
    /// Go back one step.
    Back,
    /// Choose a node of the tree.
    Nodes,
    /// More alternatives.
    More,
    /// Write a reflection about this state.
    Reflect,
    /// The exact prompt and reply of the model.
    Prompt,
    /// What the environment gave, character by character.
    Raw,
    /// Let the policy play on from each outcome.
    GoOn,
    /// Let the expert do so.
    ExpertGoesOn,
    /// How alternatives are chosen.
    Sampling,
    /// List the surprises.
    Surprises,
    /// Look for surprises anew.
    Survey,
    /// The panel in front alone.
    Whole,
    /// Let the policy think before it acts, or act at once.
    Think,
    /// Hide the model's advice, or show it.
    Hide,
    /// Another expert speaks.
    Expert,
    /// Keep the episode as a demonstration.
    Keep,
    /// Collect data.
    Collect,
    /// The next task of the split.
    NextTask,
    /// The task before.
    PreviousTask,
    /// The next split of the suite.
    NextSplit,
    /// Choose a game from a list.
    Games,
    /// Say which minds answer.
    Minds,
    /// Ask another mind beside them, or no longer.
    Beside,
}

/// The keys of this screen.
pub const KEYS: &[Key<Act>] = &[
    key(
        "step",
        "enter",
        Act::StepExpert,
        "step expert",
        "take the expert's action; in Trunk (Tab), go to the node under the cursor",
    ),
    key(
        "alternative",
        "1 2 3 4 5 6 7 8 9",
        Act::Alternative(0),
        "take alternative",
        "take that alternative instead",
    ),
    key(
        "type",
        "a /",
        Act::Type,
        "type",
        "type an action; the list narrows as you type, Tab completes",
    ),
    key(
        "take",
        "t space",
        Act::TakeSelected,
        "take selected",
        "take what is under the cursor: an admissible action, one of What if, a node of Trunk (Tab)",
    ),
    key("back", "u backspace", Act::Back, "back", "go back one step (the branch stays)"),
    key("nodes", "b", Act::Nodes, "nodes", "go to any node walked so far"),
    key("more", "s", Act::More, "more", "try more of the policy's alternatives"),
    key(
        "reflect",
        "R",
        Act::Reflect,
        "reflect",
        "write a reflection from the executed outcomes, and review it in Curate",
    ),
    key(
        "prompt",
        "P",
        Act::Prompt,
        "",
        "the exact prompt the model is given here, and its raw replies",
    ),
    key(
        "raw",
        "v",
        Act::Raw,
        "",
        "the observation and every outcome exactly as the environment gave them",
    ),
    key(
        "go-on",
        "o",
        Act::GoOn,
        "go on",
        "let the policy play on from each outcome, and see what comes of it",
    ),
    key(
        "expert-goes-on",
        "O",
        Act::ExpertGoesOn,
        "",
        "let the expert play on from each outcome instead",
    ),
    key(
        "sampling",
        "p",
        Act::Sampling,
        "sampling",
        "how alternatives are chosen: by whom, how many, temperature, top-p, seed",
    ),
    key(
        "surprises",
        "S",
        Act::Surprises,
        "surprises",
        "states of demonstrations where the model is most wrong or most sure of something else",
    ),
    key("again", "ctrl-s", Act::Survey, "", "look for surprises anew, with the newest checkpoint"),
    key(
        "whole",
        "z",
        Act::Whole,
        "",
        "the panel in front alone on the screen, or beside the others again",
    ),
    key(
        "think",
        "i",
        Act::Think,
        "think",
        "let the policy think before it acts, as checkpoints of reflection were trained to",
    ),
    key(
        "hide",
        "H",
        Act::Hide,
        "",
        "hide the advice of expert and model while you play, or show it",
    ),
    key("expert", "e", Act::Expert, "expert", "who speaks: fair, planner, walkthrough, or you"),
    key(
        "keep",
        "K",
        Act::Keep,
        "keep",
        "keep this episode as a demonstration (K again where the same one is kept already)",
    ),
    key(
        "collect",
        "c",
        Act::Collect,
        "collect",
        "collect demonstrations, alternatives and reflections",
    ),
    key("next", "]", Act::NextTask, "next task", "the next task of the split"),
    key("previous", "[", Act::PreviousTask, "", "the task before"),
    key(
        "minds",
        "M",
        Act::Minds,
        "minds",
        "say who acts, foresees and reflects: a checkpoint, a folder, a URL, a mind of config.toml",
    ),
    key(
        "beside",
        "=",
        Act::Beside,
        "beside",
        "ask another mind as well, side by side, or no longer",
    ),
    key("games", "F", Act::Games, "games", "choose suite, split and game from a list"),
    key("split", "f", Act::NextSplit, "split", "the next split of the suite"),
];

impl State {
    /// Does what a key means.
    pub fn act(&mut self, act: Act) -> Vec<Effect> {
        let world = |command: WorldCmd| vec![Effect::World(command)];
        match act {
            Act::StepExpert => {
                if let Some(node) = self.elsewhere() {
                    return world(WorldCmd::Goto(node));
                }
                let said = self.view.as_ref().and_then(|view| view.expert.clone());
                if let Some((name, advice)) = said {
                    world(WorldCmd::Step(advice.action, name))
                } else {
                    Vec::new()
                }
            }
            Act::Alternative(n) => match self.chosen.get(n.wrapping_sub(1)) {
                // Whoever proposed it, the person chose it.
                Some((action, _)) => world(WorldCmd::Step(action.clone(), HUMAN.into())),
                None => say(format!("there is no alternative {n} here: s tries more")),
            },
            Act::TakeSelected => match (self.elsewhere(), self.taken()) {
                (Some(node), _) => world(WorldCmd::Goto(node)),
                (None, Some((action, source))) => world(WorldCmd::Step(action, source)),
                (None, None) => say("nothing is under the cursor that could be taken".into()),
            },
            Act::Type => {
                self.typing = Some(Typing::Action(Input::default()));
                Vec::new()
            }
            Act::Nodes => {
                let here = self.view.as_ref().map_or(0, |view| {
                    view.trunk.iter().position(|line| line.node == view.node).unwrap_or_default()
                });
                self.typing = Some(Typing::Node(here));
                Vec::new()
            }
            Act::Back => world(WorldCmd::Back),
            Act::More => {
                self.more += MORE;
                self.look()
            }
            Act::Keep => world(WorldCmd::Keep(Box::new(self.all_tried()))),
            Act::Reflect => world(WorldCmd::Reflect(self.outcomes.clone())),
            Act::GoOn => self.play_on("policy", WorldCmd::GoOn),
            Act::ExpertGoesOn => self.play_on("expert", WorldCmd::ExpertGoesOn),
            Act::Sampling => {
                self.typing = Some(Typing::Sampling(0));
                Vec::new()
            }
            Act::Raw => {
                vec![Effect::Show("Now and What if, as JSON strings".into(), as_given(self))]
            }
            Act::Prompt => {
                let Some(view) = &self.view else { return Vec::new() };
                // What expert and policy would do is hidden here too.
                let asked = if self.hidden { Vec::new() } else { self.what_ifs() };
                let state = Box::new(view.state.clone());
                vec![Effect::Mind(MindCmd::Prompt(state, asked, self.thinking))]
            }
            Act::Surprises if !self.surprises.is_empty() => {
                self.typing = Some(Typing::Surprise(0));
                Vec::new()
            }
            Act::Surprises | Act::Survey => {
                let split = self.split().unwrap_or_default().to_string();
                vec![Effect::Job(JobCmd::Survey(split))]
            }
            Act::Hide => {
                self.hidden = !self.hidden;
                Vec::new()
            }
            Act::Think => {
                self.thinking = !self.thinking;
                self.another_policy()
            }
            Act::Expert => world(WorldCmd::NextExpert),
            Act::NextTask => world(WorldCmd::Task(1)),
            Act::PreviousTask => world(WorldCmd::Task(-1)),
            Act::Games => self.choose_game(),
            Act::Minds => {
                self.typing = Some(Typing::Minds(Input::default()));
                Vec::new()
            }
            Act::Beside if self.beside.is_some() => self.ask_beside(None),
            Act::Beside => {
                self.typing = Some(Typing::Beside(Input::default()));
                Vec::new()
            }
            Act::NextSplit => world(WorldCmd::NextSplit),
            Act::Whole => {
                self.whole = !self.whole;
                Vec::new()
            }
            Act::Collect => vec![Effect::AskCollect],
        }
    }

    /// What was executed and foreseen in this task, to be kept with it.
    fn all_tried(&self) -> Tried {
        let game = &self.memory.game;
        let outcomes = game.tried.iter().map(|(state, found)| (state.clone(), found.clone()));
        let foreseen =
            game.known.iter().map(|(state, known)| (state.clone(), known.foreseen.clone()));
        Tried {
            outcomes: outcomes.collect(),
            foreseen: foreseen.collect(),
            model: self.minds.world.clone(),
        }
    }

    /// Lets somebody play on from every outcome.
    fn play_on(&mut self, who: &str, ask: fn(usize, Vec<String>) -> WorldCmd) -> Vec<Effect> {
        let Some(view) = &self.view else { return Vec::new() };
        let actions = self.what_ifs();
        let said = actions.iter().map(|action| (action.clone(), format!("{who} plays on…")));
        self.went_on = said.collect();
        vec![Effect::World(ask(view.node, actions))]
    }
}
