//! Taking in what left another store.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde::Serialize;

use super::super::decisions::insert_version;
use super::super::pools::insert_membership;
use super::super::predictions::{insert_prediction, insert_thought};
use super::super::trajectories::{insert_branch, insert_reflection, insert_trajectory};
use super::super::{NewReflection, Prediction, Store, Thought, now_ms};
use super::lacking::{GoesOn, Lacking};
use super::{Act, OLDER, Origin, Placed, Record, Reflected, Version};
use crate::error::{Error, Result};
use crate::experience::{Branch, EXPLORED, Membership, POLICY, UNIFORM, Verdict};
use crate::paths::own_file;

/// Records that are committed together, and how long one waits for the others.
const UNIT: usize = 256;
const PUT_EVERY: Duration = Duration::from_millis(500);

/// What makes an episode the same wherever it is stored: the task, what it is for, who acted, and
/// what was done.
type Identity = [String; 5];

/// What of some records is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Intake {
    /// Trajectories that are not there yet: as many of the same as the file has beyond the store.
    pub trajectories: usize,
    /// Those of them that came to their goal: only they are imitated.
    pub succeeded: usize,
    /// Their steps.
    pub steps: usize,
    /// Executed alternatives, of them and of those that are there already.
    pub branches: usize,
    /// Reflections, of them and of those that are there already.
    pub reflections: usize,
    /// Those of them that are decided.
    pub decided: usize,
    /// Trajectories that are there already.
    pub known: usize,
    /// Those of them that were deleted here: they stay so.
    pub deleted: usize,
    /// Those of them that something is added to.
    pub completed: usize,
    /// Reflections that are there already and to which versions, decisions, flags or second
    /// opinions are added.
    pub continued: usize,
    /// Reflections that were decided otherwise here: they stay as they are.
    pub differing: usize,
}

impl Intake {
    /// Whether there is nothing to take in.
    pub fn is_empty(&self) -> bool {
        self.trajectories + self.completed == 0
    }

    /// What becomes of trajectories and reflections that are here already, a line each.
    pub fn of_known(&self) -> Vec<String> {
        let Self { known, deleted, completed, continued, differing, .. } = self;
        let said = [
            (*known, "trajectories are here already"),
            (*deleted, "of them were deleted here, and stay so"),
            (*completed, "of them get what they lack here"),
            (*continued, "reflections go on from how they stand here"),
            (*differing, "reflections were decided otherwise here, and stay so"),
        ];
        let there = said.iter().filter(|(count, _)| *count > 0);
        there.map(|(count, what)| format!("{count} {what}")).collect()
    }

    fn count(&mut self, record: &Record) {
        self.trajectories += 1;
        self.succeeded += usize::from(record.trajectory.success());
        self.steps += record.trajectory.steps.len();
        self.beside(record);
    }

    fn beside(&mut self, record: &Record) {
        self.branches += record.branches.len();
        self.reflections += record.reflections.len();
        self.decided += record.reflections.iter().filter(|r| r.verdict != Verdict::Pending).count();
    }

    fn complete(&mut self, lacking: &Lacking) {
        self.known += 1;
        self.completed += usize::from(!lacking.is_empty());
        self.continued += lacking.goes_on.len();
        self.differing += lacking.differing;
        self.beside(&lacking.beside);
    }
}

impl Record {
    fn identity(&self) -> Identity {
        let tr = &self.trajectory;
        // With their lengths: an action of two lines is not two actions.
        let actions: String =
            tr.steps.iter().map(|step| format!("{}:{}", step.action.len(), step.action)).collect();
        let task = named_now(&tr.task_id, self.origin.as_ref());
        [&tr.suite, &task, tr.purpose.as_str(), &tr.actor, &actions].map(str::to_string)
    }
}

/// What a task is called, where older programs called it after the file that it came from: else what
/// was taken in by them would come in once more.
fn named_now(task: &str, origin: Option<&Origin>) -> String {
    let older = origin.filter(|origin| origin.has_older(task));
    older.map_or_else(|| task.to_string(), Origin::name)
}

impl Store {
    /// The identities of all that [`Store::experiences`] lists, with their numbers, oldest first;
    /// then of those that were deleted, without.
    fn identities(&self) -> Result<HashMap<Identity, VecDeque<Option<i64>>>> {
        let mut rows = self.db.prepare(
            "SELECT suite, task_id, purpose, actor, coalesce((SELECT group_concat( \
             length(CAST(action AS BLOB)) || ':' || action, '') FROM \
             (SELECT action FROM steps WHERE trajectory = j.id ORDER BY t)), ''), \
             iif(deleted, NULL, id), i.format, i.source FROM trajectories j LEFT JOIN imported i ON \
             i.trajectory = j.id AND j.task_id GLOB ?1 WHERE purpose <> 'evaluation' ORDER BY \
             deleted, id",
        )?;
        // Sources are long: only those are read whose name may be an older one.
        let older = format!("* {}", "[0-9a-f]".repeat(OLDER));
        let mut there: HashMap<Identity, VecDeque<Option<i64>>> = HashMap::new();
        let found = rows.query_map([older], |row| {
            let source: Option<String> = row.get(7)?;
            let format = row.get::<_, Option<String>>(6)?.unwrap_or_default();
            let origin = source.map(|source| Origin { format, source });
            let task = named_now(&row.get::<_, String>(1)?, origin.as_ref());
            let identity = [row.get(0)?, task, row.get(2)?, row.get(3)?, row.get(4)?];
            Ok((identity, row.get(5)?))
        })?;
        for pair in found {
            let (identity, id) = pair?;
            there.entry(identity).or_default().push_back(id);
        }
        Ok(there)
    }

    /// Takes in what of some records is new (or, without `write`, only counts it). The same episode
    /// twice among them is two here as well; one that is here already gets what it lacks. They are
    /// committed a few hundred at a time, so that nobody else waits for long; doing it again goes
    /// on where it was ended, by an error of the iterator or of `each`, which is called after every
    /// record.
    pub fn take_in(
        &self,
        records: impl Iterator<Item = Result<Record>>,
        write: bool,
        each: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Intake> {
        let mut unit = Vec::with_capacity(UNIT);
        let mut intake = Intake::default();
        let mut batch = None;
        let own = self.identity()?;
        // Nothing is read or waited for while a transaction is open.
        let mut put = |store: &Self, unit: &mut Vec<(Option<i64>, Record)>| -> Result<()> {
            if !unit.is_empty() {
                let tx = store.write()?;
                for (known, record) in unit.drain(..) {
                    match known {
                        Some(id) => store.complete(&tx, id, record, (&mut batch, &own))?,
                        None => insert_record(&tx, record, (&mut batch, &own))?,
                    }
                }
                tx.commit()?;
            }
            Ok(())
        };
        let mut went_on = Ok(());
        let mut put_at = Instant::now();
        let _alone = if write { Some(self.import_alone()?) } else { None };
        let mut there = self.identities()?;
        for (n, record) in records.enumerate() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    went_on = Err(error);
                    break;
                }
            };
            let known = there.get_mut(&record.identity()).and_then(VecDeque::pop_front);
            let wanted = match known {
                // What a person took out does not come back unasked.
                Some(None) => {
                    intake.known += 1;
                    intake.deleted += 1;
                    false
                }
                Some(Some(id)) => {
                    let lacking = Lacking::of(&self.record(id)?, record.clone());
                    intake.complete(&lacking);
                    !lacking.is_empty()
                }
                None => {
                    intake.count(&record);
                    true
                }
            };
            let known = known.flatten();
            unit.extend((write && wanted).then_some((known, record)));
            if unit.len() == UNIT || put_at.elapsed() > PUT_EVERY {
                put(self, &mut unit)?;
                put_at = Instant::now();
            }
            went_on = each(n + 1);
            if went_on.is_err() {
                break;
            }
        }
        // What was read until then is in, also when a person ended it.
        put(self, &mut unit)?;
        went_on.map(|()| intake)
    }

    /// The mark of an import: two at once would each take in what the other does.
    fn import_alone(&self) -> Result<File> {
        let path = self.root().join("import.lock");
        let file = own_file(&path).and_then(File::create);
        let file = file.map_err(|e| Error::io("creating", &path, &e))?;
        file.try_lock().map_err(|_| {
            Error::new("another import into this store is under way")
                .hint("wait until it is done; then do this again")
        })?;
        Ok(file)
    }

    /// Adds to an episode what it lacks, as it stands within the transaction.
    fn complete(
        &self,
        tx: &Connection,
        id: i64,
        record: Record,
        (batch, own): (&mut Option<i64>, &str),
    ) -> Result<()> {
        let Lacking { beside, goes_on, .. } = Lacking::of(&self.record(id)?, record);
        let mut rows =
            tx.prepare_cached("SELECT id FROM reflections WHERE trajectory = ?1 ORDER BY id")?;
        let numbers: Vec<i64> =
            rows.query_map([id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        insert_beside(tx, id, beside, &self.branches(id)?, (batch, own))?;
        for GoesOn { which, versions, acts, undone, .. } in goes_on {
            let Some(reflection) = numbers.get(which) else { continue };
            take_back(tx, *reflection, &undone)?;
            insert_versions(tx, *reflection, versions)?;
            insert_acts(tx, *reflection, &acts, (batch, own))?;
        }
        Ok(())
    }
}

/// Writes a record; decisions that come with it are one act.
fn insert_record(db: &Connection, record: Record, by: (&mut Option<i64>, &str)) -> Result<()> {
    let id = insert_trajectory(db, &record.trajectory, at(record.trajectory.created_ms))?;
    insert_beside(db, id, record, &[], by)
}

/// A moment that a file tells; now, where it tells none.
fn at(told: i64) -> i64 {
    if told > 0 { told } else { now_ms() }
}

/// Writes what hangs off a trajectory beside what was executed there before.
fn insert_beside(
    db: &Connection,
    trajectory: i64,
    record: Record,
    executed: &[Branch],
    (batch, own): (&mut Option<i64>, &str),
) -> Result<()> {
    let without_pools = record.pools.is_empty();
    // A state may have a hundred thousand of them.
    let (mut counts, mut numbers) = (HashMap::<usize, usize>::new(), HashMap::new());
    let mut keep = |branch: &Branch| {
        numbers.entry((branch.t, branch.action.clone())).or_insert(branch.id);
        let count = counts.entry(branch.t).or_default();
        *count += 1;
        *count - 1
    };
    for known in executed {
        keep(known);
    }
    for branch in record.branches {
        let mut branch = Branch { trajectory, ..branch };
        branch.id = insert_branch(db, &branch, at(branch.created_ms))?;
        let rank = keep(&branch);
        if without_pools {
            insert_membership(db, branch.id, &usual_place(&branch, rank))?;
        }
    }
    let number = |t: usize, action: &str| numbers.get(&(t, action.to_string())).copied();
    for Placed { t, action, place } in &record.pools {
        if let Some(id) = number(*t, action) {
            insert_membership(db, id, place)?;
        }
    }
    for reflected in record.reflections {
        let cites = reflected.cites.iter().filter_map(|action| number(reflected.t, action));
        insert_reflected(db, trajectory, cites.collect(), reflected, (batch, own))?;
    }
    for expected in record.predictions {
        let when = at(expected.created_ms);
        insert_prediction(db, &Prediction { trajectory, ..expected }, when)?;
    }
    if let Some(Origin { format, source }) = record.origin {
        db.prepare_cached("INSERT OR IGNORE INTO imported VALUES (?1, ?2, ?3)")?
            .execute(params![trajectory, format, source])?;
    }
    for thought in record.thoughts {
        insert_thought(db, &Thought { trajectory, ..thought })?;
    }
    Ok(())
}

/// The pool of an alternative in files that name none: its source's.
fn usual_place(branch: &Branch, rank: usize) -> Membership {
    let known = [UNIFORM, POLICY].contains(&branch.source.as_str());
    let pool = if known { branch.source.as_str() } else { EXPLORED }.into();
    Membership { pool, rank, source: branch.source.clone(), model: String::new() }
}

fn insert_reflected(
    db: &Connection,
    trajectory: i64,
    mut cites: Vec<i64>,
    reflected: Reflected,
    by: (&mut Option<i64>, &str),
) -> Result<()> {
    cites.sort_unstable();
    let acts = reflected.acts();
    let mut versions = reflected.written();
    let Some(((generator, text), when)) = versions.next() else { return Ok(()) };
    let new = NewReflection { trajectory, t: reflected.t, generator, cites, text };
    let id = insert_reflection(db, &new, at(when.unwrap_or_default()))?;
    insert_versions(db, id, versions.collect())?;
    insert_acts(db, id, &acts, by)?;
    if let Some(draft) = reflected.draft {
        db.execute("INSERT INTO drafts VALUES (?1, ?2, ?3)", params![id, draft, now_ms()])?;
    }
    Ok(())
}

/// Writes versions behind those that a reflection has.
fn insert_versions(db: &Connection, reflection: i64, versions: Vec<Version>) -> Result<()> {
    let there = "SELECT count(*) FROM versions WHERE reflection = ?1";
    let there: i64 = db.query_row(there, [reflection], |row| row.get(0))?;
    for (n, ((author, text), when)) in (there + 1..).zip(versions) {
        insert_version(db, reflection, n, (&author, &text), at(when.unwrap_or_default()))?;
    }
    Ok(())
}

/// Takes back acts of a reflection, by their places in its history. What was taken back elsewhere
/// (2) is not what a redo here does again.
fn take_back(db: &Connection, reflection: i64, which: &[usize]) -> Result<()> {
    for at in which {
        db.prepare_cached(
            "UPDATE decisions SET undone = 2 WHERE id = (SELECT id FROM decisions WHERE \
             reflection = ?1 ORDER BY id LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![reflection, *at as i64])?;
    }
    Ok(())
}

/// Writes acts behind those that a reflection has. All that stand are one act here, so that an undo
/// takes the import back and not its last line; those that were taken back stay so.
fn insert_acts(
    db: &Connection,
    reflection: i64,
    acts: &[Act],
    (batch, own): (&mut Option<i64>, &str),
) -> Result<()> {
    for act in acts {
        let origin = act.origin.as_deref().unwrap_or("?");
        db.prepare_cached(
            "INSERT INTO decisions (reflection, act, verdict, reason, note, version, created_ms, \
             undone, batch, origin) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            reflection,
            act.act,
            act.verdict.as_str(),
            act.reason,
            act.note,
            act.version as i64,
            act.created_ms,
            if act.undone { 2 } else { 0 },
            batch.filter(|_| !act.undone),
            Some(origin).filter(|origin| *origin != own)
        ])?;
        if batch.is_none() && !act.undone {
            *batch = Some(db.last_insert_rowid());
            db.execute("UPDATE decisions SET batch = ?1 WHERE id = ?1", [*batch])?;
        }
    }
    Ok(())
}
