//! The thread that reads and writes the store for the screens.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Mailbox, Worker, aside, listing, runs};
use crate::control::Control;
use crate::curation::{self, judged};
use crate::error::{Error, Result};
use crate::formats::{self, Order, transcript};
use crate::guard::guarded;
use crate::paths;
use crate::store::{Decision, Listing, Seen, Store, Undone};
use crate::train::checkpoint;
use crate::train::rl::kept::{self, Learnt};
use crate::train::sets;
use crate::tui::effect::{Notice, StoreCmd};
use crate::tui::journal;
use crate::tui::msg::Msg;
use crate::tui::screen::Screen;
use crate::tui::screens::curate::Evidence;
use crate::tui::screens::{curate, data, replay};
use crate::tui::window;

/// Starts the thread.
pub fn start(root: PathBuf, mail: Mailbox) -> Worker<StoreCmd> {
    let own = mail.clone();
    let mut opened: Option<(Store, Own)> = None;
    // What a person has typed and the store has not got yet: tried again with whatever is asked
    // next, and in the end.
    let mut typed: BTreeMap<i64, Option<String>> = BTreeMap::new();
    Worker::start("the store", &own, move |command: StoreCmd| {
        let looks = command.looks();
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
        match done {
            Err(error) if looks && !error.is_cancelled() => {
                mail.send(Msg::Unread(Notice::error(&error)));
                Ok(())
            }
            done => done,
        }
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
            let evidence = Evidence::of(&reflection, judged(store, &reflection)?);
            mail.send(Msg::from(curate::Msg::Case(reflection.id, Box::new(evidence))));
        }
        StoreCmd::Decide(id, seen, decision, note) => {
            decide(store, own, vec![(id, seen)], decision, note.as_deref(), mail)?;
        }
        StoreCmd::DecideAll(seen, decision, note) => {
            decide(store, own, seen, decision, note.as_deref(), mail)?;
        }
        StoreCmd::Hold(items) => mail.send(Msg::from(listing::hold(store, &items)?)),
        StoreCmd::Everything(filter) => {
            listing::everything(store.root().to_path_buf(), filter, mail.clone());
        }
        StoreCmd::History(id) => {
            let lines = curation::history(&store.history(id)?);
            mail.send(Msg::Text(Screen::Curate, format!("Reflection {id}"), lines));
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
        StoreCmd::Duplicates => without_duplicates(store, mail)?,
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
            let learnt = store.rollout_of(id)?.map(|row| Learnt::read(&row)).transpose()?;
            let told = Box::new(store.told(id)?);
            mail.send(Msg::from(replay::Msg::Opened(told, learnt.map(Box::new))));
        }
        StoreCmd::GroupOf(id) => {
            if let Some(row) = store.rollout_of(id)? {
                let view = kept::read(store, row.run, row.step, row.group)?;
                mail.send(Msg::from(replay::Msg::Group(id, Box::new(view))));
            }
        }
        StoreCmd::Data(suite, split) => {
            let bytes = checkpoint::disk_use(store.root());
            mail.send(Msg::from(data::Msg::Counts(store.counts()?, bytes)));
            let experts = store.actors(None, None)?.into_iter().map(|(name, _)| name).collect();
            mail.send(Msg::from(data::Msg::Origins(store.origins()?, experts)));
            count_sets(store.root().to_path_buf(), suite, split, mail.clone());
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
        StoreCmd::Run(command) => return runs::obey(store, command, mail),
    }
    Ok(())
}

/// Takes out demonstrations that others say already.
fn without_duplicates(store: &Store, mail: &Mailbox) -> Result<()> {
    let found = store.duplicates()?;
    for one in &found {
        store.set_deleted(one.trajectory, true)?;
    }
    let text = match found.len() {
        0 => "every demonstration says something of its own".to_string(),
        n => format!("{n} demonstrations that others say already are out; u puts them back"),
    };
    mail.send(Msg::Notice(Notice::info(text)));
    if !found.is_empty() {
        let ids = found.iter().map(|one| one.trajectory).collect();
        mail.send(Msg::from(data::Msg::Deleted(ids)));
        mail.send(Msg::Changed);
    }
    Ok(())
}

/// Records a decision about reflections, as they were seen, with what is said beside it.
fn decide(
    store: &mut Store,
    own: &mut Own,
    seen: Vec<(i64, Seen)>,
    decision: Decision,
    note: Option<&str>,
    mail: &Mailbox,
) -> Result<()> {
    own.acts.insert(store.decide_seen(&seen, &decision, note)?);
    let ids: Vec<i64> = seen.into_iter().map(|(id, _)| id).collect();
    // What was kept on the way to a version is no draft any more; another's of the same reflection
    // is.
    if let (Decision::Edit(_) | Decision::Revise(_), [id]) = (&decision, ids.as_slice())
        && let Some(draft) = own.drafts.remove(id)
    {
        store.forget_draft(*id, &draft)?;
    }
    if ids.len() > 1 {
        let text =
            format!("{}: {} reflections; u takes all of it back", decision.as_str(), ids.len());
        mail.send(Msg::Notice(Notice::info(text)));
    }
    decided(store, ids, decision, mail)
}

/// The next decision need not wait for the counts, which take a moment among a million.
fn decided(store: &Store, ids: Vec<i64>, decision: Decision, mail: &Mailbox) -> Result<()> {
    mail.send(Msg::from(curate::Msg::Decided(ids, decision)));
    mail.send(Msg::from(curate::Msg::VerdictCounts(store.verdict_counts()?)));
    Ok(())
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

/// Counting tokens takes seconds on a large store, and a decision must not wait for it: a thread of
/// its own, one at a time, that goes on with what was asked last.
fn count_sets(root: PathBuf, suite: String, split: Option<String>, mail: Mailbox) {
    type Asked = (PathBuf, String, Option<String>);
    // Whether it counts, and what is to be counted next.
    static COUNTING: Mutex<(bool, Option<Asked>)> = Mutex::new((false, None));
    let state = || COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut now = state();
    now.1 = Some((root, suite, split));
    if std::mem::replace(&mut now.0, true) {
        return;
    }
    drop(now);
    let next = move || {
        let mut now = state();
        now.0 = now.1.is_some();
        now.1.take()
    };
    let own = mail.clone();
    aside("counting", &own, move || {
        while let Some((root, suite, split)) = next() {
            let counted = guarded("counting what can be trained on", || {
                sets(&Store::open(&root)?, &suite, split.as_deref())
            });
            match counted {
                Ok(sets) => mail.send(Msg::from(data::Msg::Sets(sets))),
                Err(error) => mail.failed(&error),
            }
        }
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
    let place = paths::at_home(Path::new(if folder.is_empty() { "." } else { folder }));
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
