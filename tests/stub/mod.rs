//! A server that answers as the real ones do, with a toy for a model, and breaks when told to.
//!
//! HTTP/1.1 by hand over one socket a connection. It ends with the test that began it.

#![allow(dead_code, reason = "each test uses what it needs")]

pub(crate) mod chat;
pub(crate) mod faults;
pub(crate) mod routes;
pub(crate) mod toy;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) use faults::Fault;
use serde_json::Value;

/// Whom it plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    Vllm,
    SgLang,
    LlamaCpp,
    Ollama,
    Hosted,
}

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What is not as it should be with the model, but not with the line.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is one thing that may be so")]
pub(crate) struct Quirks {
    /// Its scorer says other figures than it writes with.
    pub(crate) lies: bool,
    /// It knows no `top_logprobs`, or gives fewer.
    pub(crate) few_logprobs: bool,
    pub(crate) no_logprobs: bool,
    /// A grammar of tokens is refused.
    pub(crate) old_grammar: bool,
    /// It says that another model answers.
    pub(crate) other_model: bool,
    /// It has no idea of prompt_logprobs.
    pub(crate) only_echo: bool,
    /// It refuses to give several answers, as old ones of llama.cpp.
    pub(crate) refuses_n: bool,
    /// It has no list of its models.
    pub(crate) lists_nothing: bool,
    /// It counts no tokens.
    pub(crate) no_usage: bool,
}

/// Answers some questions in place of the toy.
pub(crate) type Answers = Box<dyn Fn(&Asked) -> Option<Value> + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) who: As,
    pub(crate) model: Option<Answers>,
    pub(crate) quirks: Quirks,
    pub(crate) asked: Mutex<Vec<Asked>>,
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    /// Connections that are open, and questions that are answered now, and were at most.
    pub(crate) open: AtomicUsize,
    pub(crate) busy: AtomicUsize,
    pub(crate) busiest: AtomicUsize,
    /// Bytes that were written.
    pub(crate) written: AtomicUsize,
    pub(crate) pause: Mutex<Duration>,
    closed: AtomicBool,
}

/// A server on this machine.
pub(crate) struct Stub {
    pub(crate) url: String,
    pub(crate) shared: Arc<Shared>,
}

impl Stub {
    pub(crate) fn new(who: As) -> Self {
        Self::with(who, Quirks::default())
    }

    pub(crate) fn with(who: As, quirks: Quirks) -> Self {
        Self::begin(who, quirks, None)
    }

    /// One that has another model than the toy.
    pub(crate) fn of(who: As, model: Answers) -> Self {
        Self::begin(who, Quirks::default(), Some(model))
    }

    fn begin(who: As, quirks: Quirks, model: Option<Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            who,
            model,
            quirks,
            asked: Mutex::default(),
            faults: Mutex::default(),
            open: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            busiest: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            pause: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let all = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if all.closed.load(Ordering::SeqCst) {
                    return;
                }
                let shared = all.clone();
                std::thread::spawn(move || {
                    shared.open.fetch_add(1, Ordering::SeqCst);
                    // A client may leave whenever it wants.
                    let _ = serve(&shared, stream);
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, shared }
    }

    /// The next questions (posts) meet these, one each.
    pub(crate) fn then(&self, faults: impl IntoIterator<Item = Fault>) -> &Self {
        self.shared.faults.lock().unwrap().extend(faults);
        self
    }

    /// Every answer takes so long.
    pub(crate) fn slow(&self, pause: Duration) -> &Self {
        *self.shared.pause.lock().unwrap() = pause;
        self
    }

    /// What was asked so far is forgotten, and what was to go wrong.
    pub(crate) fn forget(&self) {
        self.shared.faults.lock().unwrap().clear();
        self.shared.asked.lock().unwrap().clear();
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// The questions that were posted to a route.
    pub(crate) fn posted(&self, path: &str) -> Vec<Asked> {
        let all = self.asked();
        all.into_iter().filter(|asked| asked.method == "POST" && asked.path == path).collect()
    }

    pub(crate) fn chats(&self) -> Vec<Asked> {
        self.posted("/v1/chat/completions")
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the one who listens.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

fn serve(shared: &Shared, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(asked) = read(&mut reader)? {
        shared.asked.lock().unwrap().push(asked.clone());
        let busy = shared.busy.fetch_add(1, Ordering::SeqCst) + 1;
        shared.busiest.fetch_max(busy, Ordering::SeqCst);
        let pause = *shared.pause.lock().unwrap();
        std::thread::sleep(pause);
        let fault =
            if asked.method == "POST" { shared.faults.lock().unwrap().pop_front() } else { None };
        let goes_on = match fault {
            Some(fault) => faults::meet(shared, &asked, fault, &mut writer),
            None => routes::answer(shared, &asked, &mut writer).map(|()| true),
        };
        shared.busy.fetch_sub(1, Ordering::SeqCst);
        if !goes_on? {
            break;
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_string();
    let path = words.next().unwrap_or_default().to_string();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let mut asked = Asked { method, path, headers, text: String::new(), body: Value::Null };
    let length = asked.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    asked.text = String::from_utf8(bytes).expect("text");
    asked.body = serde_json::from_str(&asked.text).unwrap_or(Value::Null);
    Ok(Some(asked))
}

/// Writes a reply.
pub(crate) fn reply(
    writer: &mut impl Write,
    status: &str,
    headers: &[(&str, &str)],
    kind: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    writer.write_all(head.as_bytes())?;
    writer.write_all(body)
}

/// Writes a reply in pieces, each of which is seen as one, and then ends it, or lets it hang.
pub(crate) fn pieces(
    writer: &mut impl Write,
    kind: &str,
    pieces: &[Vec<u8>],
    pause: Duration,
) -> std::io::Result<()> {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
    writer.write_all(head.as_bytes())?;
    for piece in pieces {
        write!(writer, "{:x}\r\n", piece.len())?;
        writer.write_all(piece)?;
        writer.write_all(b"\r\n")?;
        std::thread::sleep(pause);
    }
    Ok(())
}
