//! Reading the curation: the queue under a filter, how everything stands, and figures.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::Store;
use super::reading::{json, known};
use crate::error::Result;
use crate::experience::{Reflection, Verdict};

/// Which reflections a queue lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Filter {
    /// Only those that stand so.
    pub verdict: Option<Verdict>,
    /// Only those flagged.
    #[serde(default)]
    pub flagged: bool,
    /// Only those that a rule points at.
    #[serde(default)]
    pub suspected: bool,
    /// Only those that the rule with this code points at.
    #[serde(default)]
    pub rule: Option<String>,
    /// Only those of a pass of second opinions.
    #[serde(default)]
    pub second: Option<Second>,
    /// Only those whose text, task, kind of task or notes contain this, whatever its case.
    #[serde(default)]
    pub words: String,
}

impl Filter {
    /// Everything that stands so.
    pub fn verdict(verdict: Option<Verdict>) -> Self {
        Self { verdict, ..Self::default() }
    }
}

/// Reflections by the second opinion about the version that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Second {
    /// Decided, and not looked at again: in an order of no meaning, how they stand withheld.
    Blind,
    /// Those where it differs from the first.
    Differs,
}

/// How first and second opinions agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct KappaAgreement {
    /// Reflections with both.
    pub both: u64,
    /// Those where they agree.
    pub same: u64,
    /// Cohen's kappa: agreement beyond what chance alone would give; none where one verdict is all
    /// there is.
    pub kappa: Option<f64>,
}

impl KappaAgreement {
    /// From counts: `[first approved][second approved]`.
    fn of(counts: [[u64; 2]; 2]) -> Self {
        let both: u64 = counts.iter().flatten().sum();
        let same = counts[0][0] + counts[1][1];
        let n = both as f64;
        let first = (counts[1][0] + counts[1][1]) as f64 / n;
        let second = (counts[0][1] + counts[1][1]) as f64 / n;
        let chance = first * second + (1.0 - first) * (1.0 - second);
        let kappa = (both > 0 && chance < 1.0).then(|| (same as f64 / n - chance) / (1.0 - chance));
        Self { both, same, kappa }
    }
}

/// Figures of a curation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Kind of task: approved, rejected.
    pub kinds: Vec<(String, u64, u64)>,
    /// First word of the expert's action: approved, rejected.
    pub actions: Vec<(String, u64, u64)>,
    /// Code of a rejection: how often.
    pub reasons: Vec<(String, u64)>,
    /// Reflections whose standing version a person wrote.
    pub edited: u64,
    /// Reflections with more than one generated attempt.
    pub regenerated: u64,
    /// States that have reflections, and states with an approved one.
    pub states: (u64, u64),
}

/// A version of a reflection, as it is trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The reflection.
    pub reflection: i64,
    /// The version.
    pub version: i64,
    /// The state it is about.
    pub t: usize,
    /// Who wrote it.
    pub author: String,
    /// The text.
    pub text: String,
}

/// Where a page of the queue begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// With the first reflection.
    #[default]
    Start,
    /// With the one that follows this.
    After(i64),
    /// So that it ends with the one before this.
    Before(i64),
}

/// One page of the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// Reflections in order.
    pub items: Vec<Reflection>,
    /// Where the page before begins, if there is one.
    pub back: Option<Place>,
    /// Where the next page begins, if there is one.
    pub on: Option<Place>,
    /// How many are pending, approved, rejected.
    pub verdict_counts: [u64; 3],
}

/// The standing of each reflection: its latest act that was not undone. From reflections to their
/// trajectories, in that order: a page by number is read in the order of the rows then.
const CURRENT: &str = "SELECT r.id, r.trajectory, r.t, r.generator, r.cites, r.verdict, d.reason, \
                       coalesce(d.version, 1) AS version \
    FROM reflections r CROSS JOIN trajectories j ON j.id = r.trajectory AND j.deleted = 0 \
    LEFT JOIN decisions d ON d.id = (SELECT max(id) FROM decisions WHERE reflection = r.id AND \
    undone = 0)";

/// The latest second opinion about the version that stands, of a row `c` of [`CURRENT`].
const SECOND: &str = "(SELECT act FROM decisions WHERE reflection = c.id AND undone = 0 AND act \
                      LIKE 'second %' \
    AND version = c.version ORDER BY id DESC LIMIT 1)";

/// Whether a row `c` of [`CURRENT`] is flagged.
const FLAGGED: &str = "coalesce((SELECT act FROM decisions WHERE reflection = c.id AND undone = 0 \
                       AND act IN ('flag', 'unflag') ORDER BY id DESC LIMIT 1), '') = 'flag'";

/// What a list says of a row `c` besides; asked of the rows of a page only.
const BESIDE: &str = "\
    (SELECT text FROM drafts WHERE reflection = c.id) AS draft, \
    (SELECT count(*) FROM versions WHERE reflection = c.id) AS written, \
    (SELECT author FROM versions WHERE reflection = c.id AND n = c.version) AS author, \
    (SELECT created_ms FROM versions WHERE reflection = c.id AND n = c.version) AS written_ms, \
    (SELECT created_ms FROM decisions WHERE reflection = c.id AND undone = 0 AND act NOT IN \
    ('flag', 'unflag', 'note') AND act NOT LIKE 'second %' ORDER BY id DESC LIMIT 1) AS \
    decided_ms, \
    (SELECT CASE WHEN origin = 'rules' THEN 'the rules' \
     WHEN origin IS NOT NULL OR act = 'import' THEN 'another store' ELSE 'you' END FROM decisions WHERE \
    reflection = c.id AND undone = 0 AND act NOT IN ('flag', 'unflag', 'note') AND act NOT LIKE \
    'second %' ORDER BY id DESC LIMIT 1) AS decided_by, \
    (SELECT note FROM decisions WHERE reflection = c.id AND undone = 0 AND note IS NOT NULL \
    ORDER BY id DESC LIMIT 1) AS note, \
    (SELECT kind FROM trajectories WHERE id = c.trajectory) AS kind, \
    (SELECT action FROM steps WHERE trajectory = c.trajectory AND t = c.t) AS action";

impl Store {
    /// Figures of the curation so far.
    pub fn statistics(&self) -> Result<Statistics> {
        let split = |by: &str| -> Result<Vec<(String, u64, u64)>> {
            let mut rows = self.db.prepare(&format!(
                "SELECT {by}, sum(c.verdict = 'approved'), sum(c.verdict = 'rejected') FROM \
                 ({CURRENT}) c \
                 JOIN trajectories j ON j.id = c.trajectory JOIN steps s ON s.trajectory = \
                 c.trajectory AND s.t = c.t \
                 WHERE c.verdict IN ('approved', 'rejected') GROUP BY 1 ORDER BY 2 + 3 DESC"
            ))?;
            let found = rows.query_map([], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64))
            })?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        };
        let mut rows = self.db.prepare(&format!(
            "SELECT reason, count(*) FROM ({CURRENT}) WHERE verdict = 'rejected' GROUP BY 1 ORDER \
             BY 2 DESC"
        ))?;
        let reasons = rows.query_map([], |row| {
            Ok((row.get::<_, Option<String>>(0)?.unwrap_or_default(), row.get::<_, i64>(1)? as u64))
        })?;
        let count = |sql: &str| -> Result<u64> {
            Ok(self.db.query_row(sql, [], |row| row.get::<_, i64>(0))? as u64)
        };
        Ok(Statistics {
            kinds: split("j.kind")?,
            actions: split("substr(s.action, 1, instr(s.action || ' ', ' ') - 1)")?,
            reasons: reasons.collect::<rusqlite::Result<_>>()?,
            edited: count(&format!(
                "SELECT count(*) FROM ({CURRENT}) c JOIN versions v ON v.reflection = c.id AND \
                 v.n = c.version \
                 AND v.author = 'you'"
            ))?,
            regenerated: count(
                "SELECT count(DISTINCT reflection) FROM decisions WHERE act = 'attempt' AND \
                 undone = 0",
            )?,
            states: (
                count(&format!(
                    "SELECT count(*) FROM (SELECT DISTINCT trajectory, t FROM ({CURRENT}))"
                ))?,
                count(&format!(
                    "SELECT count(*) FROM (SELECT DISTINCT trajectory, t FROM ({CURRENT}) WHERE \
                     verdict = 'approved')"
                ))?,
            ),
        })
    }

    /// How second opinions agree with the first, each about the version that stands.
    pub fn agreement(&self) -> Result<KappaAgreement> {
        let mut rows = self.db.prepare(&format!(
            "SELECT verdict = 'approved', second = 'second approve' FROM (SELECT c.verdict, \
             {SECOND} AS second FROM ({CURRENT}) c) \
             WHERE second IS NOT NULL AND verdict IN ('approved', 'rejected')"
        ))?;
        let mut counts = [[0; 2]; 2];
        for pair in
            rows.query_map([], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?)))?
        {
            let (first, second) = pair?;
            counts[usize::from(first)][usize::from(second)] += 1;
        }
        Ok(KappaAgreement::of(counts))
    }

    /// How many reflections are pending, approved, rejected.
    pub fn verdict_counts(&self) -> Result<[u64; 3]> {
        let mut rows = self.db.prepare_cached(
            "SELECT verdict, sum(n) FROM (SELECT verdict, count(*) AS n FROM reflections GROUP BY \
             1 UNION ALL \
             SELECT r.verdict, -count(*) FROM trajectories j JOIN reflections r ON r.trajectory = \
             j.id \
             WHERE j.deleted = 1 GROUP BY 1) GROUP BY 1",
        )?;
        let mut standing = [0; 3];
        let found = rows
            .query_map([], |row| Ok((known(row, 0, Verdict::from_name)?, row.get::<_, i64>(1)?)))?;
        for pair in found {
            let (verdict, count) = pair?;
            standing[verdict as usize] += count as u64;
        }
        Ok(standing)
    }

    /// At most `limit` reflections under a filter (but for what rules say, which are not the
    /// store's), oldest first.
    pub fn queue(&self, filter: &Filter, place: Place, limit: usize) -> Result<Queue> {
        // Only what is asked for, so that an index answers it; the first names every parameter.
        let mut conditions = vec!["coalesce(?1, ?2, ?4) IS NOT NULL"];
        let (backwards, edge) = match place {
            Place::Start => (false, 0),
            Place::After(id) => (false, id),
            Place::Before(id) => (true, id),
        };
        conditions.extend((place != Place::Start).then_some(if backwards {
            "c.id < ?4"
        } else {
            "c.id > ?4"
        }));
        conditions.extend(filter.verdict.map(|_| "c.verdict = ?1"));
        conditions.extend(filter.flagged.then_some("flagged"));
        conditions.extend((!filter.words.trim().is_empty()).then_some(
            "(EXISTS (SELECT 1 FROM versions v JOIN trajectories j ON j.id = c.trajectory \
             WHERE v.reflection = c.id AND v.n = c.version AND instr(lower(j.kind || ' ' || \
             j.task || ' ' || v.text), ?2) > 0) OR EXISTS (SELECT 1 FROM decisions WHERE \
             reflection = c.id AND undone = 0 AND instr(lower(note), ?2) > 0))",
        ));
        conditions.extend(filter.second.map(|second| match second {
            Second::Blind => "c.verdict IN ('approved', 'rejected') AND second IS NULL",
            Second::Differs => "(second = 'second approve') <> (c.verdict = 'approved')",
        }));
        let order = match filter.second {
            Some(Second::Blind) => "(c.id * 2654435761) % 4294967296",
            _ if backwards => "c.id DESC",
            _ => "c.id",
        };
        let mut rows = self.db.prepare_cached(&format!(
            "SELECT c.*, {BESIDE} FROM (SELECT c.*, {FLAGGED} AS flagged, {SECOND} AS second \
             FROM ({CURRENT}) c WHERE {} ORDER BY {order} LIMIT ?3) c ORDER BY {order}",
            conditions.join(" AND ")
        ))?;
        let words = filter.words.trim().to_lowercase();
        let values = params![
            filter.verdict.map(Verdict::as_str),
            words,
            i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
            edge
        ];
        let mut items: Vec<Reflection> =
            rows.query_map(values, listed)?.collect::<rusqlite::Result<_>>()?;
        for item in &mut items {
            item.versions = self.versions(item.id, item.version as i64)?;
            if filter.second == Some(Second::Blind) {
                withhold(item);
            }
        }
        let more = items.len() > limit;
        items.truncate(limit);
        if backwards {
            items.reverse();
        }
        let first = items.first().map(|item| Place::Before(item.id));
        let last = items.last().map(|item| Place::After(item.id));
        // Second opinions leave the list as they are given, and it has no order to go on in.
        let (back, on) = match place {
            _ if filter.second == Some(Second::Blind) => (None, None),
            Place::Before(_) => (first.filter(|_| more), last),
            Place::After(_) => (first, last.filter(|_| more)),
            Place::Start => (None, last.filter(|_| more)),
        };
        Ok(Queue { items, back, on, verdict_counts: self.verdict_counts()? })
    }

    /// Every version of a reflection, the oldest first: who wrote it, and the text.
    pub fn attempts(&self, reflection: i64) -> Result<Vec<(String, String)>> {
        let mut rows = self
            .db
            .prepare_cached("SELECT author, text FROM versions WHERE reflection = ?1 ORDER BY n")?;
        let found = rows.query_map([reflection], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Versions 1 and the one that stands now (the texts between them stay in the store).
    fn versions(&self, reflection: i64, current: i64) -> Result<Vec<String>> {
        let mut rows = self.db.prepare_cached(
            "SELECT text FROM versions WHERE reflection = ?1 AND (n = 1 OR n = ?2) ORDER BY n",
        )?;
        let texts = rows.query_map(params![reflection, current], |row| row.get(0))?;
        Ok(texts.collect::<rusqlite::Result<_>>()?)
    }

    /// The states of a trajectory that a generator has already written about, each with the
    /// alternatives it cites.
    pub fn reflected(&self, trajectory: i64, generator: &str) -> Result<Vec<(usize, Vec<i64>)>> {
        let mut rows = self.db.prepare_cached(
            "SELECT t, cites FROM reflections WHERE trajectory = ?1 AND generator = ?2",
        )?;
        let found = rows.query_map(params![trajectory, generator], |row| {
            Ok((row.get::<_, i64>(0)? as usize, json(row, 1)?))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Approved reflections of a trajectory by state, each with the version that stands.
    pub fn approved(&self, trajectory: i64) -> Result<Vec<Approved>> {
        let mut rows = self.db.prepare_cached(&format!(
            "SELECT c.id, v.n, c.t, v.author, v.text FROM ({CURRENT} WHERE r.trajectory = ?1 AND \
             r.verdict = 'approved') c \
             JOIN versions v ON v.reflection = c.id AND v.n = c.version ORDER BY c.t, c.id"
        ))?;
        Ok(rows.query_map([trajectory], approved)?.collect::<rusqlite::Result<_>>()?)
    }

    /// One version of a reflection, however it stands now; none if it is not there.
    pub fn version(&self, reflection: i64, n: i64) -> Result<Option<Approved>> {
        let mut rows = self.db.prepare_cached(
            "SELECT r.id, v.n, r.t, v.author, v.text FROM reflections r JOIN versions v ON \
             v.reflection = r.id \
             WHERE r.id = ?1 AND v.n = ?2",
        )?;
        Ok(rows.query_row([reflection, n], approved).optional()?)
    }
}

/// A row of the queue, without its texts.
fn listed(row: &Row<'_>) -> rusqlite::Result<Reflection> {
    let words = |name: &str| row.get::<_, Option<String>>(name).map(Option::unwrap_or_default);
    Ok(Reflection {
        id: row.get(0)?,
        trajectory: row.get(1)?,
        t: row.get::<_, i64>(2)? as usize,
        generator: row.get(3)?,
        cites: json(row, 4)?,
        versions: Vec::new(),
        verdict: known(row, 5, Verdict::from_name)?,
        reason: row.get(6)?,
        version: row.get::<_, i64>(7)? as usize,
        flagged: row.get("flagged")?,
        draft: row.get("draft")?,
        written: row.get::<_, i64>("written")? as usize,
        author: words("author")?,
        written_ms: row.get::<_, Option<i64>>("written_ms")?.unwrap_or_default(),
        decided_ms: row.get("decided_ms")?,
        decided_by: row.get("decided_by")?,
        note: row.get("note")?,
        kind: words("kind")?,
        action: words("action")?,
    })
}

/// What a person must not see before a second opinion cannot be shown by mistake either: how it
/// stands, what was said of it, and whether the text was edited.
fn withhold(item: &mut Reflection) {
    item.verdict = Verdict::Pending;
    item.reason = None;
    item.flagged = false;
    item.draft = None;
    item.versions = item.versions.pop().into_iter().collect();
    item.written = 1;
    item.version = 1;
    item.author.clear();
    item.written_ms = 0;
    item.decided_ms = None;
    item.decided_by = None;
    item.note = None;
}

fn approved(row: &Row<'_>) -> rusqlite::Result<Approved> {
    let t = row.get::<_, i64>(2)? as usize;
    Ok(Approved {
        reflection: row.get(0)?,
        version: row.get(1)?,
        t,
        author: row.get(3)?,
        text: row.get(4)?,
    })
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
