//! Many episodes at once against an endpoint that answers each question in a time of its own: how many
//! questions a second, and what of the processor they take here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{cpu_s, rss_mb, thread_cpu_s};
use crate::agent::endpoint::Profile;
use crate::agent::minds::Named;
use crate::agent::{Agent, Among, Ask, Can, Case, Completion, Each, Reflector, Usage, connect};
use crate::control::{Cancel, Control};
use crate::env::Suite;
use crate::episode::{Episode, Play, Player, Told, roll_out};
use crate::error::{Error, Result};
use crate::experience::{Purpose, State};
use crate::model::sampler::Sampling;
use crate::rng::Rng;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// The split.
    pub split: String,
    /// Games.
    pub games: usize,
    /// Games under way at once, and questions.
    pub at_once: usize,
    /// Steps of a game at most.
    pub limit: usize,
    /// Milliseconds that an answer takes on average; each is drawn (exponentially, eight times that at
    /// most).
    pub delay_ms: u64,
}

/// The thread of the endpoint, whose work is none of ours.
const STUB: &str = "stub";

fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(format!("{what}: {error}"))
}

/// What the endpoint saw.
#[derive(Debug, Default)]
struct Seen {
    asked: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// An endpoint that plays badly and is as slow as it is told to be, on a thread of its own that ends
/// with this process.
fn endpoint(delay: Duration, seen: &Arc<Seen>) -> Result<String> {
    let seen = Arc::clone(seen);
    let answer = move || {
        let seen = Arc::clone(&seen);
        async move {
            let n = seen.asked.fetch_add(1, Ordering::Relaxed);
            let now = seen.now.fetch_add(1, Ordering::Relaxed) + 1;
            seen.most.fetch_max(now, Ordering::Relaxed);
            let drawn = -Rng::stream(n as u64, "delay").unit().max(1e-9).ln();
            tokio::time::sleep(delay.mul_f64(drawn.min(8.0))).await;
            seen.now.fetch_sub(1, Ordering::Relaxed);
            let message = json!({"role": "assistant", "content": "<action>look</action>"});
            let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
            axum::Json(
                json!({"object": "chat.completion", "model": "stub", "choices": [choice], "usage": {"prompt_tokens": 200, "completion_tokens": 9}}),
            )
        }
    };
    let models = || async { axum::Json(json!({"data": [{"id": "stub"}]})) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| failed("the endpoint", e))?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)));
    let listener = listener.map_err(|e| failed("the endpoint", e))?;
    let url = listener.local_addr().map_err(|e| failed("the endpoint", e))?;
    let app =
        Router::new().route("/v1/chat/completions", post(answer)).route("/v1/models", get(models));
    let serve = move || {
        let _ = runtime.block_on(axum::serve(listener, app).into_future());
    };
    std::thread::Builder::new()
        .name(STUB.into())
        .spawn(serve)
        .map_err(|e| failed("the endpoint", e))?;
    Ok(format!("http://{url}/v1"))
}

/// The same mind, asked about all states together: every step waits for the slowest answer.
struct Together(Box<dyn Agent>);

impl Agent for Together {
    fn name(&self) -> String {
        self.0.name()
    }

    fn can(&self) -> Can {
        self.0.can()
    }

    fn usage(&self) -> Usage {
        self.0.usage()
    }

    fn act(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        self.0.act(asks, how, cancel)
    }

    fn think(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        self.0.think(asks, how, cancel)
    }

    fn score(&mut self, asks: &[Among<'_>], cancel: &Cancel) -> Result<Option<Vec<Vec<f64>>>> {
        self.0.score(asks, cancel)
    }

    fn predict(
        &mut self,
        asks: &[Among<'_>],
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Result<Vec<Vec<String>>> {
        self.0.predict(asks, cancel, each)
    }

    fn given(&self, state: &State, thought: Option<&str>) -> Result<String> {
        self.0.given(state, thought)
    }
}

impl Reflector for Together {
    fn generator(&self) -> String {
        self.0.generator()
    }

    fn sees_outcomes(&self) -> bool {
        self.0.sees_outcomes()
    }

    fn reflect(
        &mut self,
        cases: &[(&Case, u64)],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<String>> {
        self.0.reflect(cases, how, cancel)
    }
}

/// Plays all games; seconds, steps, and processor seconds without the endpoint's.
fn played(
    suite: &dyn Suite,
    options: &Options,
    agent: &mut dyn Agent,
    control: &Control,
) -> Result<(f64, usize, Option<f64>)> {
    let mut tasks = suite.tasks(&options.split)?;
    Rng::stream(1, "bench").shuffle(&mut tasks);
    let all = tasks.iter().cycle().take(options.games);
    let mut begin = all.map(|task| {
        let begun = Episode::open(suite, &options.split, &task.id, Purpose::Rollout, 1);
        let limited = begun.map(|mut episode| {
            episode.limit = episode.limit.min(options.limit);
            Player::new(episode, 1)
        });
        (task.id.clone(), limited)
    });
    let play = Play { temperature: 0.0, free: true, ..Play::default() };
    let (mut steps, began) = (0, Instant::now());
    let ours = || cpu_s().zip(thread_cpu_s(STUB)).map(|(all, stub)| all - stub);
    let before = ours();
    roll_out(agent, &mut begin, options.at_once, play, control, &mut |told| {
        if let Told::Ended(ended) = told {
            steps += ended.map_err(|broken| broken.why)?.trajectory.steps.len();
        }
        Ok(())
    })?;
    let cpu = ours().zip(before).map(|(after, before)| after - before);
    Ok((began.elapsed().as_secs_f64(), steps, cpu))
}

/// Measures, in turns: each game going on as its answers come, and all of them together.
pub fn run(suite: &dyn Suite, options: &Options, control: &Control) -> Result<Value> {
    if suite.tasks(&options.split)?.is_empty() {
        return Err(Error::new(format!("{} / {} has no games", suite.name(), options.split)));
    }
    let seen = Arc::new(Seen::default());
    let url = endpoint(Duration::from_millis(options.delay_ms), &seen)?;
    let folder = tempfile::tempdir().map_err(|e| failed("a folder", e))?;
    let profile = Profile { url, concurrency: options.at_once, ..Profile::default() };
    let named = Named { name: "stub".into(), profile, reflections: None, prompts: None };
    let mut flowing = connect(folder.path(), named.clone())?;
    let (seconds, steps, cpu) = played(suite, options, &mut flowing, control)?;
    let most = seen.most.swap(0, Ordering::Relaxed);
    let mut together = Together(Box::new(connect(folder.path(), named)?));
    let (apart, same, _) = played(suite, options, &mut together, control)?;
    if same != steps {
        return Err(Error::new(format!("{steps} steps in one way and {same} in the other")));
    }
    Ok(json!({
        "args": {"suite": suite.name(), "split": options.split, "games": options.games,
            "at_once": options.at_once, "limit": options.limit, "delay_ms": options.delay_ms},
        "questions": steps,
        "questions_s": steps as f64 / seconds,
        "under_way_at_most": most,
        "of_the_possible": steps as f64 / seconds * options.delay_ms as f64 / 1e3 / options.at_once as f64,
        "cpu_ms_a_question": cpu.map(|cpu| cpu * 1e3 / steps.max(1) as f64),
        "together_questions_s": steps as f64 / apart,
        "rss_mb": rss_mb(),
    }))
}
