//! One line to a world process: a question, an answer, under a time and under the cancel of whoever
//! asks. What is wrong with it ends it, with everything that lives behind it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::process::{Heard, Process};
use super::said::{self, Hello, PROTOCOL};
use super::spec::Spec;
use crate::budget;
use crate::error::{Error, Kind, Result};
use crate::text;

/// Between two looks at the cancel.
const LOOK: Duration = Duration::from_millis(20);

/// Whether and how the other end is there.
enum Standing {
    /// Nobody speaks to it.
    Free(Box<Speaking>),
    /// Somebody does.
    Taken,
    /// It is gone, and why.
    Dead(Error),
}

struct Speaking {
    process: Process,
    /// The last question.
    id: u64,
}

/// See the module.
pub struct Line {
    standing: Mutex<Standing>,
    freed: Condvar,
    name: String,
    patience: Duration,
    /// Worlds that nobody has any more; they are told of before the next question.
    dropped: Mutex<Vec<String>>,
    /// Worlds behind it.
    pub living: AtomicUsize,
    /// What came of trying a fork.
    pub tried: OnceLock<Result<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// A line to a new process, and what that says of itself.
    pub fn open(spec: &Spec) -> Result<(Self, Hello)> {
        let name = spec.described();
        let process = Process::start(spec).map_err(|error| error.at(&name))?;
        let mut line = Self {
            standing: Mutex::new(Standing::Free(Box::new(Speaking { process, id: 0 }))),
            freed: Condvar::new(),
            name,
            patience: spec.start,
            dropped: Mutex::default(),
            living: AtomicUsize::new(0),
            tried: OnceLock::new(),
        };
        let hello: Hello = line.ask("hello", json!({"protocol": PROTOCOL}))?;
        hello.vet().map_err(|error| error.at(&line.name))?;
        line.patience = spec.patience;
        Ok((line, hello))
    }

    /// Why the other end is gone, if it is.
    pub fn death(&self) -> Option<Error> {
        match &*locked(&self.standing) {
            Standing::Dead(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// A world is nobody's any more.
    pub fn forget(&self, world: String) {
        locked(&self.dropped).push(world);
        self.living.fetch_sub(1, Ordering::Relaxed);
    }

    /// Asks, and waits for the answer; `fields` is an object.
    ///
    /// # Errors
    /// Of [`Kind::World`] where the other end says that it cannot, and where it is gone or answers
    /// what is no answer: it is ended then.
    pub fn ask<T: DeserializeOwned>(&self, op: &str, fields: Value) -> Result<T> {
        let mut speaking = self.take()?;
        let answered = self.exchange(&mut speaking, op, fields);
        let mut standing = locked(&self.standing);
        let answered = match answered {
            Ok(answer) => {
                *standing = Standing::Free(speaking);
                answer
            }
            Err(why) => {
                *standing = Standing::Dead(why.clone());
                Err(why)
            }
        };
        drop(standing);
        self.freed.notify_one();
        answered.and_then(|answer| said::read(op, answer).map_err(|error| error.at(&self.name)))
    }

    /// The other end for oneself, once it is free.
    fn take(&self) -> Result<Box<Speaking>> {
        let mut standing = locked(&self.standing);
        loop {
            match std::mem::replace(&mut *standing, Standing::Taken) {
                Standing::Free(speaking) => return Ok(speaking),
                Standing::Dead(why) => {
                    *standing = Standing::Dead(why.clone());
                    return Err(why);
                }
                Standing::Taken => {}
            }
            if budget::is_cancelled() {
                return Err(Error::cancelled());
            }
            let waited = self.freed.wait_timeout(standing, LOOK);
            standing = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The answer, or what the other end says of why there is none; an error where it is ended.
    fn exchange(&self, to: &mut Speaking, op: &str, fields: Value) -> Result<Result<Value>> {
        let mut questions = String::new();
        let mut ask = |op: &str, fields: Value| {
            to.id += 1;
            let mut question = json!({"id": to.id, "op": op});
            if let (Value::Object(question), Value::Object(fields)) = (&mut question, fields) {
                question.extend(fields);
            }
            questions.push_str(&format!("{question}\n"));
        };
        for world in std::mem::take(&mut *locked(&self.dropped)) {
            ask("drop", json!({"world": world}));
        }
        ask(op, fields);
        let ended = |to: &mut Speaking, what: &str| {
            let obituary = to.process.obituary();
            Error::new(format!("{}: {what}{obituary}", self.name)).of(Kind::World)
        };
        if to.process.say.send(questions).is_err() {
            return Err(ended(to, &format!("it was gone before `{op}`")));
        }
        let until = Instant::now() + self.patience;
        loop {
            match to.process.heard.recv_timeout(LOOK) {
                Ok(Heard::Line(line)) => {
                    let answer = answer_to(to.id, &line).map_err(|what| ended(to, &what))?;
                    if let Some(answer) = answer {
                        return Ok(answer.map_err(|what| {
                            Error::new(format!("{}: {what}", self.name)).of(Kind::World)
                        }));
                    }
                }
                Ok(Heard::Ended(how)) => return Err(ended(to, &how)),
                Err(RecvTimeoutError::Disconnected) => return Err(ended(to, "it ended")),
                // The answer that comes late is passed over then.
                Err(RecvTimeoutError::Timeout) if budget::is_cancelled() => {
                    return Ok(Err(Error::cancelled()));
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < until => {}
                Err(RecvTimeoutError::Timeout) => {
                    let waited = self.patience.as_secs();
                    return Err(ended(to, &format!("no answer to `{op}` within {waited} s")).hint(
                        "a [worlds.NAME] of config.toml may give it longer: timeout_s, start_s",
                    ));
                }
            }
        }
    }
}

/// What a line answers to question `id`; none for the answer to an earlier one. An answer may be
/// that it cannot, in its words.
fn answer_to(id: u64, line: &str) -> Result<Option<Result<Value, String>>, String> {
    let short = || text::clean(line.trim()).chars().take(80).collect::<String>();
    let Ok(Value::Object(mut answer)) = serde_json::from_str(line) else {
        return Err(format!(
            "it wrote `{}`, which is no JSON object: what a world prints goes to standard error",
            short()
        ));
    };
    match answer.shift_remove("id").and_then(|its| its.as_u64()) {
        Some(its) if its == id => {}
        Some(its) if its < id => return Ok(None),
        _ => return Err(format!("it answered a question that was not asked: `{}`", short())),
    }
    match answer.shift_remove("error") {
        None => Ok(Some(Ok(Value::Object(answer)))),
        Some(Value::String(why)) => Ok(Some(Err(text::clean(&why)))),
        Some(_) => Err("its `error` is no text".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_to_the_question_that_was_asked() {
        let answer = |line: &str| answer_to(7, line);
        assert_eq!(answer("{\"id\":7,\"hash\":\"a\"}"), Ok(Some(Ok(json!({"hash": "a"})))));
        assert_eq!(answer("{\"id\":6,\"hash\":\"a\"}"), Ok(None), "an earlier one");
        assert_eq!(answer("{\"id\":7,\"error\":\"no\"}"), Ok(Some(Err("no".into()))));
        for odd in [
            "hello",
            "[7]",
            "{\"id\":8}",
            "{\"hash\":\"a\"}",
            "{\"id\":7,\"error\":3}",
            "{\"id\":-1}",
        ] {
            assert!(answer(odd).is_err(), "{odd}");
        }
    }
}
