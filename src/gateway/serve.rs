//! The routes, on a thread of their own.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use regex::Regex;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast, oneshot};

use super::call::Desk;
use super::http::{Shop, handle};
use super::mind::{Minds, Route, change, read};
use super::writer::Writer;
use super::{Answered, Refused};
use crate::error::{Error, Kind, Result};
use crate::store::{NewCall, Store};

/// How much of everything there may be.
#[derive(Debug, Clone)]
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
    /// Names under which it may be asked beside its own addresses.
    pub hosts: Vec<String>,
    /// What a session is worth once its agent is told something that matches.
    pub rules: Vec<(Regex, f64)>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 128,
            waiting: 1024,
            wait: Duration::from_mins(1),
            answer: Duration::from_mins(10),
            body: 16 << 20,
            hosts: Vec::new(),
            rules: Vec::new(),
        }
    }
}

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
    seen: Mutex<broadcast::Receiver<Seen>>,
    ends: Option<oneshot::Sender<()>>,
    ended: Mutex<Receiver<()>>,
}

/// KiB of requests that are read at once.
const BODIES: usize = 256 << 10;

/// How long calls under way are waited for when the gateway ends.
const PARTING: Duration = Duration::from_secs(5);

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
        let keys = Arc::new(store.keys()?);
        let hosts = limits.hosts.clone();
        let (told, seen) = broadcast::channel(1024);
        let desk = Arc::new(Desk {
            minds: Arc::new(Mutex::new(minds)),
            writer: Writer::start(store)?,
            under_way: Semaphore::new(limits.at_once),
            waiting: Semaphore::new(limits.waiting),
            bodies: Semaphore::new(BODIES),
            limits,
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
        let own = own_names(address, &hosts);
        let shop = Shop {
            desk: Arc::clone(&desk),
            keys,
            own: Arc::new(own),
            open: !address.ip().is_loopback(),
        };
        let (ends, until) = oneshot::channel::<()>();
        let (leaves, ended) = channel();
        let serve = move || {
            let body = || {
                runtime.block_on(accept(listener, shop, until));
                runtime.shutdown_timeout(Duration::from_millis(100));
                Ok(())
            };
            let _ = crate::guard::guarded("the gateway's thread", body);
            drop(leaves);
        };
        std::thread::Builder::new().name("gateway".into()).spawn(serve).map_err(io)?;
        let (seen, ended) = (Mutex::new(seen), Mutex::new(ended));
        Ok(Self { address, desk, seen, ends: Some(ends), ended })
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
        let lacking = read(&self.desk.minds, |minds| minds.lacking(&route));
        let opened = lacking.open()?;
        change(&self.desk.minds, |minds| minds.answer_by(route, opened));
        Ok(())
    }

    /// Has every agent's mind answer an agent that had one of its own.
    pub fn forget(&self, agent: &str) {
        change(&self.desk.minds, |minds| minds.forget(agent));
    }
}

/// Connections that are open at once: who comes later waits to be let in.
const CONNECTIONS: usize = 512;

/// How long the head of a request may take, and a connection may say nothing: who holds one open without
/// a word keeps it from others.
const HEAD: Duration = Duration::from_secs(30);

/// Lets connections in until it is told to end, and then waits for what is under way.
async fn accept(listener: TcpListener, shop: Shop, until: oneshot::Receiver<()>) {
    let service = TowerToHyperService::new(Router::new().fallback(handle).with_state(shop));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut until = until;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut until => break,
        };
        let Ok((stream, _)) = accepted else {
            // No descriptors are left: some are given back in a moment.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let served = builder.serve_connection(TokioIo::new(stream), service.clone());
        let served = graceful.watch(served);
        tokio::spawn(async move {
            // What a client does to its line is its own affair.
            let _ = served.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(PARTING, graceful.shutdown()).await;
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
fn own_names(address: SocketAddr, hosts: &[String]) -> Vec<String> {
    let port = address.port();
    let mut names = vec![address.to_string()];
    names.extend(hosts.iter().flat_map(|name| [name.clone(), format!("{name}:{port}")]));
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        names.extend(["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")));
    }
    names
}
