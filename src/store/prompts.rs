//! Prompts that are optimised: what was asked for, and every answer as it came.

use rusqlite::{OptionalExtension, params};

use super::{Store, now_ms};
use crate::error::Result;

impl Store {
    /// What an optimisation was begun with, by its name.
    pub fn prompt_design(&self, name: &str) -> Result<Option<String>> {
        let ask = "SELECT design FROM prompts WHERE name = ?1";
        Ok(self.db.prepare_cached(ask)?.query_row([name], |row| row.get(0)).optional()?)
    }

    /// The names of all, oldest first.
    pub fn prompt_names(&self) -> Result<Vec<String>> {
        let mut rows = self.db.prepare_cached("SELECT name FROM prompts ORDER BY id")?;
        let found = rows.query_map([], |row| row.get(0))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Begins one, or writes down that it goes on otherwise.
    pub fn keep_prompt(&mut self, name: &str, design: &str) -> Result<()> {
        let insert = "INSERT INTO prompts (name, design, created_ms) VALUES (?1, ?2, ?3) ON \
                      CONFLICT (name) DO UPDATE SET design = excluded.design";
        self.execute(insert, params![name, design, now_ms()])?;
        Ok(())
    }

    /// Forgets one with all answers; whether it was there.
    pub fn forget_prompt(&mut self, name: &str) -> Result<bool> {
        let tx = self.write()?;
        tx.execute(
            "DELETE FROM prompt_answers WHERE prompt = (SELECT id FROM prompts WHERE name = ?1)",
            [name],
        )?;
        let gone = tx.execute("DELETE FROM prompts WHERE name = ?1", [name])?;
        tx.commit()?;
        Ok(gone > 0)
    }

    /// An answer that was kept.
    pub fn prompt_answer(&self, prompt: &str, asked: &str) -> Result<Option<String>> {
        let ask = "SELECT a.answer FROM prompt_answers a JOIN prompts p ON p.id = a.prompt WHERE \
                   p.name = ?1 AND a.asked = ?2";
        Ok(self.db.prepare_cached(ask)?.query_row([prompt, asked], |row| row.get(0)).optional()?)
    }

    /// Keeps an answer; when this returns, it survives any crash.
    pub fn keep_prompt_answer(&mut self, prompt: &str, asked: &str, answer: &str) -> Result<()> {
        let insert = "INSERT INTO prompt_answers (prompt, asked, answer, created_ms) SELECT id, ?2, \
                      ?3, ?4 FROM prompts WHERE name = ?1";
        self.execute(insert, params![prompt, asked, answer, now_ms()])?;
        Ok(())
    }
}
