//! Curves of runs.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{Store, now_ms};
use crate::error::Result;

/// A metric at a step; the value is absent where it was not a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MetricPoint {
    /// The update.
    pub step: u64,
    /// The value.
    pub value: Option<f64>,
    /// When, in milliseconds since the run began.
    pub wall_ms: i64,
    /// Tokens trained on by then; none in runs that did not count them.
    pub tokens: Option<f64>,
}

impl Store {
    /// Saves the metrics of one update and how far the run is, in one transaction. Writing an
    /// update again (after a resume) replaces it.
    pub fn add_metrics(
        &self,
        run: i64,
        step: u64,
        wall_ms: i64,
        metrics: &[(String, f64)],
    ) -> Result<()> {
        let tx = self.write()?;
        for (name, value) in metrics {
            let value = value.is_finite().then_some(*value);
            tx.prepare_cached("INSERT OR REPLACE INTO metrics VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![run, step as i64, name, value, wall_ms])?;
        }
        tx.execute(
            "UPDATE runs SET step = ?2, updated_ms = ?3 WHERE id = ?1",
            params![run, step as i64, now_ms()],
        )?;
        tx.commit()
    }

    /// The metric of a run by step.
    pub fn metric(&self, run: i64, name: &str) -> Result<Vec<MetricPoint>> {
        self.metric_after(run, name, None)
    }

    /// The same, of updates after one; all of them without one.
    pub fn metric_after(
        &self,
        run: i64,
        name: &str,
        step: Option<u64>,
    ) -> Result<Vec<MetricPoint>> {
        let mut rows = self.db.prepare_cached(
            "SELECT m.step, m.value, m.wall_ms, t.value FROM metrics m \
             LEFT JOIN metrics t ON t.run = m.run AND t.name = 'tokens' AND t.step = m.step \
             WHERE m.run = ?1 AND m.name = ?2 AND m.step > ?3 ORDER BY m.step",
        )?;
        let after = step.map_or(-1, |step| step as i64);
        let found = rows.query_map(params![run, name, after], |row| {
            let step = row.get::<_, i64>(0)? as u64;
            Ok(MetricPoint { step, value: row.get(1)?, wall_ms: row.get(2)?, tokens: row.get(3)? })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// The newest value of a metric.
    pub fn newest_metric(&self, run: i64, name: &str) -> Result<Option<f64>> {
        let newest = "SELECT value FROM metrics WHERE run = ?1 AND name = ?2 AND value IS NOT \
                      NULL ORDER BY step DESC LIMIT 1";
        Ok(self
            .db
            .prepare_cached(newest)?
            .query_row(params![run, name], |row| row.get(0))
            .optional()?)
    }

    /// The names of a run's metrics, each looked for behind the one before: so that a million
    /// values of one are passed over at once.
    pub fn metric_names(&self, run: i64) -> Result<Vec<String>> {
        let mut rows = self.db.prepare_cached(
            "WITH RECURSIVE names(name) AS (SELECT min(name) FROM metrics WHERE run = ?1 UNION \
             ALL SELECT (SELECT min(name) FROM metrics WHERE run = ?1 AND name > names.name) FROM \
             names WHERE name IS NOT NULL) SELECT name FROM names WHERE name IS NOT NULL",
        )?;
        Ok(rows.query_map([run], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }
}
