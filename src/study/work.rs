//! Doing the jobs of a study, each once.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::apart;
use super::design::{Shape, TestSet};
use super::jobs::{Cell, Data, Job, Task};
use super::lines;
use super::trained::{checkpoint_of, first_policy, train, trained_model, visit};
use crate::agent::template::{Rationale, Template};
use crate::agent::{self, Reflector};
use crate::collect::{self, Contrast, Draw, Writing};
use crate::control::{Control, Progress};
use crate::curation::judged;
use crate::digest;
use crate::env::Suite;
use crate::episode::{Play, Scope, Teacher};
use crate::error::{Error, Result};
use crate::eval::{self, Game, evaluate, foresight};
use crate::experience::{Reflection, UNIFORM, Verdict, is_rationale};
use crate::model::config::Config;
use crate::model::folder::digest_of;
use crate::model::team::Priority;
use crate::model::tokenizer::Tokenizer;
use crate::model::weights::Trainable;
use crate::selection::{Carry, Selection};
use crate::store::{Filter, Place, Store, StudyJob};
use crate::train::{self, checkpoint};

/// What is told while a study is worked at.
#[derive(Debug)]
pub enum Event<'a> {
    /// A job begins; how many jobs there are, and how many of them are done.
    Begun {
        /// Which.
        job: &'a Job,
        /// Jobs done.
        done: usize,
        /// Jobs.
        of: usize,
    },
    /// It goes on.
    Progress(&'a Progress),
    /// It is done, and in the store.
    Done {
        /// Which.
        job: &'a Job,
        /// What came of it.
        result: &'a Value,
        /// Where it is.
        store: &'a Store,
    },
}

/// Where the study of that name is, below a data directory.
pub fn place(root: &Path, name: &str) -> PathBuf {
    root.join("studies").join(name)
}

/// Does what is not done, in the order of the list. Whatever is finished stays finished; a training
/// that was ended goes on from its newest checkpoint.
pub fn work(
    store: &mut Store,
    suite: &dyn Suite,
    jobs: &[Job],
    control: &Control,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<()> {
    let _lock = own(store.root())?;
    apart::check(suite, jobs)?;
    let mut done: HashMap<String, StudyJob> =
        store.study_jobs()?.into_iter().map(|known| (known.job.clone(), known)).collect();
    if let Some(job) =
        jobs.iter().find(|job| done.get(&job.name).is_some_and(|known| !job.is_of(&known.spec)))
    {
        return Err(lines::changed(&job.name));
    }
    for (i, job) in jobs.iter().enumerate() {
        control.checkpoint()?;
        if !is_wanted(store, jobs, i, &done)? {
            continue;
        }
        let is_done = |job: &&Job| done.get(&job.name).is_some_and(|known| known.result.is_some());
        let count = jobs.iter().filter(is_done).count();
        tell(Event::Begun { job, done: count, of: jobs.len() });
        store.begin_study_job(&job.name, &job.spec())?;
        let result = one(store, suite, job, control, tell);
        if result.as_ref().is_err_and(Error::is_cancelled) {
            return result.map(drop);
        }
        let written = match &result {
            Ok(found) => Ok(found.to_string()),
            Err(error) => Err(Error::new(error.message().to_string())),
        };
        store.end_study_job(&job.name, &written)?;
        let result = result.map_err(|error| error.at(&job.name))?;
        tell(Event::Done { job, result: &result, store });
        done.extend(store.study_job(&job.name)?.map(|known| (job.name.clone(), known)));
    }
    Ok(())
}

/// Keeps another program from working at the same study.
fn own(root: &Path) -> Result<File> {
    let path = root.join("study.lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(|e| Error::io("opening", &path, &e))?;
    file.try_lock().map_err(|_| {
        Error::new(format!("another program works at this study ({})", root.display()))
            .hint("it can be watched from here, and stopped where it runs")
    })?;
    Ok(file)
}

/// Whether some program works at the study in this folder.
pub(super) fn is_worked_at(root: &Path) -> bool {
    File::open(root.join("study.lock")).is_ok_and(|file| file.try_lock().is_err())
}

/// Whether a job has to be done: it is not, and something that is wanted needs it. What was tested
/// elsewhere needs no training here.
fn is_wanted(
    store: &Store,
    jobs: &[Job],
    at: usize,
    done: &HashMap<String, StudyJob>,
) -> Result<bool> {
    let known = |job: &Job| done.get(&job.name).filter(|known| known.result.is_some());
    let job = &jobs[at];
    let own = |cell: &Cell| is_trained_here(store, jobs, cell, done);
    match &job.task {
        Task::Test { .. } => Ok(known(job).is_none()),
        Task::Visit { cell } => Ok(known(job).is_none() && own(cell)?),
        Task::Train { cell } => own(cell),
        Task::Collect { data, .. } | Task::Model { data, .. } => {
            if known(job).is_some() {
                return Ok(false);
            }
            for later in &jobs[at..] {
                if let Task::Train { cell } = &later.task
                    && cell.data == *data
                    && own(cell)?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// Whether a cell has to be trained: it is not, or its tests that are not done, or what goes on from
/// it, need a checkpoint that is here.
fn is_trained_here(
    store: &Store,
    jobs: &[Job],
    cell: &Cell,
    done: &HashMap<String, StudyJob>,
) -> Result<bool> {
    let known = |job: &Job| done.get(&job.name).filter(|known| known.result.is_some());
    let trained =
        jobs.iter().find(|job| matches!(&job.task, Task::Train { cell: own } if own == cell));
    let Some(own) = trained.and_then(known) else { return Ok(true) };
    let mut open = false;
    for job in jobs {
        open |= match &job.task {
            Task::Test { cell: own, .. } => own == cell && known(job).is_none(),
            Task::Train { cell: after } if after.base().as_ref() == Some(cell) => {
                is_trained_here(store, jobs, after, done)?
            }
            _ => false,
        };
    }
    Ok(open && trained_model(store, own)?.is_none())
}

fn one(
    store: &mut Store,
    suite: &dyn Suite,
    job: &Job,
    control: &Control,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Value> {
    let began = Instant::now();
    let mut result = match &job.task {
        Task::Collect { data, texts } => gather(store, suite, data, *texts, control, tell)?,
        Task::Model { data, shape, seed } => fresh(store, data, shape, *seed)?,
        Task::Visit { cell } => visit(store, suite, job, cell, control, tell)?,
        Task::Train { cell } => {
            let mut result = train(store, suite, (job, cell), &cell.plan(), control, tell)?;
            result["first_policy"] = first_policy(store, cell)?;
            result
        }
        Task::Test { cell, test } => {
            let model = checkpoint_of(store, cell)?;
            play(store, suite, cell, (test, &model), control, tell)?
        }
    };
    result["seconds"] = json!(began.elapsed().as_secs_f64());
    result["program"] = json!(env!("CARGO_PKG_VERSION"));
    Ok(result)
}

/// Demonstrations, alternatives and texts of a share of the games.
pub(super) fn gather(
    store: &mut Store,
    suite: &dyn Suite,
    data: &Data,
    texts: bool,
    control: &Control,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Value> {
    let scope = Scope {
        split: data.split.clone(),
        games: usize::MAX,
        seed: data.share.seed,
        share: Some(data.share),
    };
    let mut report = |_: Value, progress: Progress| tell(Event::Progress(&progress));
    let expert = Some(data.expert.as_str());
    let teacher = Teacher::Suite(expert);
    collect::demonstrations(store, suite, &scope, teacher, control, &mut report)?;
    // A pool that is drawn by one seed is the same for every share and seed of the study.
    let drawn = Scope { seed: 1, ..scope };
    let draw = Draw { expert: expert.map(str::to_string), ..Draw::uniform(data.k) };
    collect::branches(store, suite, &drawn, draw, control, &mut report)?;
    if texts {
        let contrast = Contrast {
            pool: Some(UNIFORM.into()),
            k: data.reflect_k,
            expert: expert.map(str::to_string),
            ..Contrast::default()
        };
        let mut writers: [&mut dyn Reflector; 2] = [&mut Template, &mut Rationale];
        for writer in &mut writers {
            let writing = Writing::once(*writer);
            collect::reflections(store, suite, &drawn, &contrast, writing, control, &mut report)?;
        }
        approve(store, control)?;
    }
    let whole = Carry { branches: true, reflections: true };
    let chosen = Selection::choose(store, &data.criteria(), whole)?;
    let games = chosen.items.iter().filter(|item| item.demonstration).count();
    let used: HashSet<i64> = chosen.items.iter().map(|item| item.trajectory).collect();
    let all = store.demonstrations(Some(&data.suite), Some(&data.split))?;
    let steps: usize = all.iter().filter(|of| used.contains(&of.id)).map(|of| of.length).sum();
    Ok(json!({
        "demonstrations": games,
        "expert_answers": steps,
        "alternatives": chosen.items.iter().map(|item| item.branches.len()).sum::<usize>(),
        "reflections": chosen.items.iter().map(|item| item.reflections.len()).sum::<usize>(),
    }))
}

/// Approves what the rules find nothing in; a rationale as it is, since it is a control.
fn approve(store: &mut Store, control: &Control) -> Result<()> {
    let filter = Filter::verdict(Some(Verdict::Pending));
    let mut place = Place::Start;
    loop {
        control.checkpoint()?;
        let page = store.queue(&filter, place, 1000)?;
        let mut clean = Vec::new();
        for reflection in &page.items {
            if is_clean(store, reflection)? {
                clean.push(reflection.id);
            }
        }
        store.approve_by_rules(&clean)?;
        match page.items.last() {
            Some(last) => place = Place::After(last.id),
            None => return Ok(()),
        }
    }
}

fn is_clean(store: &Store, reflection: &Reflection) -> Result<bool> {
    Ok(is_rationale(&reflection.author) || judged(store, reflection)?.findings.is_empty())
}

/// The folder of a fresh model.
pub(super) fn folder(store: &Store, data: &Data, seed: u64) -> PathBuf {
    let name = format!("{} {} {seed}", data.expert, data.share);
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    store.root().join("models").join(name.chars().map(plain).collect::<String>())
}

/// A fresh model whose vocabulary is trained on the training data alone.
pub(super) fn fresh(store: &Store, data: &Data, shape: &Shape, seed: u64) -> Result<Value> {
    // Of neither writer's texts: what is trained on one of them would have the better code.
    let texts = train::texts(store, &data.criteria(), false)?;
    let tokenizer = Tokenizer::train(&texts, shape.vocab)?;
    let config = Config::small(shape.layers, shape.hidden, tokenizer.vocab())?;
    let weights = Trainable::fresh(&config, Arc::new(tokenizer), seed)?;
    let folder = folder(store, data, seed);
    if folder.is_dir() {
        // Written by a job that was ended before it could say so.
        std::fs::remove_dir_all(&folder).map_err(|e| Error::io("removing", &folder, &e))?;
    }
    let parts = weights.parts(false)?;
    checkpoint::write_folder(&folder, &parts, &[], None)?;
    let parameters: usize = weights.weights.iter().map(Vec::len).sum();
    let digest = digest_of(&parts)?;
    Ok(json!({"parameters": parameters, "vocabulary": config.vocab, "weights": digest}))
}

/// The fresh model of some data and a seed.
pub(super) fn model_of(store: &Store, data: &Data, seed: u64) -> Result<Trainable> {
    let name = folder(store, data, seed).display().to_string();
    let (parts, source) = agent::find(store, Some(&name), None)?;
    Trainable::from_parts(&parts, &source)
}

/// Lets a model play a test set, as an arm does.
pub(super) fn play(
    store: &mut Store,
    suite: &dyn Suite,
    cell: &Cell,
    (test, model): (&TestSet, &str),
    control: &Control,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Value> {
    let mut agent = agent::open(store, Some(model), Some(suite.name()), Priority::Background)?;
    let _held = agent::hold(store, &agent.name());
    let train::Provenance { known, .. } =
        train::provenance(store, &agent.name(), suite, &test.split)?;
    let scope =
        Scope { split: test.split.clone(), games: test.games, seed: test.draw, share: None };
    let think = test.thinking && cell.arm.objective().reflects();
    let (temperature, seed) = (test.temperature, cell.seed);
    let no_repeat = test.no_repeat;
    let play = Play { temperature, seed, think, no_repeat, ..Play::default() };
    let mut games: Vec<Game> = Vec::new();
    let report = &mut |event: eval::Event<'_>, progress: Progress| {
        if let eval::Event::Ended(game) = event {
            games.push(game.clone());
        }
        tell(Event::Progress(&progress));
    };
    let summary = evaluate(store, suite, &scope, agent.as_mut(), (play, &known), control, report)?;
    games.sort_by(|a, b| a.task_id.cmp(&b.task_id));
    let mut result = json!({
        "summary": summary,
        "games": games.iter().map(|game| &game.task_id).collect::<Vec<_>>(),
        "kinds": games.iter().map(|game| &game.kind).collect::<Vec<_>>(),
        "won": games.iter().map(|game| if game.success { '1' } else { '0' }).collect::<String>(),
        "steps": games.iter().map(|game| game.steps).collect::<Vec<_>>(),
        "listed": digest::hex(digest::of(games.iter().map(|game| game.task_id.as_str()))),
    });
    // Where a game may be worth a part, all of them.
    let whole = |game: &Game| (game.reward - f64::from(u8::from(game.success))).abs() < 1e-9;
    if !games.iter().all(whole) {
        result["rewards"] = json!(games.iter().map(|game| game.reward).collect::<Vec<_>>());
    }
    if test.predict > 0 && cell.arm.predicts() {
        let scope = Scope { games: test.predict, ..scope };
        let report = &mut |progress: Progress| tell(Event::Progress(&progress));
        let found = foresight(suite, &scope, 4, agent.as_mut(), control, report)?;
        result["foresight"] = json!(found);
    }
    Ok(result)
}
