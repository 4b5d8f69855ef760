//! A mind that says what it was told to say: it may score or not, take its time, fail now and then,
//! and be stopped.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use foretaste::agent::{Agent, Among, Ask, Can, Case, Completion, Each, Reflector, Scores, Usage};
use foretaste::control::Cancel;
use foretaste::error::{Error, Result};
use foretaste::experience::State;
use foretaste::model::sampler::Sampling;

type Says = Box<dyn Fn(&State, Option<&str>, u64) -> String + Send>;
type Thinks = Box<dyn Fn(&State, u64) -> String + Send>;
type Scoring = Box<dyn Fn(&State, Option<&str>, &str) -> f64 + Send>;
type Foresees = Box<dyn Fn(&State, &str) -> Result<String> + Send>;

/// See the module.
pub struct Scripted {
    name: String,
    says: Says,
    thinks: Thinks,
    scores: Option<Scoring>,
    foresees: Foresees,
    /// How long each ask takes, and every which of them fails.
    delay: Duration,
    fails: Option<u64>,
    at_once: usize,
    reads: usize,
    usage: Usage,
    /// Thoughts that came before what it was asked to do, in order, and how many texts it wrote.
    pub heard: Arc<Mutex<Heard>>,
}

/// What a scripted mind was asked.
#[derive(Debug, Default)]
pub struct Heard {
    /// The thought before each ask to act.
    pub thoughts: Vec<Option<String>>,
    /// Texts that it wrote.
    pub texts: usize,
}

#[allow(dead_code, reason = "not every suite needs all of it")]
impl Scripted {
    /// One that writes what `says` makes of state, thought and seed; it cannot score, thinks
    /// nothing and foresees nothing.
    pub fn says(says: impl Fn(&State, Option<&str>, u64) -> String + Send + 'static) -> Self {
        Self {
            name: "scripted".into(),
            says: Box::new(says),
            thinks: Box::new(|_, _| String::new()),
            scores: None,
            foresees: Box::new(|_, _| Ok(String::new())),
            delay: Duration::ZERO,
            fails: None,
            at_once: 4,
            reads: usize::MAX,
            usage: Usage::default(),
            heard: Arc::default(),
        }
    }

    /// One that says these, step by step, and gives them all probability where it scores.
    pub fn script(lines: &[&'static str]) -> Self {
        let at = |lines: &[&'static str], state: &State| lines[state.history.len() % lines.len()];
        let own = lines.to_vec();
        let lines = lines.to_vec();
        let says = Self::says(move |state, _, _| at(&own, state).to_string());
        says.scores(move |state, _, action| if action == at(&lines, state) { 0.0 } else { -9.0 })
    }

    pub fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    pub fn thinks(self, thinks: impl Fn(&State, u64) -> String + Send + 'static) -> Self {
        Self { thinks: Box::new(thinks), ..self }
    }

    pub fn scores(
        self,
        scores: impl Fn(&State, Option<&str>, &str) -> f64 + Send + 'static,
    ) -> Self {
        Self { scores: Some(Box::new(scores)), ..self }
    }

    pub fn foresees(
        self,
        foresees: impl Fn(&State, &str) -> Result<String> + Send + 'static,
    ) -> Self {
        Self { foresees: Box::new(foresees), ..self }
    }

    /// Takes so long for each ask, and looks whether it is still wanted.
    pub fn slow(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Fails at every ask of that number.
    pub fn failing(self, every: u64) -> Self {
        Self { fails: Some(every), ..self }
    }

    pub fn without_scores(self) -> Self {
        Self { scores: None, ..self }
    }

    /// Reads first observations of so many bytes.
    pub fn reading(self, reads: usize) -> Self {
        Self { reads, ..self }
    }

    fn ask(&mut self, asks: usize, cancel: &Cancel) -> Result<()> {
        for _ in 0..asks {
            self.usage.asks += 1;
            let until = Instant::now() + self.delay;
            while Instant::now() < until {
                cancel.check()?;
                std::thread::sleep(Duration::from_millis(1));
            }
            if self.fails.is_some_and(|every| self.usage.asks.is_multiple_of(every)) {
                return Err(Error::new("the mind is tired").hint("ask it again"));
            }
        }
        cancel.check()
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }
}

fn completion(text: String) -> Completion {
    Completion { text, ended: true, ..Completion::default() }
}

impl Agent for Scripted {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn can(&self) -> Can {
        let scores = if self.scores.is_some() { Scores::Exact } else { Scores::None };
        Can { scores, tokens: false, context: None, at_once: self.at_once }
    }

    fn usage(&self) -> Usage {
        self.usage
    }

    fn reads(&self, state: &State) -> Result<bool> {
        Ok(state.observation.len() <= self.reads)
    }

    fn act(
        &mut self,
        asks: &[Ask<'_>],
        _: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        self.ask(asks.len(), cancel)?;
        let mut heard = self.heard();
        heard.thoughts.extend(asks.iter().map(|ask| ask.thought.map(str::to_string)));
        heard.texts += asks.iter().map(|ask| ask.seeds.len()).sum::<usize>();
        drop(heard);
        let one = |ask: &Ask<'_>| {
            let said =
                ask.seeds.iter().map(|seed| completion((self.says)(ask.state, ask.thought, *seed)));
            said.collect()
        };
        Ok(asks.iter().map(one).collect())
    }

    fn think(
        &mut self,
        asks: &[Ask<'_>],
        _: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        self.ask(asks.len(), cancel)?;
        let one = |ask: &Ask<'_>| {
            ask.seeds.iter().map(|seed| completion((self.thinks)(ask.state, *seed))).collect()
        };
        Ok(asks.iter().map(one).collect())
    }

    fn score(&mut self, asks: &[Among<'_>], cancel: &Cancel) -> Result<Option<Vec<Vec<f64>>>> {
        if self.scores.is_none() {
            return Ok(None);
        }
        self.ask(asks.len(), cancel)?;
        let Some(scores) = &self.scores else { return Ok(None) };
        let one = |ask: &Among<'_>| {
            ask.actions.iter().map(|action| scores(ask.state, ask.thought, action)).collect()
        };
        Ok(Some(asks.iter().map(one).collect()))
    }

    fn predict(
        &mut self,
        asks: &[Among<'_>],
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Result<Vec<Vec<String>>> {
        self.ask(asks.len(), cancel)?;
        let mut all = Vec::with_capacity(asks.len());
        for (i, ask) in asks.iter().enumerate() {
            let texts = ask.actions.iter().map(|action| (self.foresees)(ask.state, action));
            let texts: Vec<String> = texts.collect::<Result<_>>()?;
            texts.iter().enumerate().for_each(|(action, text)| each(i, action, text));
            all.push(texts);
        }
        Ok(all)
    }

    fn given(&self, state: &State, thought: Option<&str>) -> Result<String> {
        Ok(format!("{} {} {thought:?}", state.task, state.history.len()))
    }
}

impl Reflector for Scripted {
    fn generator(&self) -> String {
        format!("{}{}", foretaste::experience::RATIONALE, self.name)
    }

    fn sees_outcomes(&self) -> bool {
        false
    }

    fn reflect(
        &mut self,
        cases: &[(&Case, u64)],
        _: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<String>> {
        self.ask(cases.len(), cancel)?;
        Ok(cases.iter().map(|(case, seed)| (self.thinks)(&case.state, *seed)).collect())
    }
}
