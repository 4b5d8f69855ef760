//! The routes, on a thread of their own.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast, oneshot};
use tokio::time::timeout;

use super::admit::{self, Who};
use super::call::{AWAKE, Desk, Done};
use super::dialect::{Dialect, Reply};
use super::mind::{Mind, Minds, Route, change, read};
use super::relay::Relay;
use super::writer::Writer;
use super::{Answered, Asked, Refused};
use crate::error::{Error, Kind, Result};
use crate::store::{NewCall, REWARD, Store, now_ms};

/// How much of everything there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls that are answered at once, and that wait for a place beside them.
    pub at_once: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// How long one waits for a place, and how long an answer may take.
    pub wait: Duration,
    /// How long an answer may take.
    pub answer: Duration,
    /// Bytes of a request.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 128,
            waiting: 1024,
            wait: Duration::from_secs(60),
            answer: Duration::from_secs(600),
            body: 32 << 20,
        }
    }
}

/// How long the bytes of a request may take to come.
const ARRIVING: Duration = Duration::from_secs(30);

/// A call that was written down, for who looks on.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Seen {
    /// Its number.
    pub call: i64,
    /// Its session.
    pub session: String,
    /// Who answered.
    pub mind: String,
    /// Tokens of the prompt and of the answer.
    pub tokens: (u64, u64),
    /// How long it took, in milliseconds.
    pub ms: i64,
    /// What was said, or why nothing was.
    pub said: String,
    /// Whether it was answered.
    pub answered: bool,
}

impl Seen {
    pub(super) fn of(new: &NewCall, answer: &std::result::Result<Answered, Refused>) -> Self {
        let said = match answer {
            Ok(answer) => super::said::line(&answer.message),
            Err(refused) => refused.message.clone(),
        };
        Self {
            call: 0,
            session: new.session.clone(),
            mind: new.mind.clone(),
            tokens: new.usage,
            ms: new.took.1,
            said,
            answered: answer.is_ok(),
        }
    }
}

/// The gateway while it listens. Dropped, it answers what it has begun and ends.
#[derive(Debug)]
pub struct Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    desk: Arc<Desk>,
    keys: Arc<RwLock<Vec<String>>>,
    seen: Mutex<broadcast::Receiver<Seen>>,
    ends: Option<oneshot::Sender<()>>,
    ended: Mutex<Receiver<()>>,
}

/// How long calls under way are waited for when the gateway ends.
const PARTING: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Shop {
    desk: Arc<Desk>,
    keys: Arc<RwLock<Vec<String>>>,
    own: Arc<Vec<String>>,
}

impl Gateway {
    /// Listens. `store` is where calls are written; the names of its keyed sessions open it.
    ///
    /// # Errors
    /// Where the address is taken.
    pub fn start(
        (host, port): (IpAddr, u16),
        store: Store,
        minds: Minds,
        limits: Limits,
    ) -> Result<Self> {
        let keys = Arc::new(RwLock::new(store.keys()?));
        let (told, seen) = broadcast::channel(1024);
        let desk = Arc::new(Desk {
            minds: Arc::new(Mutex::new(minds)),
            writer: Writer::start(store)?,
            limits,
            paused: AtomicBool::new(false),
            under_way: Semaphore::new(limits.at_once),
            waiting: Semaphore::new(limits.waiting),
            told,
        });
        let io = |error: std::io::Error| {
            Error::new(format!("the gateway at {host}:{port}: {error}"))
                .of(Kind::Io)
                .hint("another program may listen there: name another --port")
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
        let listener = runtime.block_on(TcpListener::bind((host, port))).map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let own = own_names(address);
        let shop = Shop { desk: Arc::clone(&desk), keys: Arc::clone(&keys), own: Arc::new(own) };
        let (ends, until) = oneshot::channel::<()>();
        let (leaves, ended) = channel();
        let serve = move || {
            let app = Router::new().fallback(handle).with_state(shop);
            let until = async move {
                let _ = until.await;
            };
            let body = || {
                let serves = axum::serve(listener, app).with_graceful_shutdown(until);
                runtime.block_on(serves.into_future()).map_err(|e| Error::new(e.to_string()))?;
                runtime.shutdown_timeout(Duration::from_millis(100));
                Ok(())
            };
            let _ = crate::guard::guarded("the gateway's thread", body);
            drop(leaves);
        };
        std::thread::Builder::new().name("gateway".into()).spawn(serve).map_err(io)?;
        let (seen, ended) = (Mutex::new(seen), Mutex::new(ended));
        Ok(Self { address, desk, keys, seen, ends: Some(ends), ended })
    }

    /// Lets a session in: its key is `fk-NAME`. It has to be in the store.
    pub fn admit(&self, session: &str) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if !keys.iter().any(|key| key == session) {
            keys.push(session.to_string());
        }
    }

    /// Calls that were written down since this was last asked.
    pub fn seen(&self) -> Vec<Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        loop {
            match seen.try_recv() {
                Ok(call) => all.push(call),
                // Some are only in the store.
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return all,
            }
        }
    }

    /// Has another mind answer an agent, from the next call on; calls under way keep theirs.
    pub fn route(&self, route: Route) -> Result<()> {
        change(&self.desk.minds, |minds| minds.route(route))
    }

    /// Refuses calls for a while (429), or takes them again.
    pub fn pause(&self, paused: bool) {
        self.desk.paused.store(paused, Ordering::Release);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.ends.take());
        if let Ok(ended) = self.ended.get_mut() {
            let _ = ended.recv_timeout(PARTING);
        }
    }
}

/// What a request may name as its host.
fn own_names(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let mut names = vec![address.to_string()];
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        names.extend(["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")));
    }
    names
}

/// A request, whatever it asks.
async fn handle(State(shop): State<Shop>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_string();
    // `/s/NAME/…` is the same below a session of that name.
    let (below, route) = match path.strip_prefix("/s/").and_then(|rest| rest.split_once('/')) {
        Some((name, rest)) => (Some(name), format!("/{rest}")),
        None => (None, path.clone()),
    };
    let route = route.strip_prefix("/v1").unwrap_or(&route).to_string();
    let dialect = match route.as_str() {
        "/messages" | "/messages/count_tokens" => Dialect::Messages,
        "/responses" => Dialect::Responses,
        "/completions" => Dialect::Completions,
        _ => Dialect::Chat,
    };
    let answer = async {
        admit::hosted(&parts.headers, &shop.own)?;
        let known = |name: &str| {
            let keys = shop.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.iter().any(|key| key == name)
        };
        let who = admit::who(&parts.headers, below, known)?;
        if parts.method == Method::GET {
            return shop.look(&route);
        }
        if parts.method != Method::POST {
            return Err(Refused::with(405, "GET and POST are answered"));
        }
        let body = object(&arrived(body, shop.desk.limits.body).await?)?;
        shop.post(who, &route, dialect, body).await
    };
    answer.await.unwrap_or_else(|refused| refusal(dialect, &refused))
}

/// The bytes of a request, as many as may be and as fast as they have to come.
async fn arrived(body: Body, limit: usize) -> Result<Bytes, Refused> {
    match timeout(ARRIVING, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Refused::with(413, format!("a request has at most {limit} bytes"))),
        Err(_) => Err(Refused::with(408, "the request did not come to its end")),
    }
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refused> {
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
    /// What only looks.
    fn look(&self, route: &str) -> Result<Response, Refused> {
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
                self.ask(who, dialect.read(body)?).await
            }
            "/messages/count_tokens" => {
                let count = Relay::count(&dialect.read(body)?);
                Ok(axum::Json(json!({"input_tokens": count})).into_response())
            }
            "/embeddings" => {
                let relay = read(&self.desk.minds, Minds::relay);
                match relay.as_deref() {
                    Some(Mind::Relay(relay)) => {
                        Ok(axum::Json(relay.embeddings(body).await?).into_response())
                    }
                    _ => Err(Refused::with(404, "no endpoint answers here that could embed")),
                }
            }
            "/reward" => {
                let value =
                    body.get("reward").or_else(|| body.get("value")).and_then(Value::as_f64);
                let value = value.filter(|value| value.is_finite());
                let value = value.ok_or_else(|| Refused::bad("reward: not a number"))?;
                self.event(&who, (REWARD, Some(value)), body).await
            }
            "/world" => {
                if !body.get("suite").is_some_and(Value::is_string) {
                    return Err(Refused::bad("suite: which world it is; task: which game"));
                }
                self.event(&who, ("world", None), body).await
            }
            _ => Err(nowhere(route)),
        }
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
        if !asked.stream {
            let done = self.desk.answer(&who, &asked).await?;
            return Ok(axum::Json(asked.dialect.whole(&reply(&asked, &done))).into_response());
        }
        let desk = Arc::clone(&self.desk);
        let mut answer = Box::pin(async move {
            let done = desk.answer(&who, &asked).await;
            (asked, done)
        });
        let events = match timeout(AWAKE, &mut answer).await {
            Ok((asked, done)) => {
                let events = stream(&asked, Ok(done?));
                futures::future::Either::Left(futures::stream::iter(events))
            }
            Err(_) => {
                let late = async move {
                    let (asked, done) = answer.await;
                    futures::stream::iter(stream(&asked, done))
                };
                let late = futures::FutureExt::flatten_stream(late);
                futures::future::Either::Right(late)
            }
        };
        Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(AWAKE)).into_response())
    }
}

fn nowhere(route: &str) -> Refused {
    Refused::with(
        404,
        format!(
            "there is no {route} here: chat/completions, completions, responses, messages, models, embeddings, reward"
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
