//! A prompt tried on an agent of others: its program is run for every item with the gateway as its
//! address, and what its model is told as the system is the text that is tried.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::writer::Writer;
use super::{Item, Scored, Trial};
use crate::control::{Cancel, Control};
use crate::digest::{self, hex};
use crate::env::foreign::Errand;
use crate::error::{Error, Result};
use crate::gateway::{Gateway, Limits, Routed, TRIALS, stretches, told};
use crate::store::{Called, Store, WholeCall};
use crate::text::{counted, is_name};

/// Whose prompt it is, and how it is tried.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfAgent {
    /// The agent, as the gateway calls it.
    pub agent: String,
    /// The mind that answers it.
    pub mind: String,
    /// The mind that writes new texts, an endpoint.
    pub writer: String,
    /// The command of the shell that runs it once: `{item}` is the item's number, `{url}` the gateway's
    /// address without `/v1`, `{key}` its key.
    pub command: String,
    /// Commands that run at once.
    pub at_once: usize,
    /// Seconds that one may take.
    pub seconds: u64,
}

/// Messages of a conversation that are told to the writer, the last ones; and characters of each.
const TOLD: usize = 40;
const LONGEST: usize = 1500;

/// Between two looks at the cancel.
const LOOK: Duration = Duration::from_millis(50);

/// See the module.
pub struct Outside {
    store: Store,
    of: OfAgent,
    name: String,
    /// Items that texts are rewritten by: those for comparison are numbered on from there.
    train: usize,
    first: String,
    writer: Writer,
    control: Control,
}

impl Outside {
    /// Finds the agent, and who writes. `name` is what the optimisation goes by, and the session below
    /// which all trials are kept.
    pub fn new(
        store: Store,
        name: &str,
        of: OfAgent,
        train: usize,
        control: &Control,
    ) -> Result<Self> {
        if !of.command.contains("{item}") {
            return Err(Error::usage(format!("--trial {}: every item would be the same", of.command))
                .hint("{item} is the item's number, {url} and {key} how the gateway is reached: 'python agent.py {item} {url} {key}'"));
        }
        if !is_name(&of.agent) {
            return Err(Error::usage(format!("--agent {}: no agent is called so", of.agent)));
        }
        let first = store.called_agent(&of.agent)?.system;
        if first.trim().is_empty() {
            return Err(Error::usage(format!("{} has no system message", of.agent))
                .hint("what would be rewritten is what its model is told as the system"));
        }
        let writer = Writer::open(&store, &of.writer, control)?;
        let (name, control) = (format!("{TRIALS}{name}"), control.clone());
        Ok(Self { store, of, name, train, first, writer, control })
    }

    /// The text that is begun with: what the agent itself says.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The number of an item: those for comparison come after those that texts are rewritten by.
    fn number(&self, item: Item) -> usize {
        match item {
            Item::Train(i) => i + 1,
            Item::Validation(i) => self.train + i + 1,
        }
    }

    /// A session that nothing was said in yet.
    fn session(&self, text: &str, n: usize) -> Result<String> {
        let text = hex(digest::of([text]));
        for again in 1.. {
            let below = format!("{}-{n:04}-{again:03}", &text[..8.min(text.len())]);
            if self.store.sessions_from(&format!("{}/{below}", self.name))?.is_empty() {
                return Ok(below);
            }
        }
        Err(Error::new("no name is left for a session"))
    }

    /// What came of an item, by what was captured of it.
    fn scored(&self, below: &str, ended: &Ended) -> Result<Scored> {
        let (late, ended) = match ended {
            Ended::Itself(how) => (false, how.as_str()),
            Ended::Late => (true, ""),
        };
        let sessions = self.store.sessions_from(&format!("{}/{below}", self.name))?;
        let (mut worth, mut said, mut last) = (Vec::new(), Vec::new(), None);
        let agent = self.store.called_agent(&self.of.agent)?;
        let mut others: Vec<String> = Vec::new();
        for session in &sessions {
            worth.extend(stretches(&self.store, session)?.iter().map(|of| of.reward));
            for event in self.store.session_events(session)? {
                let words = ["feedback", "reason", "message"].into_iter();
                said.extend(
                    words.filter_map(|field| event.body[field].as_str()).map(str::to_string),
                );
            }
            let which = Called { session: Some(session.clone()), ..Called::default() };
            for call in self.store.calls(&which)? {
                if call.agent == agent.name {
                    last = Some(call.id);
                } else if !others.contains(&call.agent) {
                    others.push(call.agent.clone());
                }
            }
        }
        let Some(last) = last else {
            let who = match &others[..] {
                [] => "nobody did".to_string(),
                others => format!("{} did", others.join(", ")),
            };
            let what = format!("{} asked nothing in a trial ({who}){ended}", agent.name);
            return Err(Error::new(what)
                .hint("its command has to ask at {url}/v1 by the key {key}, or {key}.NAME"));
        };
        let whole = self.store.call(last)?;
        if late && worth.is_empty() {
            worth.push(0.0);
            said.push(format!("It was ended after {} s: it took too long.", self.of.seconds));
        }
        if worth.is_empty() {
            // The likely reason, where there is one.
            let why = whole.reply["error"].as_str();
            let why = why.map_or(String::new(), |why| format!("; its last question failed: {why}"));
            let what = format!("a trial ended, and nobody said what it was worth{ended}{why}");
            return Err(Error::new(what).hint("POST {url}/v1/reward with {\"reward\": 1}"));
        }
        let mean = worth.iter().sum::<f64>() / worth.len() as f64;
        if !(0.0..=1.0).contains(&mean) {
            return Err(Error::new(format!("a trial was said to be worth {mean}"))
                .hint("texts are compared by rewards between 0 (nothing) and 1 (a success)"));
        }
        let (input, output) = conversation(&whole);
        let mut feedback = vec![format!("It was worth {mean:.2} (1 is a success, 0 none).")];
        feedback.extend(said);
        if let Some(why) = whole.reply["error"].as_str() {
            feedback.push(format!("Its last question was not answered: {why}"));
        }
        Ok(Scored { score: mean, input, output, feedback: feedback.join("\n") })
    }
}

/// What an agent was asked, and what it did then, a message a line.
fn conversation(call: &WholeCall) -> (String, String) {
    let is = |message: &Value, role: &str| message["role"] == role;
    let all: Vec<&Value> = call
        .messages
        .iter()
        .chain(&call.answer)
        .filter(|message| !is(message, "system") && !is(message, "developer"))
        .collect();
    let cut = |text: String| match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    let at = all.iter().position(|message| is(message, "user")).unwrap_or_default();
    let input = all.get(at).map_or_else(String::new, |message| cut(told(message)));
    let rest = all.get(at + 1..).unwrap_or_default();
    let skipped = rest.len().saturating_sub(TOLD);
    let before = (skipped > 0).then(|| format!("({} before)", counted(skipped as u64, "message")));
    let line = |message: &&Value| {
        format!("{}: {}", message["role"].as_str().unwrap_or_default(), cut(told(message)))
    };
    let lines: Vec<String> = before.into_iter().chain(rest[skipped..].iter().map(line)).collect();
    (input, lines.join("\n"))
}

/// Runs a command to its end, or until it has had its time; how it ended, in words.
fn ran(command: &str, seconds: u64, cancel: &Cancel) -> Result<Ended> {
    let errand = Errand::start(command)?;
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(how) = errand.ended() {
            return Ok(Ended::Itself(how));
        }
        cancel.check()?;
        if Instant::now() > until {
            return Ok(Ended::Late);
        }
        std::thread::sleep(LOOK);
    }
}

/// How a command ended.
enum Ended {
    /// By itself, and how.
    Itself(String),
    /// It was ended after its time.
    Late,
}

impl Trial for Outside {
    fn run(
        &mut self,
        text: &str,
        items: &[Item],
        each: &mut dyn FnMut(usize, Scored) -> Result<()>,
    ) -> Result<()> {
        let root = self.store.root().to_path_buf();
        self.store.open_session(&self.name)?;
        let mut minds = Routed::open(&root, &[])?.minds()?;
        minds.tell(&self.of.agent, &self.of.mind, text)?;
        let here = (IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let gateway = Gateway::start(here, Store::open(&root)?, minds, Limits::default())?;
        let mut commands = Vec::with_capacity(items.len());
        for item in items {
            let n = self.number(*item);
            let below = self.session(text, n)?;
            let url = format!("http://{}/s/{below}", gateway.address);
            let command = self.of.command.replace("{item}", &n.to_string());
            let command = command.replace("{url}", &url);
            commands.push((below, command.replace("{key}", &format!("fk-{}", self.name))));
        }
        let (next, seconds) = (AtomicUsize::new(0), self.of.seconds);
        // Ends the others once one has failed, and all of them with the person's own.
        let ends = Cancel::default();
        std::thread::scope(|scope| {
            let (tell, told) = channel();
            for _ in 0..self.of.at_once.min(items.len()) {
                let (tell, next, commands, ends) = (tell.clone(), &next, &commands, ends.clone());
                scope.spawn(move || {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some((_, command)) = commands.get(at) else { return };
                        let ended = ran(command, seconds, &ends);
                        if tell.send((at, ended)).is_err() || ends.is_cancelled() {
                            return;
                        }
                    }
                });
            }
            drop(tell);
            let mut left = items.len();
            let mut work = || {
                while left > 0 {
                    self.control.cancel.check()?;
                    let (at, ended) = match told.recv_timeout(LOOK) {
                        Ok(said) => said,
                        Err(RecvTimeoutError::Timeout) => continue,
                        Err(RecvTimeoutError::Disconnected) => return Ok(()),
                    };
                    each(at, self.scored(&commands[at].0, &ended?)?)?;
                    left -= 1;
                }
                Ok(())
            };
            let done: Result<()> = work();
            ends.cancel();
            done
        })?;
        drop(gateway);
        // What is over opens nothing any more.
        self.store.close_session(&self.name)
    }

    fn rewrite(&mut self, request: &str) -> Result<String> {
        self.writer.write(request)
    }
}
