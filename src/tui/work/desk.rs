//! The thread that reads and writes the store for the screens.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use super::{Mailbox, worker};
use crate::collect::case_at;
use crate::error::Result;
use crate::formats::{self, Observations, Set};
use crate::store::Store;
use crate::train::trainer::{Data, is_alive};
use crate::train::{Objective, Plan, checkpoint};
use crate::tui::effect::{DeskCmd, Notice};
use crate::tui::msg::Msg;
use crate::tui::screens::{curate, data, replay, train};

/// Starts the thread.
pub fn start(root: PathBuf, mail: Mailbox) -> mpsc::Sender<DeskCmd> {
    let own = mail.clone();
    worker("desk", &own, move |commands| {
        let mut store = None;
        for command in commands {
            let opened = match store.as_mut() {
                Some(store) => Ok(store),
                None => Store::open(&root).map(|fresh| store.insert(fresh)),
            };
            if let Err(error) = opened.and_then(|store| obey(store, command, &mail)) {
                mail.failed(&error);
            }
        }
    })
}

fn obey(store: &mut Store, command: DeskCmd, mail: &Mailbox) -> Result<()> {
    match command {
        DeskCmd::Queue(filter) => mail.send(Msg::Curate(curate::Msg::Queue(filter, store.queue(filter, 2000)?))),
        DeskCmd::Case(reflection) => {
            let trajectory = store.trajectory(reflection.trajectory)?;
            let branches = store.branches(reflection.trajectory)?;
            let case = case_at(&trajectory, &branches, reflection.t);
            let kind = trajectory.kind;
            mail.send(Msg::Curate(curate::Msg::Case(reflection.id, kind, case.map(Box::new))));
        }
        DeskCmd::Decide(id, decision) => {
            store.decide(id, &decision)?;
            mail.send(Msg::Curate(curate::Msg::Decided(id, decision, store.standing()?)));
        }
        DeskCmd::Undo => match store.undo()? {
            Some(undone) => {
                mail.send(Msg::Notice(Notice::info(format!("took back: {} reflection {}", undone.act, undone.reflection))));
                mail.send(Msg::Curate(curate::Msg::Undone(undone.reflection, undone.verdict)));
            }
            None => mail.send(Msg::Notice(Notice::info("there is no decision to take back".into()))),
        },
        DeskCmd::Runs => {
            let runs = store.runs()?;
            let alive = runs.iter().filter(|run| is_alive(store, run.id)).map(|run| run.id).collect();
            let checkpoints = store.checkpoints()?;
            let evaluations = store.evaluations()?;
            mail.send(Msg::Train(train::Msg::Runs(runs, alive, checkpoints, evaluations)));
        }
        DeskCmd::Curve(run, name) => {
            let names = store.metric_names(run)?;
            let points = store.metric(run, &name)?;
            mail.send(Msg::Train(train::Msg::Curve(run, name, points, names)));
        }
        DeskCmd::Trajectories(purpose) => {
            mail.send(Msg::Replay(replay::Msg::List(purpose, store.trajectories(purpose, 5000)?)));
        }
        DeskCmd::Trajectory(id) => {
            mail.send(Msg::Replay(replay::Msg::Opened(Box::new(store.trajectory(id)?), store.branches(id)?)));
        }
        DeskCmd::Data => {
            mail.send(Msg::Data(data::Msg::Counts(store.counts()?, disk_use(store.root()))));
            count_sets(store.root().to_path_buf(), mail.clone());
        }
        DeskCmd::Export => {
            let stamp = crate::store::now_ms() / 1000;
            let folder = store.root().join("exports");
            std::fs::create_dir_all(&folder).map_err(|e| crate::error::Error::io("creating", &folder, &e))?;
            let mut counts = Vec::new();
            for (set, name) in
                [(Set::Imitation, "expert_sft"), (Set::WorldModel, "iwm_sft"), (Set::Reflection, "reflection_sft")]
            {
                let count = formats::export_file(
                    store,
                    set,
                    Observations::default(),
                    &folder.join(format!("{name}-{stamp}.jsonl")),
                )?;
                counts.push(format!("{name} {count}"));
            }
            mail.send(Msg::Notice(Notice::info(format!("wrote {} to {}", counts.join(", "), folder.display()))));
        }
        DeskCmd::Remember(key, value) => store.set_setting(key, &value)?,
    }
    Ok(())
}

/// Counting tokens takes seconds on a large store, and a decision must not wait for it: a thread of its own, one at a
/// time.
fn count_sets(root: PathBuf, mail: Mailbox) {
    static COUNTING: AtomicBool = AtomicBool::new(false);
    if COUNTING.swap(true, Ordering::AcqRel) {
        return;
    }
    std::thread::spawn(move || {
        match Store::open(&root).and_then(|store| sets(&store)) {
            Ok(sets) => mail.send(Msg::Data(data::Msg::Sets(sets))),
            Err(error) => mail.failed(&error),
        }
        COUNTING.store(false, Ordering::Release);
    });
}

/// What each objective would train on now: alternatives or reflections, trees, tokens.
fn sets(store: &Store) -> Result<Vec<(Objective, std::result::Result<crate::train::trainer::DataSummary, String>)>> {
    let model = checkpoint::load(store, Some("embedded"))?;
    let objectives = [Objective::Imitation, Objective::WorldModel, Objective::Reflection];
    let read = |objective: Objective| {
        let plan = Plan::new(objective, 1, 1);
        let data = Data::read(store, &plan, &model.tokenizer, model.decoder.config.context);
        (objective, data.map(|data| data.summary).map_err(|error| error.next_step().unwrap_or(error.message()).to_string()))
    };
    Ok(objectives.into_iter().map(read).collect())
}

fn disk_use(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| if entry.path().is_dir() { disk_use(&entry.path()) } else { entry.metadata().map_or(0, |m| m.len()) })
        .sum()
}
