//! What the interface asks for, as data: the only thing that screens and threads share besides
//! messages.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::screen::Screen;
pub use super::screens::agents::AgentsCmd;
use super::screens::study::Behind;
use super::screens::train::About;
use crate::agent::{Case, Writer};
use crate::env::Suite;
use crate::episode::{Episode, Scope};
use crate::error::Error;
use crate::experience::{Reflection, State};
use crate::explore::{CompareModels, EvaluateState, LookBeside, Outcome, ScoreState, Tried};
use crate::formats::Order;
use crate::store::{Decision, Filter, Listing, Near, Place, Seen};
use crate::study::Design;
use crate::train::Plan;

/// A line for the status bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The text.
    pub text: String,
    /// Whether something failed.
    pub bad: bool,
}

impl Notice {
    /// Something happened.
    pub fn info(text: String) -> Self {
        Self { text, bad: false }
    }

    /// Something failed.
    pub fn error(error: &Error) -> Self {
        let next = error.next_step().map(|next| format!(" · {next}")).unwrap_or_default();
        Self { text: format!("{}{next}", error.message()), bad: true }
    }
}

/// A suite that was opened.
#[derive(Clone)]
pub struct OpenSuite(pub Arc<dyn Suite>);

impl std::fmt::Debug for OpenSuite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

/// Everything the interface asks for, as data.
#[derive(Debug)]
pub enum Effect {
    /// Of the world.
    World(WorldCmd),
    /// Of the mind.
    Mind(MindCmd),
    /// Of another mind beside it.
    Beside(BesideCmd),
    /// Of the store.
    Store(StoreCmd),
    /// Of studies.
    Study(StudyCmd),
    /// Of agents of others.
    Agents(AgentsCmd),
    /// Of the jobs.
    Job(JobCmd),
    /// Text for the terminal's clipboard.
    Copy(String),
    /// A text to be read: its title and lines.
    Show(String, Vec<String>),
    /// Something to say in the status bar.
    Say(Notice),
    /// Another screen in front.
    Go(Screen),
    /// Another suite is open: jobs are about it from now on.
    Suite(OpenSuite),
    /// Ask how many games are to be collected.
    AskCollect,
    /// Leave the terminal to the shell until the program is continued.
    Suspend,
    /// A text to be edited in the person's editor.
    Edit(i64, String),
}

impl Effect {
    /// Copies a text, and says so.
    pub fn copied(text: String) -> Vec<Self> {
        let said = Notice::info(format!("copied {} characters", text.chars().count()));
        vec![Self::Say(said), Self::Copy(text)]
    }
}

/// What the world is asked.
#[derive(Debug)]
pub enum WorldCmd {
    /// Come back to where the last session stood, or to the first task.
    Begin,
    /// The task so many places on in the split.
    Task(i64),
    /// The first task of the suite's next split.
    NextSplit,
    /// List the games of a suite's split (of those that are open, without names).
    Games(Option<String>, Option<String>),
    /// Open a game: its suite, its split, its identifier.
    Open(String, String, String),
    /// Take an action.
    Step(String, String),
    /// Go back one step.
    Back,
    /// Go to a node.
    Goto(usize),
    /// Name a node.
    Name(usize, String),
    /// Take a node out of the tree, with everything below it.
    Remove(usize),
    /// Put back what was taken out last.
    PutBack,
    /// Say how two nodes differ.
    Compare(usize, usize),
    /// Execute actions on forks of a node.
    Execute(usize, Vec<(String, String)>),
    /// Let the next expert speak.
    NextExpert,
    /// Keep the episode as a demonstration, with what was tried on the way.
    Keep(Box<Tried>),
    /// Let the policy play on from what these actions of a node lead to.
    GoOn(usize, Vec<String>),
    /// Let the expert do so.
    ExpertGoesOn(usize, Vec<String>),
    /// Save the state with what was executed in it, and a reflection about it.
    Reflect(Vec<Outcome>),
    /// Go to step `t` of a stored trajectory, verified.
    BranchOff(i64, usize),
}

/// What the mind is asked.
#[derive(Debug)]
pub enum MindCmd {
    /// Think, score, choose and predict in a state; a newer one ends it.
    Evaluate(Box<EvaluateState>),
    /// Score a state that was passed before, for a count of policies; a newer look ends it.
    Score(u64, Box<ScoreState>),
    /// Load a model; none for the newest checkpoint, from now on whichever that is.
    Load(Option<String>),
    /// Load the newest checkpoint, unless another was named: one was saved.
    Renew,
    /// Another suite is played: where nobody was named, who knows it answers.
    Suite(String),
    /// The exact prompt for a state, and raw replies; whether the policy thinks first.
    Prompt(Box<State>, Vec<String>, bool),
    /// Two models on one state.
    Compare(Box<CompareModels>),
    /// Another attempt at a reflection.
    Regenerate(i64, Writer, Box<Case>),
    /// Play on from a node of Explore: the action after it, and the episode.
    PlayOn(Box<PlayOn>),
}

/// What another mind is asked, beside the one that answers.
#[derive(Debug)]
pub enum BesideCmd {
    /// Another suite is played.
    Suite(String),
    /// Load it, which is answered with this ticket; none lets it go.
    Load(u64, Option<String>),
    /// Score and foresee; a newer look ends it.
    Look(Box<LookBeside>),
}

/// An episode to be played on from what an action of a node led to.
pub struct PlayOn {
    /// The node.
    pub node: usize,
    /// The action.
    pub action: String,
    /// The episode after it.
    pub episode: Episode,
    /// Closed when it is played: where there can be no second world, the next waits for that.
    pub played: Option<Sender<()>>,
}

impl std::fmt::Debug for PlayOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlayOn")
            .field("node", &self.node)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

/// What the store is asked.
#[derive(Debug)]
pub enum StoreCmd {
    /// A page of the curation queue under a filter.
    Queue(Filter, Place),
    /// What a reflection is about.
    Case(Box<Reflection>),
    /// Record a decision, with what is said beside it.
    Decide(i64, Seen, Decision, Option<String>),
    /// Record a decision about all of these as one act, with what is said beside it.
    DecideAll(Vec<(i64, Seen)>, Decision, Option<String>),
    /// Hold the rules against these reflections.
    Hold(Vec<Reflection>),
    /// All reflections of the curation queue under a filter.
    Everything(Filter),
    /// What happened to a reflection.
    History(i64),
    /// Another attempt, asked for when a reflection was seen so: who wrote it, and the text.
    Attempt(i64, Seen, String, String),
    /// Take back the latest decision.
    Undo,
    /// Do again what was taken back last.
    Redo,
    /// Keep an unfinished edit; none forgets it.
    Draft(i64, Option<String>),
    /// Figures of the curation so far.
    Statistics,
    /// How many pending reflections each rule points at.
    Pointed,
    /// All versions of a reflection.
    Attempts(i64),
    /// Take a trajectory out, or put it back.
    Delete(i64, bool),
    /// Take out demonstrations that others say already.
    Duplicates,
    /// Write a trajectory as text, web page and cast.
    ExportOne(i64),
    /// About runs.
    Run(RunCmd),
    /// A part of a list of trajectories, for Replay.
    Trajectories(Listing, Near),
    /// A part of the list of all of them, for Data.
    Listed(Near),
    /// One trajectory.
    Trajectory(i64),
    /// The group that a rollout belongs to.
    GroupOf(i64),
    /// Totals, disk use, and the training sets of this suite and split (its usual one without a
    /// name).
    Data(String, Option<String>),
    /// What these exports would come to; none ends the counting.
    Extents(Vec<Order>),
    /// How a path goes on.
    Complete(String),
    /// Show the log file on a screen.
    Journal(Screen),
    /// Remember a setting.
    Remember(&'static str, String),
}

impl StoreCmd {
    /// Whether it only looks: what it could not read is nothing once nobody looks any more.
    pub fn looks(&self) -> bool {
        matches!(
            self,
            Self::Trajectories(..)
                | Self::Listed(_)
                | Self::Trajectory(_)
                | Self::GroupOf(_)
                | Self::Attempts(_)
                | Self::Statistics
                | Self::Pointed
                | Self::Data(..)
        )
    }
}

/// What the store is asked about runs.
#[derive(Debug)]
pub enum RunCmd {
    /// Runs, checkpoints and evaluations.
    List,
    /// A curve of a run, its updates after one if there is one.
    Curve(i64, String, Option<u64>),
    /// What is asked about evaluations.
    Eval(EvalCmd),
    /// Runs and checkpoints in figures.
    Figures,
    /// Write down what a person says of a run or a checkpoint.
    Write(About, String),
    /// Delete checkpoints.
    DeleteCheckpoints(Vec<i64>),
    /// Bring deleted checkpoints back.
    BringBack(Vec<i64>),
    /// Delete what nothing needs of a run's checkpoints.
    Prune(i64),
    /// Write the curves of a run as files.
    Curves(i64),
    /// The names of a run's curves, and what they say that a person should know.
    About(i64),
    /// Who demonstrated in a suite and split, and the pools of alternatives there (of one expert,
    /// if named).
    Choices(Option<String>, Option<String>, Option<String>),
    /// What a run would train on, take and cost.
    Forecast(Box<Plan>, String),
    /// End a run that another process trains, cleanly.
    StopElsewhere(i64),
    /// Write down a run that waits for its turn.
    Queue(Box<Plan>, String),
    /// Take a run that waits out of the queue.
    Unqueue(i64),
    /// Say which run comes next.
    Next,
}

/// What the store is asked about evaluations.
#[derive(Debug)]
pub enum EvalCmd {
    /// What one came to, by kind of task.
    Told(i64),
    /// How two differ.
    Difference(i64, i64),
    /// Whether everything is there that is to play, in this suite.
    Playable(Box<EvalOrder>, Option<String>),
}

/// What is asked about studies.
#[derive(Debug)]
pub enum StudyCmd {
    /// How all of them stand.
    Look,
    /// Read a study's file.
    Add(String),
    /// Write the page of the study of this name.
    Report(String),
    /// List the episodes behind a figure.
    Episodes(Behind),
    /// Read an episode of the study of this name.
    Episode(String, i64),
}

/// A kind of job; one of each may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKind {
    /// Demonstrations, then alternatives, then reflections.
    Collect,
    /// A training run.
    Train,
    /// Games played by checkpoints.
    Evaluate,
    /// States in which the newest checkpoint is most surprised.
    Survey,
    /// Files being written.
    Export,
    /// A file being read.
    Import,
    /// A study being worked at.
    Study,
    /// A trajectory being played on from each of its states.
    Blame,
    /// A run's policy being asked what it would do now.
    Policy,
    /// The gateway, as long as it listens.
    Gateway,
}

/// The writer that is no mind.
pub const TEMPLATE: &str = "template";

/// What is to be collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectOrder {
    /// Of which games.
    pub scope: Scope,
    /// Of which kinds; none named are all.
    pub kinds: Vec<String>,
    /// Who demonstrates; the suite's first expert without a name.
    pub expert: Option<String>,
    /// Alternatives a state that are drawn uniformly.
    pub k: usize,
    /// Alternatives a state that are asked of the policy.
    pub asked: usize,
    /// The policy, by the name that commands take.
    pub policy: String,
    /// Whether it thinks before each.
    pub think: bool,
    /// Who writes reflections, if anybody: [`TEMPLATE`], or a mind by the name that commands take.
    pub writer: Option<String>,
    /// Attempts of a mind at each.
    pub attempts: usize,
    /// Texts of a mind at most, to be read before all are written; all without a number.
    pub sample: Option<usize>,
}

/// Which models play which games, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalOrder {
    /// What plays, by the names that commands take.
    pub models: Vec<String>,
    /// The split; the one that the suite has for it without a name.
    pub split: Option<String>,
    /// How many games.
    pub games: usize,
    /// The seed that chooses them.
    pub games_seed: u64,
    /// The seed of the sampling.
    pub seed: u64,
    /// The temperature.
    pub temperature: f64,
    /// Whether they think before they act; as they were trained, without a word.
    pub think: Option<bool>,
    /// Whether an action that was tried in a state is left out there.
    pub no_repeat: bool,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum JobCmd {
    /// Collect on a split.
    Collect(Box<CollectOrder>),
    /// Start a run from the model of that name.
    Train(Box<Plan>, String),
    /// Go on with a run.
    Resume(i64),
    /// Let models play the same games.
    Evaluate(Box<EvalOrder>),
    /// Look for surprises in up to forty stored demonstrations of a split.
    Survey(String),
    /// Write files.
    Export(Vec<Order>),
    /// Read a file of trajectories; take in what is new, or only say what that is.
    Import(PathBuf, bool),
    /// Pause or go on.
    Pause(JobKind),
    /// End cleanly.
    Stop(JobKind),
    /// Stop the run here and let a process of its own go on with it.
    Detach,
    /// Work at a study.
    Study(Box<Design>),
    /// Listen for agents.
    Gateway,
    /// Find out where a trajectory was lost; under way it is stopped.
    Blame(i64),
    /// Ask what the policy that learnt from a rollout would do now.
    Policy(i64),
}
