//! The gateway under load: many agents call an endpoint that takes a known time, once by itself and
//! once through the gateway, in turns.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use futures::future::join_all;
use serde_json::{Value, json};

use super::{cpu_s, failed, median, quantile, rss_mb, stub};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::gateway::{Gateway, Limits, Minds, Route};
use crate::store::{Called, Store};

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Agents that call at once.
    pub agents: usize,
    /// Calls of each.
    pub calls: usize,
    /// Milliseconds that the endpoint takes.
    pub delay_ms: u64,
    /// As streams.
    pub stream: bool,
}

/// Turns of both ways.
const TURNS: usize = 3;

/// Calls of one agent alone, each turn: what its slowest hundredth is, hundreds are needed to say.
const ALONE: usize = 300;

/// An endpoint that answers after a while.
fn endpoint(delay: Duration) -> Result<String> {
    let answer = move || async move {
        tokio::time::sleep(delay).await;
        let message =
            json!({"role": "assistant", "content": "You take the mug 1 from the desk 2."});
        let usage = json!({"prompt_tokens": 200, "completion_tokens": 9});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        axum::Json(
            json!({"object": "chat.completion", "model": "stub", "choices": [choice], "usage": usage}),
        )
    };
    stub::serve(Router::new().route("/v1/chat/completions", post(answer)))
}

/// A conversation of an agent at its `n`th call: it grows as it goes on.
fn asked(agent: usize, n: usize, stream: bool) -> String {
    let mut messages =
        vec![json!({"role": "system", "content": format!("You are agent {agent}.")})];
    for turn in 0..=n % 20 {
        messages.push(
            json!({"role": "user", "content": format!("Game {}: you see a desk {turn}.", n / 20)}),
        );
        messages
            .push(json!({"role": "assistant", "content": "You take the mug 1 from the desk 2."}));
    }
    messages.pop();
    json!({"model": "stub", "messages": messages, "stream": stream}).to_string()
}

/// Has all agents call; what each call took, in milliseconds.
fn load(url: &str, options: &Options, calls: usize, cancel: &Cancel) -> Result<Vec<f64>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| failed("the agents", e))?;
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
    let client = client.map_err(|e| failed("the agents", e))?;
    let one = async |agent: usize| -> Result<Vec<f64>> {
        let mut took = Vec::with_capacity(calls);
        for n in 0..calls {
            cancel.check()?;
            let began = Instant::now();
            let request = client
                .post(format!("{url}/v1/chat/completions"))
                .header("authorization", format!("Bearer fk-load.a{agent}"))
                .body(asked(agent, n, options.stream));
            let reply = request.send().await.map_err(|e| failed("a call", e))?;
            let status = reply.status();
            let text = reply.text().await.map_err(|e| failed("a call", e))?;
            if !status.is_success() || !text.contains("mug 1") {
                return Err(Error::new(format!("a call was answered {status}: {text}")));
            }
            took.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(took)
    };
    let all = runtime.block_on(join_all((0..options.agents).map(one)));
    let mut took = all.into_iter().collect::<Result<Vec<_>>>()?.concat();
    took.sort_unstable_by(f64::total_cmp);
    Ok(took)
}

/// Measures. The agents themselves run in this process too and take their part of the machine.
pub fn run(options: &Options, cancel: &Cancel) -> Result<Value> {
    let delay = Duration::from_millis(options.delay_ms);
    let behind = endpoint(delay)?;
    let folder = tempfile::tempdir().map_err(|e| failed("a folder", e))?;
    let mut store = Store::open(folder.path())?;
    store.open_session("load")?;
    let mut minds = Minds::new(Store::open(folder.path())?, None);
    minds.route(Route::parse(&format!("{behind}/v1#stub"))?)?;
    let limits = Limits::default();
    let gateway = Gateway::start((IpAddr::V4(Ipv4Addr::LOCALHOST), 0), store, minds, limits)?;
    let through = format!("http://{}", gateway.address);
    let (mut direct, mut ours, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    let plain = Options { stream: false, ..*options };
    let each = options.calls.div_ceil(TURNS);
    let cpu = cpu_s();
    for _ in 0..TURNS {
        direct.extend(load(&behind, &plain, each, cancel)?);
        let began = Instant::now();
        ours.extend(load(&through, options, each, cancel)?);
        seconds.push(began.elapsed().as_secs_f64());
    }
    // One agent alone: what a call takes that waits for nobody.
    let one = Options { agents: 1, ..plain };
    direct.sort_unstable_by(f64::total_cmp);
    ours.sort_unstable_by(f64::total_cmp);
    let through_alone = Options { stream: options.stream, ..one };
    let (mut alone_direct, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        alone_direct.extend(load(&behind, &one, ALONE, cancel)?);
        alone.extend(load(&through, &through_alone, ALONE, cancel)?);
    }
    alone_direct.sort_unstable_by(f64::total_cmp);
    alone.sort_unstable_by(f64::total_cmp);
    let kept = Store::open(folder.path())?.calls(&Called::default())?.len();
    let made = ours.len() + alone.len();
    Ok(json!({
        "agents": options.agents,
        "calls": ours.len(),
        "lost": made - kept,
        "calls_s": (options.agents * each) as f64 / median(seconds),
        "direct_p50_ms": quantile(&direct, 0.5),
        "direct_p99_ms": quantile(&direct, 0.99),
        "gateway_p50_ms": quantile(&ours, 0.5),
        "gateway_p99_ms": quantile(&ours, 0.99),
        "alone_direct_p50_ms": quantile(&alone_direct, 0.5),
        "alone_direct_p99_ms": quantile(&alone_direct, 0.99),
        "alone_gateway_p50_ms": quantile(&alone, 0.5),
        "alone_gateway_p99_ms": quantile(&alone, 0.99),
        "rss_mb": rss_mb(),
        "cpu_s": cpu.zip(cpu_s()).map(|(before, now)| now - before),
    }))
}
