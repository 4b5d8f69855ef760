//! Many episodes at once against an endpoint that answers each question in a time of its own: how many
//! questions a second, and what of the processor they take here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{cpu_s, failed, rss_mb, stub, thread_cpu_s};
use crate::agent::endpoint::Profile;
use crate::agent::minds::Named;
use crate::agent::{Agent, connect};
use crate::control::Control;
use crate::env::Suite;
use crate::episode::{Episode, Play, Player, Told, roll_out, together};
use crate::error::{Error, Result};
use crate::experience::Purpose;
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

/// What the endpoint saw.
#[derive(Debug, Default)]
struct Seen {
    asked: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// An endpoint that plays badly and is as slow as it is told to be.
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
    let app =
        Router::new().route("/v1/chat/completions", post(answer)).route("/v1/models", get(models));
    Ok(format!("{}/v1", stub::serve(app)?))
}

/// Plays all games; seconds, steps, and processor seconds without the endpoint's.
fn played(
    suite: &dyn Suite,
    options: &Options,
    (agent, apart): (&mut dyn Agent, bool),
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
    let ours = || cpu_s().zip(thread_cpu_s(stub::THREAD)).map(|(all, stub)| all - stub);
    let before = ours();
    let play_out = if apart { roll_out } else { together };
    play_out(agent, &mut begin, options.at_once, play, control, &mut |told| {
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
    let (reflections, prompts, tokens_of) = (None, None, None);
    let named = Named { name: "stub".into(), profile, reflections, prompts, tokens_of };
    let mut agent = connect(folder.path(), named)?;
    let (seconds, steps, cpu) = played(suite, options, (&mut agent, true), control)?;
    let most = seen.most.load(Ordering::Relaxed);
    let (waiting, same, _) = played(suite, options, (&mut agent, false), control)?;
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
        "together_questions_s": steps as f64 / waiting,
        "rss_mb": rss_mb(),
    }))
}
