//! Which of two answers to a captured call a person prefers.

use rusqlite::params;

use super::{Store, now_ms};
use crate::error::{Error, Result};
use crate::text::counted;

/// A person's preference between two answers to a call. Answers are counted: 0 is what was said, then
/// the others that minds would have given, in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Preference {
    /// Its number.
    pub id: i64,
    /// The call.
    pub call: i64,
    /// The answer that is preferred.
    pub better: usize,
    /// The other one.
    pub worse: usize,
}

/// What stands among preferences up to a number: of two answers the newest word counts.
const STANDING: &str = "FROM call_preferences p WHERE p.stands AND p.id <= ?1 AND NOT EXISTS (SELECT 1 \
     FROM call_preferences n WHERE n.call = p.call AND n.id > p.id AND n.id <= ?1 AND min(n.better, \
     n.worse) = min(p.better, p.worse) AND max(n.better, n.worse) = max(p.better, p.worse))";

impl Store {
    /// Writes down that one answer to a call is preferred to another, or that neither is any longer.
    ///
    /// # Errors
    /// Where the call has no such answers, or they are the same one.
    pub fn prefer(&mut self, call: i64, better: usize, worse: usize, stands: bool) -> Result<()> {
        let whole = self.call(call)?;
        let ids = self.answer_ids(call)?;
        let others = ids.len() - 1;
        if better == worse {
            return Err(Error::usage(format!("answer {better} beside itself")));
        }
        for answer in [better, worse] {
            if answer > others || (answer == 0 && whole.answer.is_none()) {
                return Err(Error::usage(format!("call {call} has no answer {answer}")).hint(
                    match others {
                        0 => format!("ask for others first: foretaste gateway try {call}"),
                        n => format!(
                            "0 is what was said, if anything was; there {} {}",
                            if n == 1 { "is" } else { "are" },
                            counted(n as u64, "other answer")
                        ),
                    },
                ));
            }
        }
        let tx = self.write()?;
        tx.execute(
            "INSERT INTO call_preferences (call, better, worse, stands, created_ms) VALUES (?1, ?2, \
             ?3, ?4, ?5)",
            params![call, ids[better], ids[worse], stands, now_ms()],
        )?;
        tx.commit()
    }

    /// What a person prefers among the answers to a call.
    pub fn preferences(&self, call: i64) -> Result<Vec<Preference>> {
        self.preferences_by(&format!("{STANDING} AND p.call = ?2"), (i64::MAX, call))
    }

    /// What a person prefers among the answers to all calls of an agent, as it stood when the preference of
    /// a number had been written down.
    pub fn preferences_of(&self, agent: i64, upto: i64) -> Result<Vec<Preference>> {
        let of = "AND p.call IN (SELECT id FROM calls WHERE agent = ?2)";
        self.preferences_by(&format!("{STANDING} {of}"), (upto, agent))
    }

    /// The number of the newest preference; 0 where there is none.
    pub fn last_preference(&self) -> Result<i64> {
        let ask = "SELECT coalesce(max(id), 0) FROM call_preferences";
        Ok(self.db.query_row(ask, [], |row| row.get(0))?)
    }

    /// By place the number of each answer to a call: 0 of what was said, then those of the others.
    fn answer_ids(&self, call: i64) -> Result<Vec<i64>> {
        let ask = "SELECT 0 UNION ALL SELECT id FROM (SELECT id FROM call_alternatives WHERE call = ?1 \
                   ORDER BY id)";
        let mut rows = self.db.prepare_cached(ask)?;
        let found = rows.query_map([call], |row| row.get(0))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    fn preferences_by(&self, which: &str, of: (i64, i64)) -> Result<Vec<Preference>> {
        let ask = format!("SELECT p.id, p.call, p.better, p.worse {which} ORDER BY p.call, p.id");
        let mut rows = self.db.prepare_cached(&ask)?;
        let found = rows.query_map([of.0, of.1], |row| {
            Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        })?;
        let found: Vec<[i64; 4]> = found.collect::<rusqlite::Result<_>>()?;
        let mut known: (i64, Vec<i64>) = (0, Vec::new());
        let mut all = Vec::with_capacity(found.len());
        for [id, call, better, worse] in found {
            if known.0 != call {
                known = (call, self.answer_ids(call)?);
            }
            let place = |of: i64| known.1.iter().position(|own| *own == of);
            if let (Some(better), Some(worse)) = (place(better), place(worse)) {
                all.push(Preference { id, call, better, worse });
            }
        }
        Ok(all)
    }
}
