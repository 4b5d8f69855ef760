//! One line to a world process: a question, an answer, under a time and under the cancel of whoever
//! asks. What is wrong with it ends it, with everything that lives behind it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::process::{Heard, LOOK, Process};
use super::said::{self, Hello, PROTOCOL};
use super::spec::Spec;
use crate::budget;
use crate::error::{Error, Kind, Result};
use crate::text;

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
    /// what is no answer: it is ended then, for nobody knows what it made.
    pub fn ask<T: DeserializeOwned>(&self, op: &str, fields: Value) -> Result<T> {
        let mut speaking = self.take()?;
        let answered = self.exchange(&mut speaking, op, fields);
        let answered = match answered {
            Ok(Ok(answer)) => said::read(op, answer).map(Ok).map_err(|error| error.at(&self.name)),
            Ok(Err(cannot)) => Ok(Err(cannot)),
            Err(ended) => Err(ended),
        };
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
        answered
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
            // The answer that comes late is passed over then.
            if budget::is_cancelled() {
                return Ok(Err(Error::cancelled()));
            }
            if Instant::now() >= until {
                let waited = self.patience.as_secs();
                return Err(ended(to, &format!("no answer to `{op}` within {waited} s")).hint(
                    "a [worlds.NAME] of config.toml may give it longer: timeout_s, start_s",
                ));
            }
            match to.process.heard.recv_timeout(LOOK) {
                Ok(Heard::Line(line)) => {
                    match answer_to(to.id, &line).map_err(|what| ended(to, &what))? {
                        Answer::Late(world) => locked(&self.dropped).extend(world),
                        Answer::Given(answer) => return Ok(Ok(answer)),
                        Answer::Cannot(what) => {
                            let what = Error::new(format!("{}: {what}", self.name));
                            return Ok(Err(what.of(Kind::World)));
                        }
                    }
                }
                Ok(Heard::Ended(how)) => return Err(ended(to, &how)),
                Err(RecvTimeoutError::Disconnected) => return Err(ended(to, "it ended")),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// What a line is.
#[derive(Debug, PartialEq)]
enum Answer {
    /// The answer.
    Given(Value),
    /// That it cannot, and why.
    Cannot(String),
    /// The answer to an earlier question that nobody waited for; the world that it made.
    Late(Option<String>),
}

/// An `error` has at most so many characters.
const ERROR: usize = 500;

/// What a line answers to question `id`.
fn answer_to(id: u64, line: &str) -> Result<Answer, String> {
    let short = || text::clean(line.trim()).chars().take(80).collect::<String>();
    let mut answer: serde_json::Map<String, Value> = serde_json::from_str(line).map_err(|why| {
        format!(
            "it wrote `{}`, which is no JSON object ({why}); what a world prints goes to standard \
                 error",
            short()
        )
    })?;
    match answer.shift_remove("id").and_then(|its| its.as_u64()) {
        Some(its) if its == id => {}
        Some(its) if its < id => {
            let world = answer.get("world").and_then(Value::as_str).map(str::to_string);
            return Ok(Answer::Late(world));
        }
        _ => return Err(format!("it answered a question that was not asked: `{}`", short())),
    }
    match answer.shift_remove("error") {
        None => Ok(Answer::Given(Value::Object(answer))),
        Some(Value::String(why)) => {
            let words = why.split_whitespace().collect::<Vec<_>>().join(" ");
            Ok(Answer::Cannot(text::clean(&words).chars().take(ERROR).collect()))
        }
        Some(_) => Err("its `error` is no text".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_to_the_question_that_was_asked() {
        let answer = |line: &str| answer_to(7, line);
        assert_eq!(answer("{\"id\":7,\"hash\":\"a\"}"), Ok(Answer::Given(json!({"hash": "a"}))));
        assert_eq!(answer("{\"id\":6,\"hash\":\"a\"}"), Ok(Answer::Late(None)), "an earlier one");
        assert_eq!(answer("{\"id\":6,\"world\":\"w\"}"), Ok(Answer::Late(Some("w".into()))));
        assert_eq!(
            answer("{\"id\":7,\"error\":\"no\\n way\"}"),
            Ok(Answer::Cannot("no way".into()))
        );
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
