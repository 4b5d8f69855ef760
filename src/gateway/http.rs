//! Requests: who may ask, what is asked, and how it is answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::admit::{self, Who};
use super::call::{AWAKE, Desk, Done};
use super::dialect::{Dialect, Reply};
use super::mind::{Mind, Minds, read};
use super::relay::Relay;
use super::{Asked, Refused, lightning, otlp};
use crate::store::{REWARD, Store, now_ms};

/// How long the bytes of a request may take to come.
const ARRIVING: Duration = Duration::from_secs(30);

/// What every request needs.
#[derive(Clone)]
pub(super) struct Shop {
    pub desk: Arc<Desk>,
    /// The sessions that may ask.
    pub keys: Arc<Vec<String>>,
    /// What a request may name as its host.
    pub own: Arc<Vec<String>>,
    /// Whether other machines may ask: by its number then, which no web page can pretend.
    pub open: bool,
}

/// A request, whatever it asks.
pub(super) async fn handle(State(shop): State<Shop>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_string();
    let query = parts.uri.query().unwrap_or_default();
    let (below, route) = parted(&path);
    let dialect = match route.as_str() {
        "/messages" | "/messages/count_tokens" => Dialect::Messages,
        "/responses" => Dialect::Responses,
        "/completions" => Dialect::Completions,
        _ => Dialect::Chat,
    };
    let answer = async {
        admit::hosted(&parts.headers, &shop.own, shop.open)?;
        let known = |name: &str| shop.keys.iter().any(|key| key == name);
        let who = admit::who(&parts.headers, below.as_deref(), known)?;
        if parts.method == Method::GET {
            return shop.look(&who, &route, query).await;
        }
        if parts.method != Method::POST {
            return Err(Refused::with(405, "GET and POST are answered"));
        }
        if route == TRACES {
            return shop.traced(&who, &parts.headers, body).await;
        }
        let body = shop.body(&parts.headers, body).await?;
        shop.post(who, &route, dialect, body).await
    };
    answer.await.unwrap_or_else(|refused| refusal(dialect, &refused))
}

/// Where spans are told.
const TRACES: &str = "/traces";

/// The session below the key's that a path names, and the route: `/s/NAME/v1/…`, or as Agent Lightning
/// 1.0 has it, `/proxy/rollout/ROLLOUT/attempt/ATTEMPT/mode/MODE/openai/v1/…` and
/// `/api/rollouts/ROLLOUT/attempt/ATTEMPT/events`.
fn parted(path: &str) -> (Option<String>, String) {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (below, rest) = match &parts[..] {
        ["s", name, "s", below, rest @ ..] => (Some(format!("{name}/{below}")), rest),
        ["s", name, rest @ ..] => (Some((*name).to_string()), rest),
        ["proxy", "rollout", rollout, "attempt", attempt, "mode", _, "openai", rest @ ..]
        | ["api", "rollouts", rollout, "attempt", attempt, rest @ ..] => {
            (Some(lightning::session(rollout, attempt)), rest)
        }
        rest => (None, rest),
    };
    let rest = if let ["v1", rest @ ..] = rest { rest } else { rest };
    (below, format!("/{}", rest.join("/")))
}

/// The bytes of a request, as many as may be and as fast as they have to come.
async fn arrived(body: Body, limit: usize) -> Result<Bytes, Refused> {
    match timeout(ARRIVING, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Refused::with(413, format!("a request has at most {limit} bytes"))),
        Err(_) => Err(Refused::with(408, "the request did not come to its end")),
    }
}

/// Values that a request may have: each takes a hundred times the byte that it may be written in.
const VALUES: usize = 500_000;

/// A longer body than this is read aside: others are answered meanwhile.
const LONG: usize = 64 << 10;

/// Refuses a text of more values than there is room for.
fn within(bytes: &[u8]) -> Result<(), Refused> {
    let (mut inside, mut escaped, mut values) = (false, false, 0);
    for byte in bytes {
        match byte {
            b'"' if !escaped => inside = !inside,
            b',' | b'[' | b'{' if !inside => values += 1,
            _ => {}
        }
        escaped = inside && *byte == b'\\' && !escaped;
    }
    if values > VALUES {
        return Err(Refused::with(413, format!("a request has at most {VALUES} values")));
    }
    Ok(())
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refused> {
    within(bytes)?;
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(Refused::bad("the body is no JSON object")),
        Err(error) => Err(Refused::bad(format!("the body is not JSON: {error}"))),
    }
}

fn refusal(dialect: Dialect, refused: &Refused) -> Response {
    let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(dialect.refusal(refused))).into_response();
    if let Some(seconds) = refused.after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

impl Shop {
    /// The bytes of a request, within what all that are read at once may take, and as they are read.
    async fn bytes<T: Send + 'static>(
        &self,
        headers: &HeaderMap,
        body: Body,
        read: impl FnOnce(&[u8]) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let limit = self.desk.limits.body;
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length = length.and_then(|value| value.parse::<usize>().ok()).unwrap_or(limit);
        if length > limit {
            return Err(Refused::with(413, format!("a request has at most {limit} bytes")));
        }
        let room = self.desk.bodies.acquire_many((length >> 10) as u32 + 1);
        let full = || Refused::busy("more requests are being read than there is room for");
        let _room = timeout(ARRIVING, room).await.map_err(|_| full())?.map_err(|_| full())?;
        let bytes = arrived(body, limit).await?;
        if bytes.len() <= LONG {
            return read(&bytes);
        }
        let read = tokio::task::spawn_blocking(move || read(&bytes)).await;
        read.map_err(|_| Refused::with(500, "the request could not be read"))?
    }

    /// The body of a request.
    async fn body(&self, headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Refused> {
        self.bytes(headers, body, object).await
    }

    /// Rewards that are told as spans: of the session that the path or a header names, or else of the
    /// attempt that they name themselves.
    async fn traced(
        &self,
        who: &Who,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, Refused> {
        if headers.contains_key(header::CONTENT_ENCODING) {
            return Err(Refused::with(415, "spans are taken as they are, not compressed"));
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let as_json = kind.is_some_and(|kind| kind.starts_with("application/json"));
        let read = move |bytes: &[u8]| {
            if as_json {
                within(bytes)?;
            }
            otlp::rewards(bytes, as_json)
        };
        let said = self.bytes(headers, body, read).await?;
        let session = |attempt: Option<(String, String)>| match attempt {
            Some((rollout, attempt)) if !who.session.contains('/') => {
                if !admit::is_name(&rollout) || !admit::is_name(&attempt) {
                    return Err(Refused::bad("a rollout's name has letters, digits, - and _"));
                }
                Ok(format!("{}/{}", who.session, lightning::session(&rollout, &attempt)))
            }
            _ => Ok(who.session.clone()),
        };
        // All of them are looked at before any is written.
        let told: Vec<(String, f64)> = said
            .into_iter()
            .map(|one| Ok((session(one.attempt)?, one.reward)))
            .collect::<Result<_, Refused>>()?;
        for (session, reward) in told {
            let body = json!({"reward": reward, "source": "a span"});
            self.desk.writer.event(&session, (REWARD, Some(reward)), body).await?;
        }
        // An answer of no fields is no byte in the one form.
        let (kind, body) =
            if as_json { ("application/json", "{}") } else { ("application/x-protobuf", "") };
        Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
    }

    /// What only looks.
    async fn look(&self, who: &Who, route: &str, query: &str) -> Result<Response, Refused> {
        let parts: Vec<&str> = route.trim_start_matches('/').split('/').collect();
        if let ["api", "rollouts", rollout, "events"] = parts[..] {
            return self.events(who, rollout, query).await;
        }
        match route {
            "/models" => {
                let names = read(&self.desk.minds, Minds::names);
                let one = |name: &String| json!({"id": name, "object": "model", "created": 0, "owned_by": "foretaste"});
                let list: Vec<Value> = names.iter().map(one).collect();
                Ok(axum::Json(json!({"object": "list", "data": list})).into_response())
            }
            _ => Err(nowhere(route)),
        }
    }

    async fn post(
        &self,
        who: Who,
        route: &str,
        dialect: Dialect,
        body: Map<String, Value>,
    ) -> Result<Response, Refused> {
        match route {
            "/chat/completions" | "/completions" | "/responses" | "/messages" => {
                let asked = self.desk.with_before(&who, dialect.read(body)?)?;
                self.ask(who, asked).await
            }
            "/messages/count_tokens" => {
                let count = Relay::count(&dialect.read(body)?);
                Ok(axum::Json(json!({"input_tokens": count})).into_response())
            }
            "/embeddings" => {
                let relay = read(&self.desk.minds, Minds::relay);
                match relay.as_deref().and_then(Mind::relay) {
                    Some(relay) => Ok(axum::Json(relay.embeddings(body).await?).into_response()),
                    None => Err(Refused::with(404, "no endpoint answers here that could embed")),
                }
            }
            "/reward" => {
                let value =
                    body.get("reward").or_else(|| body.get("value")).and_then(Value::as_f64);
                let value = value.filter(|value| value.is_finite());
                let value = value.ok_or_else(|| Refused::bad("reward: not a number"))?;
                self.event(&who, (REWARD, Some(value)), body).await
            }
            "/events" => {
                let (kind, value, data) = lightning::event(&body)?;
                let written = self.desk.writer.event(&who.session, (&kind, value), data.clone());
                written.await?;
                let below = who.session.split_once('/').map_or("", |(_, below)| below);
                let (rollout, attempt) = below.split_once('/').unwrap_or((below, ""));
                let told = json!({"event_type": kind, "rollout_id": rollout, "attempt_id": attempt,
                    "timestamp": now_ms() as f64 / 1000.0, "data": data});
                Ok(axum::Json(told).into_response())
            }
            "/world" => {
                let named = |field: &str| body.get(field).is_some_and(Value::is_string);
                if !named("suite") || !named("task") {
                    return Err(Refused::bad("suite: which world it is; task: which game"));
                }
                self.event(&who, ("world", None), body).await
            }
            _ => Err(nowhere(route)),
        }
    }

    /// What came of a rollout, as its trainer asks for it.
    async fn events(&self, who: &Who, rollout: &str, query: &str) -> Result<Response, Refused> {
        let wanted = lightning::Wanted::of(query)?;
        let root = read(&self.desk.minds, |minds| minds.store().root().to_path_buf());
        let (key, rollout) = (who.session.clone(), rollout.to_string());
        let looked = tokio::task::spawn_blocking(move || {
            let found = lightning::events(&Store::open(&root)?, (&key, &rollout), &wanted)?;
            Ok::<_, crate::error::Error>(found)
        });
        let failed = |why: String| Refused::with(500, why);
        let looked = looked.await.map_err(|e| failed(e.to_string()))?;
        let found = looked.map_err(|e| failed(e.message().to_string()))?;
        let gone = || Refused::with(404, "there is no such rollout");
        Ok(axum::Json(found.ok_or_else(gone)?).into_response())
    }

    async fn event(
        &self,
        who: &Who,
        what: (&str, Option<f64>),
        body: Map<String, Value>,
    ) -> Result<Response, Refused> {
        let id = self.desk.writer.event(&who.session, what, Value::Object(body)).await?;
        Ok(axum::Json(json!({"id": id, "session": who.session})).into_response())
    }

    /// Answers, whole or as a stream. A stream begins at once when the answer is there, else after a
    /// while, and is kept awake until it is.
    async fn ask(&self, who: Who, asked: Asked) -> Result<Response, Refused> {
        let (desk, stream_asked) = (Arc::clone(&self.desk), asked.stream);
        // Whoever hangs up has asked all the same: what was answered is written down.
        let answering = tokio::spawn(async move {
            let done = desk.answer(&who, &asked).await;
            (asked, done)
        });
        let gone = || Refused::with(500, "the call broke off");
        if !stream_asked {
            let (asked, done) = answering.await.map_err(|_| gone())?;
            return Ok(axum::Json(asked.dialect.whole(&reply(&asked, &done?))).into_response());
        }
        let mut answer = answering;
        let events = if let Ok(answered) = timeout(AWAKE, &mut answer).await {
            let (asked, done) = answered.map_err(|_| gone())?;
            let events = stream(&asked, Ok(done?));
            futures::future::Either::Left(futures::stream::iter(events))
        } else {
            let late = async move {
                let events = match answer.await {
                    Ok((asked, done)) => stream(&asked, done),
                    Err(_) => Vec::new(),
                };
                futures::stream::iter(events)
            };
            futures::future::Either::Right(futures::FutureExt::flatten_stream(late))
        };
        Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(AWAKE)).into_response())
    }
}

fn nowhere(route: &str) -> Refused {
    Refused::with(
        404,
        format!(
            "there is no {route} here: chat/completions, completions, responses, messages, models, embeddings, reward, world, traces"
        ),
    )
}

fn reply<'a>(asked: &'a Asked, done: &'a Done) -> Reply<'a> {
    Reply { asked, answered: &done.answered, call: done.call, now: now_ms() / 1000 }
}

/// The events of a stream, a failure among them where it has begun already.
fn stream(
    asked: &Asked,
    done: Result<Done, Refused>,
) -> Vec<std::result::Result<SseEvent, Infallible>> {
    let event = |(name, said): (Option<&str>, Value)| {
        let event = SseEvent::default().data(said.to_string());
        Ok(match name {
            Some(name) => event.event(name),
            None => event,
        })
    };
    match done {
        Ok(done) => {
            let events = asked.dialect.events(&reply(asked, &done)).into_iter().map(event);
            let end = asked.dialect.is_done_said().then(|| Ok(SseEvent::default().data("[DONE]")));
            events.chain(end).collect()
        }
        Err(refused) => vec![event((Some("error"), asked.dialect.refusal(&refused)))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_session_in_either_way() {
        for (path, below, route) in [
            ("/v1/chat/completions", None, "/chat/completions"),
            ("/chat/completions", None, "/chat/completions"),
            ("/s/ep1/v1/messages", Some("ep1"), "/messages"),
            ("/s/trial/s/ep1/v1/messages", Some("trial/ep1"), "/messages"),
            (
                "/proxy/rollout/r7/attempt/a1/mode/train/openai/v1/chat/completions",
                Some("r7/a1"),
                "/chat/completions",
            ),
            ("/api/rollouts/r7/attempt/a1/events", Some("r7/a1"), "/events"),
            ("/api/rollouts/r7/events", None, "/api/rollouts/r7/events"),
            ("/s/ep1", Some("ep1"), "/"),
            ("/", None, "/"),
        ] {
            assert_eq!(parted(path), (below.map(str::to_string), route.to_string()), "{path}");
        }
    }
}
