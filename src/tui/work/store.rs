//! The thread that reads and writes the store for the screens.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::jobs::home;
use super::{Mailbox, Worker, aside};
use crate::control::Control;
use crate::curation::{self, Judged, judged};
use crate::error::{Error, Result};
use crate::experience::Reflection;
use crate::formats::{self, Order, transcript};
use crate::guard::guarded;
use crate::selection::ALL;
use crate::store::{Decision, Listing, RunStatus, Seen, Store, Undone};
use crate::train::alerts::alerts;
use crate::train::sets;
use crate::train::trainer;
use crate::train::{Plan, Stage, checkpoint};
use crate::tui::effect::{Notice, RunCmd, StoreCmd};
use crate::tui::journal;
use crate::tui::msg::Msg;
use crate::tui::screen::Screen;
use crate::tui::screens::curate::Evidence;
use crate::tui::screens::{curate, data, replay, train};
use crate::tui::window;

/// Starts the thread.
pub fn start(root: PathBuf, mail: Mailbox) -> Worker<StoreCmd> {
    let own = mail.clone();
    let mut opened: Option<(Store, Own)> = None;
    // What a person has typed and the store has not got yet: tried again with whatever is asked
    // next, and in the end.
    let mut typed: BTreeMap<i64, Option<String>> = BTreeMap::new();
    Worker::start("the store", &own, move |command| {
        if let StoreCmd::Draft(id, text) = &command {
            typed.insert(*id, text.clone());
        }
        let done = guarded("the store", || {
            if opened.is_none() {
                let store = Store::open(&root)?;
                let since = store.latest_act()?.map_or(0, |act| act.0);
                opened = Some((store, Own { since, ..Own::default() }));
            }
            let Some((store, own)) = opened.as_mut() else { return Ok(()) };
            let kept = keep(store, &mut typed, own);
            if let StoreCmd::Draft(..) = command {
                return kept;
            }
            obey(store, own, command, &mail)
        });
        if done.is_err() {
            // A decision that failed must not block the next one.
            mail.send(Msg::from(curate::Msg::Failed));
        }
        done
    })
}

/// The acts of curation of this program, among those of others that write to the same store.
#[derive(Default)]
struct Own {
    /// The latest act when this program started: what is older is this person's.
    since: i64,
    acts: HashSet<i64>,
    /// Another program's act that was asked about.
    asked: Option<i64>,
    /// The drafts that this program has stored.
    drafts: BTreeMap<i64, String>,
}

/// Keeps what was typed.
fn keep(store: &Store, typed: &mut BTreeMap<i64, Option<String>>, own: &mut Own) -> Result<()> {
    while let Some(entry) = typed.first_entry() {
        store.set_draft(*entry.key(), entry.get().as_deref())?;
        match entry.remove_entry() {
            (id, Some(text)) => own.drafts.insert(id, text),
            (id, None) => own.drafts.remove(&id),
        };
    }
    Ok(())
}

fn obey(store: &mut Store, own: &mut Own, command: StoreCmd, mail: &Mailbox) -> Result<()> {
    match command {
        StoreCmd::Queue(filter, place) => {
            let queue = curation::queue(store, &filter, place, 2000)?;
            mail.send(Msg::from(curate::Msg::Queue(filter, place, queue)));
        }
        StoreCmd::Case(reflection) => {
            let evidence = evidence(store, &reflection)?;
            mail.send(Msg::from(curate::Msg::Case(reflection.id, Box::new(evidence))));
        }
        StoreCmd::Decide(id, seen, decision) => decide(store, own, (id, seen), decision, mail)?,
        StoreCmd::DecideAll(seen, decision) => {
            own.acts.insert(store.decide_seen(&seen, &decision)?);
            let ids: Vec<i64> = seen.into_iter().map(|(id, _)| id).collect();
            let text =
                format!("{}: {} reflections; u takes all of it back", decision.as_str(), ids.len());
            mail.send(Msg::Notice(Notice::info(text)));
            decided(store, ids, decision, mail)?;
        }
        StoreCmd::Undo => undo(store, own, mail)?,
        StoreCmd::Redo => turned(store.redo()?, "did again", mail),
        StoreCmd::Draft(..) => {} // kept before anything else
        StoreCmd::Attempt(id, seen, author, text) => {
            if let Some(act) = store.attempt(id, &seen, &author, &text)? {
                own.acts.insert(act);
                return decided(store, vec![id], Decision::Attempt(author, text), mail);
            }
            let said = "was decided meanwhile; the new text is one of its versions (D)";
            mail.send(Msg::Notice(Notice::info(format!("{id} {said}"))));
        }
        StoreCmd::Statistics => {
            let lines = curation::figures(store)?.lines();
            mail.send(Msg::Text(Screen::Curate, "The curation so far".into(), lines));
        }
        StoreCmd::Attempts(id) => {
            mail.send(Msg::from(curate::Msg::Attempts(id, store.attempts(id)?)));
        }
        StoreCmd::Pointed => {
            mail.send(Msg::from(curate::Msg::Pointed(curation::pointed(store)?.counts)));
        }
        StoreCmd::Delete(id, deleted) => {
            store.set_deleted(id, deleted)?;
            let done = if deleted { "deleted; u puts it back" } else { "put back" };
            mail.send(Msg::Notice(Notice::info(format!("trajectory {id} is {done}"))));
            mail.send(Msg::Changed);
        }
        StoreCmd::ExportOne(id) => {
            let folder = store.root().join("exports");
            let name = |file: &PathBuf| Some(file.file_name()?.to_string_lossy().to_string());
            let files = transcript::write_all(&folder, &store.told(id)?)?;
            let names: Vec<String> = files.iter().filter_map(name).collect();
            let said = format!("wrote {} to {}", names.join(", "), folder.display());
            mail.send(Msg::Notice(Notice::info(said)));
        }
        StoreCmd::Trajectories(listing, near) => {
            let page = store.list(&listing, near, window::LENGTH)?;
            mail.send(Msg::from(replay::Msg::List(listing, page)));
        }
        StoreCmd::Listed(near) => {
            let page = store.list(&Listing::default(), near, window::LENGTH)?;
            mail.send(Msg::from(data::Msg::Trajectories(page)));
        }
        StoreCmd::Trajectory(id) => {
            mail.send(Msg::from(replay::Msg::Opened(Box::new(store.told(id)?))));
        }
        StoreCmd::Data(suite) => {
            let bytes = checkpoint::disk_use(store.root());
            mail.send(Msg::from(data::Msg::Counts(store.counts()?, bytes)));
            let experts = store.actors(None, None)?.into_iter().map(|(name, _)| name).collect();
            mail.send(Msg::from(data::Msg::Origins(store.origins()?, experts)));
            count_sets(store.root().to_path_buf(), suite, mail.clone());
        }
        StoreCmd::Extents(orders) => extents(store.root().to_path_buf(), orders, mail.clone()),
        StoreCmd::Complete(path) => {
            let (on, ways) = completed(&path);
            mail.send(Msg::from(data::Msg::Completed(path, on, ways)));
        }
        StoreCmd::Journal(screen) => {
            let title = format!("{}, the newest first", journal::path(store.root()).display());
            mail.send(Msg::Text(screen, title, journal::tail(store.root())?));
        }
        StoreCmd::Remember(key, value) => store.set_setting(key, &value)?,
        StoreCmd::Run(command) => return of_runs(store, command, mail),
    }
    Ok(())
}

/// Records a decision about one reflection, as it was seen.
fn decide(
    store: &mut Store,
    own: &mut Own,
    (id, seen): (i64, Seen),
    decision: Decision,
    mail: &Mailbox,
) -> Result<()> {
    own.acts.insert(store.decide_seen(&[(id, seen)], &decision)?);
    // What was kept on the way to a version is no draft any more; another's of the same reflection
    // is.
    if let (Decision::Edit(_), Some(draft)) = (&decision, own.drafts.remove(&id)) {
        store.forget_draft(id, &draft)?;
    }
    decided(store, vec![id], decision, mail)
}

/// What Train asks for.
fn of_runs(store: &Store, command: RunCmd, mail: &Mailbox) -> Result<()> {
    match command {
        RunCmd::Forecast(plan, start) => {
            forecast(store.root().to_path_buf(), plan, start, mail.clone());
        }
        RunCmd::Choices(suite, split, expert) => {
            let suite = suite.as_deref();
            let split = split.as_deref();
            let experts = store.actors(suite, split)?;
            let expert = expert.as_deref().filter(|name| *name != ALL);
            mail.send(Msg::from(train::Msg::Choices(experts, store.pools(suite, split, expert)?)));
        }
        RunCmd::StopElsewhere(run) => stop_elsewhere(store, run, mail)?,
        RunCmd::Queue(plan, start) => {
            let run = trainer::queue(store, &plan, Some(&start))?;
            mail.send(Msg::Notice(Notice::info(format!(
                "run {run} waits; it starts when the one before it ends"
            ))));
            mail.send(Msg::Changed);
        }
        RunCmd::Unqueue(run) => {
            // Another program may have begun it since it was listed.
            match store.lock_run(run)? {
                Some(_lock) if store.run(run)?.status == RunStatus::Queued => {
                    store.set_run(run, RunStatus::Stopped, 0, None)?;
                    mail.send(Msg::Notice(Notice::info(format!(
                        "run {run} no longer waits; r starts it"
                    ))));
                }
                Some(_lock) => {}
                None => stop_elsewhere(store, run, mail)?,
            }
            mail.send(Msg::Changed);
        }
        RunCmd::Next => {
            if let Some(run) = store.next_queued()? {
                mail.send(Msg::from(train::Msg::Next(run)));
            }
        }
        RunCmd::List => {
            let runs = store.runs()?;
            let alive =
                runs.iter().filter(|run| store.is_alive(run.id)).map(|run| run.id).collect();
            let checkpoints = store.checkpoints()?;
            let evaluations = store.evaluations()?;
            mail.send(Msg::from(train::Msg::Runs(runs, alive, checkpoints, evaluations)));
        }
        RunCmd::Curve(run, name) => {
            let points = store.metric(run, &name)?;
            mail.send(Msg::from(train::Msg::Curve(run, name, points)));
        }
        RunCmd::About(run) => {
            let config: serde_json::Value =
                serde_json::from_str(&store.run(run)?.config).unwrap_or_default();
            let stages: Vec<Stage> =
                serde_json::from_value(config["stages"].clone()).unwrap_or_default();
            let alerts = alerts(|name| store.metric(run, name), &stages)?;
            mail.send(Msg::from(train::Msg::About(run, store.metric_names(run)?, alerts)));
        }
    }
    Ok(())
}

/// The next decision need not wait for the counts, which take a moment among a million.
fn decided(store: &Store, ids: Vec<i64>, decision: Decision, mail: &Mailbox) -> Result<()> {
    mail.send(Msg::from(curate::Msg::Decided(ids, decision)));
    mail.send(Msg::from(curate::Msg::VerdictCounts(store.verdict_counts()?)));
    Ok(())
}

/// What a reflection is judged by.
fn evidence(store: &Store, reflection: &Reflection) -> Result<Evidence> {
    let Judged { trajectory, case, findings } = judged(store, reflection)?;
    Ok(Evidence { kind: trajectory.kind, case, text: reflection.text().to_string(), findings })
}

/// Takes the latest act back; one that another program did meanwhile only when asked for it a
/// second time.
fn undo(store: &mut Store, own: &mut Own, mail: &Mailbox) -> Result<()> {
    if let Some((id, act, reflection)) = store.latest_act()?
        && id > own.since
        && !own.acts.contains(&id)
        && own.asked.replace(id) != Some(id)
    {
        let text = format!(
            "the latest act, {act} of reflection {reflection}, was another program's; u again \
             takes it back"
        );
        mail.send(Msg::Notice(Notice::info(text)));
        return Ok(());
    }
    turned(store.undo()?, "took back", mail);
    Ok(())
}

fn turned(undone: Option<Undone>, did: &str, mail: &Mailbox) {
    let Some(undone) = undone else {
        return mail.send(Msg::Notice(Notice::info(
            "there is nothing more to take back or to do again".into(),
        )));
    };
    let about = if undone.count > 1 {
        format!("{} reflections", undone.count)
    } else {
        format!("reflection {}", undone.reflection)
    };
    mail.send(Msg::Notice(Notice::info(format!("{did}: {} {about}", undone.act))));
    mail.send(Msg::from(curate::Msg::Turned(undone)));
}

/// Reading the data of a run takes seconds on a large store: a thread of its own.
fn forecast(root: PathBuf, plan: Box<Plan>, start: String, mail: Mailbox) {
    let own = mail.clone();
    aside("the forecast", &own, move || {
        let found = guarded("looking at what it would train on", || {
            crate::train::forecast(&Store::open(&root)?, &plan, Some(&start))
        });
        let found = found.map(Box::new).map_err(|error| {
            let next = error.next_step().map(|next| format!(" · {next}")).unwrap_or_default();
            format!("{}{next}", error.message())
        });
        mail.send(Msg::from(train::Msg::Forecast(plan, start, found)));
        Ok(())
    });
}

/// Asks the process that trains a run to stop cleanly.
fn stop_elsewhere(store: &Store, run: i64, mail: &Mailbox) -> Result<()> {
    store.request_stop(run)?;
    mail.send(Msg::Notice(Notice::info(format!(
        "run {run} was asked to stop; it saves a checkpoint first"
    ))));
    Ok(())
}

/// Counting tokens takes seconds on a large store, and a decision must not wait for it: a thread of
/// its own, one at a time.
fn count_sets(root: PathBuf, suite: String, mail: Mailbox) {
    static COUNTING: AtomicBool = AtomicBool::new(false);
    if COUNTING.swap(true, Ordering::AcqRel) {
        return;
    }
    let own = mail.clone();
    aside("counting", &own, move || {
        let counted =
            guarded("counting what can be trained on", || sets(&Store::open(&root)?, &suite));
        COUNTING.store(false, Ordering::Release);
        mail.send(Msg::from(data::Msg::Sets(counted?)));
        Ok(())
    });
}

/// What exports would come to: all of it is rendered, and only counted. A thread of its own; the
/// newest question counts.
fn extents(root: PathBuf, orders: Vec<Order>, mail: Mailbox) {
    static NEWEST: AtomicUsize = AtomicUsize::new(0);
    let ticket = NEWEST.fetch_add(1, Ordering::AcqRel) + 1;
    if orders.is_empty() {
        return;
    }
    let own = mail.clone();
    aside("counting exports", &own, move || {
        let control = Control::default();
        let one = |store: &Store, order: &Order| {
            let stale = &mut |_| {
                if NEWEST.load(Ordering::Acquire) != ticket {
                    control.cancel.cancel();
                }
            };
            formats::export(store, order, &control, stale, &mut |_| Ok(()))
        };
        let said = |error: &Error| Notice::error(error).text;
        let found = match Store::open(&root) {
            Ok(store) => orders
                .iter()
                .map(|order| one(&store, order).map_err(|error| said(&error)))
                .collect(),
            Err(error) => vec![Err(said(&error)); orders.len()],
        };
        if !control.cancel.is_cancelled() {
            mail.send(Msg::from(data::Msg::Extents(orders, found)));
        }
        Ok(())
    });
}

/// A path as far as what is there leaves no choice, and the names among which there is one.
fn completed(path: &str) -> (String, Vec<String>) {
    let (folder, begun) =
        path.rsplit_once('/').map_or(("", path), |(folder, begun)| (&path[..=folder.len()], begun));
    let place = home(Path::new(if folder.is_empty() { "." } else { folder }));
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        })
        .filter(|name| name.starts_with(begun) && (!begun.is_empty() || !name.starts_with('.')))
        .collect();
    names.sort();
    let Some(first) = names.first() else { return (path.to_string(), names) };
    let shared = |other: &String| {
        first.char_indices().zip(other.chars()).take_while(|((_, a), b)| a == b).count()
    };
    let length = names.iter().map(shared).min().unwrap_or_default();
    let on = format!("{folder}{}", first.chars().take(length).collect::<String>());
    if names.len() == 1 { (on, Vec::new()) } else { (on, names) }
}
