//! Minds behind a line: what is sent, what comes back, and what is done when it does not.

#[path = "../stub/mod.rs"]
mod stub;

mod answers;
mod limits;
mod retries;
mod scoring;
mod sent;
mod streams;

use foretaste::agent::endpoint::{ChatReply, ChatRequest, Draw, Endpoint, Profile};
use foretaste::agent::prompt::chat::{Message, Role};
use foretaste::control::Cancel;
use foretaste::error::{Error, Kind, Result};
pub(crate) use stub::{As, Fault, Quirks, Stub};

/// An endpoint at a stub, impatient.
pub(crate) fn profile(stub: &Stub) -> Profile {
    Profile {
        model: Some("toy".into()),
        timeout_s: 5.0,
        idle_timeout_s: 2.0,
        retries: 2,
        ..Profile::at(format!("{}/v1", stub.url))
    }
}

pub(crate) fn open(stub: &Stub) -> Endpoint {
    Endpoint::open(profile(stub)).unwrap()
}

pub(crate) fn user(text: &str) -> Vec<Message> {
    vec![Message { role: Role::User, content: text.into() }]
}

pub(crate) fn request(text: &str, draw: Draw) -> ChatRequest {
    ChatRequest { messages: user(text), draw }
}

/// One question, and its answer.
pub(crate) fn ask(endpoint: &Endpoint, draw: Draw) -> Result<ChatReply> {
    ask_seeing(endpoint, draw, &mut |_, _, _| {})
}

/// The same, seeing what is shown.
pub(crate) fn ask_seeing(
    endpoint: &Endpoint,
    draw: Draw,
    each: &mut dyn FnMut(usize, usize, &str),
) -> Result<ChatReply> {
    let (mut found, error) = endpoint.chat(vec![request("hi", draw)], &Cancel::default(), each);
    match error {
        Some(error) => Err(error),
        None => Ok(found.remove(0).expect("an answer")),
    }
}

/// What a stub that does this brings.
pub(crate) fn meets(fault: Fault) -> Result<ChatReply> {
    let stub = Stub::new(As::Hosted);
    stub.then([fault]);
    ask(&open(&stub), Draw::default())
}

pub(crate) fn streamed() -> Draw {
    Draw { stream: true, ..Draw::default() }
}

/// A stub that does this, once, to a stream.
pub(crate) fn streams(fault: Fault) -> Result<ChatReply> {
    let stub = Stub::new(As::Hosted);
    stub.then([fault]);
    ask(&open(&stub), streamed())
}

pub(crate) fn lasting(error: &Error) -> bool {
    error.kind() == Kind::Remote { retry: false }
}
