//! Replies that come as a stream, and those that are no answers.

use std::time::{Duration, SystemTime};

use reqwest::{Response, StatusCode, header};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::reply::{complaint, error_inside};
use super::retry::{Failure, is_passing, retry_after, too_long};
use super::sse::{Event, Parser};
use super::wire::{Flow, Incoming, Take, To, Wire, header_of};
use super::words;

/// Bytes of a stream at most, and of a complaint.
const STREAM: usize = 16 << 20;
const COMPLAINT: usize = 64 << 10;

/// How long a stream whose answers have all ended may take to say what they cost.
const GRACE: Duration = Duration::from_millis(500);

impl Wire {
    /// Reads events until the stream ends, or says that it does.
    pub(super) async fn stream(
        &self,
        mut response: Response,
        take: Take<'_>,
    ) -> Result<(), Failure> {
        let mut parser = Parser::default();
        let mut read = 0;
        let mut flow = Flow::More;
        let mut last = Instant::now();
        loop {
            let until = match flow {
                // What only keeps the line awake does not count.
                Flow::Linger => last + GRACE,
                Flow::More | Flow::Maybe => Instant::now() + self.idle,
            };
            let piece = match timeout_at(until, response.chunk()).await {
                Ok(Ok(piece)) => piece,
                // All was said; how the line ends does not matter any more.
                _ if flow != Flow::More => return Ok(()),
                Ok(Err(error)) => return Err(words::of_line(error)),
                Err(_) => {
                    return Err(Failure::passing(format!(
                        "the stream was silent for {} s (idle_timeout_s)",
                        self.idle.as_secs_f64()
                    )));
                }
            };
            let events = match &piece {
                Some(bytes) => parser.push(bytes)?,
                None => parser.finish()?.into_iter().collect(),
            };
            read += piece.as_ref().map_or(0, |bytes| bytes.as_ref().len());
            if read > STREAM {
                return Err(Failure::lasting(format!(
                    "the stream is longer than {} MiB",
                    STREAM >> 20
                )));
            }
            for event in events {
                if event.data.trim() == "[DONE]" {
                    take(Incoming::Done)?;
                    return Ok(());
                }
                flow = self.event(&event, take)?;
                last = Instant::now();
            }
            if piece.is_none() {
                return Ok(());
            }
        }
    }

    fn event(&self, event: &Event, take: Take<'_>) -> Result<Flow, Failure> {
        let value: Value = serde_json::from_str(&event.data).map_err(|error| {
            Failure::lasting(format!(
                "an event of the stream is not JSON ({error}): {}",
                self.shown(&event.data)
            ))
        })?;
        if event.name == "error" && value["error"].is_null() {
            let said = complaint(&value).unwrap_or_else(|| event.data.clone());
            return Err(Failure::lasting(format!("the server breaks off: {}", self.shown(&said))));
        }
        self.check(&value)?;
        take(Incoming::Event(&value, &event.data))
    }

    /// An error that stands where an answer should, under whatever status.
    pub(super) fn check(&self, value: &Value) -> Result<(), Failure> {
        let Some((said, passing)) = error_inside(value) else { return Ok(()) };
        let what = format!("the server breaks off: {}", self.shown(&said));
        Err(if passing { Failure::passing(what) } else { Failure::lasting(what) })
    }

    /// What a reply says that is no answer.
    pub(super) async fn refusal(&self, to: To, response: Response) -> Failure {
        let status = response.status();
        if status.is_redirection() {
            let place = self.shown(header_of(&response, header::LOCATION));
            return Failure::lasting(format!(
                "it sends on to {place} ({}), which is not followed",
                status.as_u16()
            ))
            .hint("name that place in the profile's url, if you trust it with the key");
        }
        let after = retry_after(header_of(&response, header::RETRY_AFTER), SystemTime::now());
        let kind = header_of(&response, header::CONTENT_TYPE).to_ascii_lowercase();
        let bytes = read_some(response).await;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_start_matches('\u{feff}').trim();
        let said = if kind.starts_with("text/html") || text.starts_with('<') {
            "(a web page)".into()
        } else {
            let value = serde_json::from_str(text).unwrap_or(Value::Null);
            self.shown(&complaint(&value).unwrap_or_else(|| text.into()))
        };
        let patience = too_long(after).unwrap_or_default();
        let what = format!("it answers {status}: {said}{patience}");
        let code = status.as_u16();
        let failure =
            if is_passing(code) { Failure::passing(what) } else { Failure::lasting(what) };
        let failure = Failure { after, status: Some(code), ..failure };
        let route = match to {
            To::Api(path) | To::Root(path) => path,
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                failure.hint("look at the key that the endpoint's profile names")
            }
            StatusCode::NOT_FOUND => failure.hint(format!(
                "is the URL right, and the model's name? the URL ends in /v1 mostly ({route} is \
                 added to it)"
            )),
            StatusCode::BAD_REQUEST if said.contains("max_completion_tokens") => {
                failure.hint("set completion_limit = true in the endpoint's profile")
            }
            StatusCode::TOO_MANY_REQUESTS => {
                failure.hint("set a lower concurrency in the endpoint's profile")
            }
            _ => failure,
        }
    }
}

/// The beginning of a complaint; what the line does to the rest does not matter.
async fn read_some(mut response: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        let room = COMPLAINT - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() >= room {
            break;
        }
    }
    bytes
}
