//! Whole trajectories with everything that hangs off them, to leave one store and come into
//! another.

use std::collections::HashSet;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::decisions::insert_version;
use super::listing::{SUMMARY, TrajectorySummary, summary};
use super::pools::insert_membership;
use super::reading::{json, known};
use super::trajectories::{insert_branch, insert_reflection, insert_trajectory};
use super::{NewReflection, Store, now_ms};
use crate::error::{Error, Result};
use crate::experience::{
    Branch, EXPLORED, Membership, POLICY, Purpose, RATIONALE, Trajectory, UNIFORM, Verdict,
};

/// Records that are committed together.
const UNIT: usize = 256;

/// A trajectory with its alternatives and reflections: one line of an exchange file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The trajectory. Its number means nothing in another store.
    pub trajectory: Trajectory,
    /// The executed alternatives.
    pub branches: Vec<Branch>,
    /// Their places in pools; older files have none, and each alternative is taken to be in its
    /// source's.
    #[serde(default)]
    pub pools: Vec<Placed>,
    /// The reflections.
    pub reflections: Vec<Reflected>,
}

/// The place of an alternative, named by its state and action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The state.
    pub t: usize,
    /// The alternative.
    pub action: String,
    /// Its place.
    #[serde(flatten)]
    pub place: Membership,
}

/// A reflection with its versions and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reflected {
    /// The state it is about.
    pub t: usize,
    /// What wrote it.
    pub generator: String,
    /// The executed alternatives it may cite.
    pub cites: Vec<String>,
    /// Who wrote each version, and the text; the oldest first.
    pub versions: Vec<(String, String)>,
    /// Which of them stands, from 1.
    pub version: usize,
    /// How it stands.
    pub verdict: Verdict,
    /// The code of a rejection.
    pub reason: Option<String>,
}

impl Record {
    /// What makes it the same episode wherever it is stored: the task, who acted, and what was
    /// done.
    fn identity(&self) -> [String; 5] {
        let tr = &self.trajectory;
        let actions: Vec<&str> = tr.steps.iter().map(|step| step.action.as_str()).collect();
        [&tr.suite, &tr.task_id, tr.purpose.as_str(), &tr.actor, &actions.join("\n")]
            .map(str::to_string)
    }

    /// Refuses what would come to grief later: indices beyond the steps, citations of what was not
    /// executed.
    pub fn check(&self) -> Result<()> {
        if self.trajectory.purpose == Purpose::Evaluation {
            return Err(Error::new(
                "an evaluation: only demonstrations and explorations are taken in",
            ));
        }
        let states = self.trajectory.steps.len();
        let beyond = |what: &str, t: usize| {
            Err(Error::new(format!("{what} of state {t}, but the trajectory has {states} steps")))
        };
        for branch in &self.branches {
            if branch.t >= states {
                return beyond("an alternative", branch.t);
            }
        }
        let executed: HashSet<(usize, &str)> =
            self.branches.iter().map(|b| (b.t, b.action.as_str())).collect();
        for Placed { t, action, .. } in &self.pools {
            if !executed.contains(&(*t, action.as_str())) {
                return Err(Error::new(format!(
                    "a pool holds `{action}` of state {t}, which is not among the alternatives"
                )));
            }
        }
        for reflected in &self.reflections {
            if reflected.t >= states {
                return beyond("a reflection", reflected.t);
            }
            if !(1..=reflected.versions.len()).contains(&reflected.version) {
                let version = reflected.version;
                let count = reflected.versions.len();
                return Err(Error::new(format!(
                    "version {version} of a reflection stands, but it has {count}"
                )));
            }
            let unexecuted = |action: &&String| !executed.contains(&(reflected.t, action.as_str()));
            if let Some(action) = reflected.cites.iter().find(unexecuted) {
                return Err(Error::new(format!(
                    "UNEXECUTED: a reflection of state {} cites `{action}`, which is not among the \
                     alternatives there",
                    reflected.t
                )));
            }
            let rationale =
                reflected.versions.first().is_some_and(|(author, _)| author.starts_with(RATIONALE));
            if reflected.cites.is_empty() && !rationale {
                return Err(Error::new(format!(
                    "UNEXECUTED: a reflection of state {} cites nothing",
                    reflected.t
                )));
            }
        }
        Ok(())
    }
}

/// What of some records is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Intake {
    /// Trajectories that are not there yet.
    pub trajectories: usize,
    /// Their steps.
    pub steps: usize,
    /// Their executed alternatives.
    pub branches: usize,
    /// Their reflections.
    pub reflections: usize,
    /// Those of them that are decided.
    pub decided: usize,
    /// Trajectories that are there already; they are left as they are.
    pub known: usize,
}

impl Intake {
    fn count(&mut self, record: &Record) {
        self.trajectories += 1;
        self.steps += record.trajectory.steps.len();
        self.branches += record.branches.len();
        self.reflections += record.reflections.len();
        self.decided += record.reflections.iter().filter(|r| r.verdict != Verdict::Pending).count();
    }
}

impl Store {
    /// Demonstrations and explorations of a suite and split (either may be left open), oldest
    /// first.
    pub fn experiences(
        &self,
        suite: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<TrajectorySummary>> {
        let mut rows = self.db.prepare_cached(&format!(
            "{SUMMARY} WHERE deleted = 0 AND purpose <> 'evaluation' AND (?1 IS NULL OR suite = \
             ?1) AND (?2 IS NULL OR split = ?2) ORDER BY id"
        ))?;
        let found = rows.query_map(params![suite, split], summary)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Suites and splits that there are demonstrations or explorations of.
    pub fn origins(&self) -> Result<Vec<(String, String)>> {
        let mut rows = self.db.prepare_cached(
            "SELECT DISTINCT suite, split FROM trajectories WHERE deleted = 0 AND purpose <> \
             'evaluation' ORDER BY 1, 2",
        )?;
        let found = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// A trajectory with everything that hangs off it.
    pub fn record(&self, id: i64) -> Result<Record> {
        let trajectory = self.trajectory(id)?;
        let branches = self.branches(id)?;
        let drawn = self.drawn(id, None)?.into_iter();
        let pools = drawn
            .map(|drawn| Placed {
                t: drawn.branch.t,
                action: drawn.branch.action,
                place: drawn.place,
            })
            .collect();
        let mut rows = self.db.prepare_cached(
            "SELECT r.id, r.t, r.generator, r.cites, r.verdict, d.reason, coalesce(d.version, 1) \
             FROM reflections r \
             LEFT JOIN decisions d ON d.id = (SELECT max(id) FROM decisions WHERE reflection = \
             r.id AND undone = 0) \
             WHERE r.trajectory = ?1 ORDER BY r.id",
        )?;
        let found = rows.query_map([id], |row| {
            let verdict = known(row, 4, Verdict::from_name)?;
            let cites: Vec<i64> = json(row, 3)?;
            let reflected = Reflected {
                t: row.get::<_, i64>(1)? as usize,
                generator: row.get(2)?,
                cites: branches
                    .iter()
                    .filter(|b| cites.contains(&b.id))
                    .map(|b| b.action.clone())
                    .collect(),
                versions: Vec::new(),
                version: row.get::<_, i64>(6)? as usize,
                verdict,
                reason: row.get(5)?,
            };
            Ok((row.get::<_, i64>(0)?, reflected))
        })?;
        let mut reflections = Vec::new();
        for pair in found {
            let (reflection, mut reflected) = pair?;
            reflected.versions = self.attempts(reflection)?;
            reflections.push(reflected);
        }
        Ok(Record { trajectory, branches, pools, reflections })
    }

    /// The identities of all that [`Store::experiences`] lists.
    fn identities(&self) -> Result<HashSet<[String; 5]>> {
        let mut rows = self.db.prepare(
            "SELECT suite, task_id, purpose, actor, coalesce((SELECT group_concat(action, \
             char(10)) FROM \
             (SELECT action FROM steps WHERE trajectory = j.id ORDER BY t)), '') \
             FROM trajectories j WHERE deleted = 0 AND purpose <> 'evaluation'",
        )?;
        let found = rows.query_map([], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes in those records that are new (or, without `write`, only counts them). They are
    /// committed a few hundred at a time, so that nobody else waits for long; doing it again goes
    /// on where it was ended, by an error of the iterator or of `each`, which is called after every
    /// record.
    pub fn take_in(
        &self,
        records: impl Iterator<Item = Result<Record>>,
        write: bool,
        each: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Intake> {
        let mut there = self.identities()?;
        let mut unit = Vec::with_capacity(UNIT);
        let mut intake = Intake::default();
        let mut batch = None;
        // Nothing is read or waited for while a transaction is open.
        let mut put = |store: &Self, unit: &mut Vec<Record>| -> Result<()> {
            if !unit.is_empty() {
                let tx = store.write()?;
                unit.drain(..).try_for_each(|record| insert_record(&tx, record, &mut batch))?;
                tx.commit()?;
            }
            Ok(())
        };
        let mut went_on = Ok(());
        for (n, record) in records.enumerate() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    went_on = Err(error);
                    break;
                }
            };
            if there.insert(record.identity()) {
                intake.count(&record);
                unit.extend(write.then_some(record));
            } else {
                intake.known += 1;
            }
            if unit.len() == UNIT {
                put(self, &mut unit)?;
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
}

/// Writes a record; decisions that come with it are one act.
fn insert_record(db: &rusqlite::Connection, record: Record, batch: &mut Option<i64>) -> Result<()> {
    let trajectory = insert_trajectory(db, &record.trajectory)?;
    let mut ids: Vec<(usize, i64, String)> = Vec::with_capacity(record.branches.len());
    for branch in record.branches {
        let branch = Branch { trajectory, ..branch };
        let id = insert_branch(db, &branch)?;
        if record.pools.is_empty() {
            let pool = if [UNIFORM, POLICY].contains(&branch.source.as_str()) {
                branch.source.as_str()
            } else {
                EXPLORED
            };
            let rank = ids.iter().filter(|(t, ..)| *t == branch.t).count();
            let place = Membership {
                pool: pool.into(),
                rank,
                source: branch.source.clone(),
                model: String::new(),
            };
            insert_membership(db, id, &place)?;
        }
        ids.push((branch.t, id, branch.action));
    }
    for Placed { t, action, place } in &record.pools {
        if let Some((_, id, _)) = ids.iter().find(|(at, _, known)| at == t && known == action) {
            insert_membership(db, *id, place)?;
        }
    }
    for reflected in record.reflections {
        let cited = |(t, _, action): &&(usize, i64, String)| {
            *t == reflected.t && reflected.cites.contains(action)
        };
        let cites = ids.iter().filter(cited).map(|(_, id, _)| *id).collect();
        let mut versions = reflected.versions.into_iter();
        let Some((generator, text)) = versions.next() else { continue };
        let id = insert_reflection(
            db,
            &NewReflection { trajectory, t: reflected.t, generator, cites, text },
        )?;
        for (n, (author, text)) in versions.enumerate() {
            insert_version(db, id, n as i64 + 2, &author, &text)?;
        }
        if reflected.verdict != Verdict::Pending || reflected.version != 1 {
            let verdict = reflected.verdict.as_str();
            let version = reflected.version as i64;
            db.prepare_cached(
                "INSERT INTO decisions (reflection, act, verdict, reason, version, created_ms, \
                 batch) \
                 VALUES (?1, 'import', ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                id,
                verdict,
                reflected.reason,
                version,
                now_ms(),
                *batch
            ])?;
            if batch.is_none() {
                *batch = Some(db.last_insert_rowid());
                db.execute("UPDATE decisions SET batch = ?1 WHERE id = ?1", [*batch])?;
            }
        }
    }
    Ok(())
}
