//! What the questions of an endpoint share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::profile::Profile;
use super::spent::Account;
use super::wire::{To, Wire};
use crate::error::{Error, Result};

/// The line, the account, and what was learnt of the server.
#[derive(Debug)]
pub(super) struct Core {
    pub profile: Profile,
    pub wire: Wire,
    pub account: Arc<Account>,
    /// The model that is asked, once that is known.
    model: OnceCell<String>,
    /// The server gives one answer whatever is asked for.
    pub one_by_one: AtomicBool,
    /// What a person should be told once.
    surprises: Mutex<Vec<String>>,
    another_answers: AtomicBool,
}

impl Core {
    pub fn new(profile: Profile, wire: Wire) -> Self {
        let account = Arc::new(Account::new(&profile));
        let open = "the key goes over a line that is not encrypted (http://)";
        let surprises = if wire.gives_the_key_away() { vec![open.into()] } else { Vec::new() };
        Self {
            model: OnceCell::new_with(profile.model.clone()),
            profile,
            wire,
            account,
            one_by_one: AtomicBool::new(false),
            surprises: Mutex::new(surprises),
            another_answers: AtomicBool::new(false),
        }
    }

    /// The models that the server lists.
    pub async fn models(&self) -> Result<Value> {
        self.wire.json(To::Api("/models"), None).await
    }

    /// The model that is asked: the one that the profile names, or the first that the server lists.
    pub async fn model(&self) -> Result<&str> {
        let first = async || {
            let listed = self.models().await?;
            let first = listed["data"][0]["id"].as_str().map(ToString::to_string);
            first.ok_or_else(|| {
                Error::usage("the server lists no model")
                    .hint("name one with model = \"…\" in the endpoint's profile")
            })
        };
        self.model.get_or_try_init(first).await.map(String::as_str)
    }

    /// Notes that another model answers than was asked.
    pub fn compare(&self, answered: &str) {
        let Some(asked) = self.model.get() else { return };
        if answered.is_empty() || is_same(asked, answered) {
            return;
        }
        if !self.another_answers.swap(true, Ordering::Relaxed) {
            let [asked, answered] = [asked, answered].map(|name| self.wire.shown(name));
            let text = format!("{asked} was asked, and the server says that {answered} answers");
            self.surprises.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }

    /// What a person should be told; each once.
    pub fn surprise(&self) -> Option<String> {
        self.surprises.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// Whether a name means another one: that may say a date or a tag more.
fn is_same(asked: &str, answered: &str) -> bool {
    let Some(more) = answered.strip_prefix(asked) else { return false };
    let mut more = more.chars();
    match more.next() {
        None | Some(':' | '@') => true,
        Some('-') => more.next().is_some_and(|c| c.is_ascii_digit()),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_say_a_date_more() {
        assert!(is_same("gpt", "gpt") && is_same("gpt", "gpt-2026-01-01"));
        assert!(is_same("llama", "llama:latest"));
        assert!(!is_same("gpt", "gpt-mini") && !is_same("gpt", "gp") && !is_same("gpt", "gpt5"));
    }
}
