//! What is on the other side of an endpoint.

use serde_json::{Value, json};

use super::Endpoint;
use super::choose::MOST_OPTIONS;
use super::found::{Found, Server};
use super::request::{ChatRequest, CompletionRequest, Draw, Prompt, Question};
use super::scorer::Scorer;
use super::shared::Core;
use super::wire::To;
use crate::agent::Scores;
use crate::agent::prompt::chat::{Message, Role};
use crate::control::Cancel;
use crate::error::{Error, Kind, Result};

impl Endpoint {
    /// Finds out what is on the other side: some short questions, which cost some tokens.
    pub fn probe(&self, cancel: &Cancel) -> Result<Found> {
        self.probe_for(true, cancel)
    }

    /// The same of one that is asked in texts or tokens, and in no conversations.
    pub fn probe_texts(&self, cancel: &Cancel) -> Result<Found> {
        self.probe_for(false, cancel)
    }

    fn probe_for(&self, chat: bool, cancel: &Cancel) -> Result<Found> {
        let found =
            self.one(cancel, move |core| Box::pin(async move { core.probe(chat).await }))?;
        if !found.n {
            self.core.one_by_one.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(found)
    }
}

/// The names of the models in a list.
pub(super) fn listed(models: &Value) -> Vec<String> {
    let models = models["data"].as_array().map_or(&[][..], Vec::as_slice);
    models.iter().filter_map(|model| Some(model["id"].as_str()?.to_string())).collect()
}

impl Core {
    async fn probe(&self, chat: bool) -> Result<Found> {
        let mut notes = Vec::new();
        let models = match self.models().await {
            Ok(models) => models,
            Err(error) if is_refusal(&error) && self.profile.model.is_some() => {
                notes.push(format!("it lists no models: {}", error.message()));
                Value::Null
            }
            Err(error) => return Err(error),
        };
        let model = self.model().await?.to_string();
        let server = self.which(&models).await;
        let mut found = Found {
            server,
            models: listed(&models),
            context: self.context(server, &models, &model).await,
            model,
            chat: false,
            n: false,
            logprobs: false,
            scores: Scores::None,
            most_options: 0,
            notes,
            scorer: None,
        };
        if !found.models.contains(&found.model) && server != Server::LlamaCpp {
            found.notes.push(format!("{} is not among the models that it lists", found.model));
        }
        self.ask_two(&mut found, chat).await?;
        if found.chat {
            self.ask_to_choose(&mut found).await?;
        }
        self.find_scorer(&mut found).await?;
        Ok(found)
    }

    /// Which server it is: by who owns its models, else by the routes that it knows.
    async fn which(&self, models: &Value) -> Server {
        match models["data"][0]["owned_by"].as_str() {
            Some("vllm") => return Server::Vllm,
            Some("sglang") => return Server::SgLang,
            Some("llamacpp") => return Server::LlamaCpp,
            _ => {}
        }
        let routes = [
            ("/props", "default_generation_settings", Server::LlamaCpp),
            ("/get_model_info", "model_path", Server::SgLang),
            ("/api/version", "version", Server::Ollama),
            ("/version", "version", Server::Vllm),
        ];
        for (route, field, server) in routes {
            let answer = self.wire.json_once(To::Root(route), None).await;
            if answer.is_ok_and(|value| !value[field].is_null()) {
                return server;
            }
        }
        Server::Other
    }

    async fn context(&self, server: Server, models: &Value, model: &str) -> Option<u64> {
        let listed = models["data"].as_array()?;
        let entry = listed.iter().find(|entry| entry["id"] == model).or(listed.first())?;
        match server {
            Server::LlamaCpp => {
                let props = self.wire.json_once(To::Root("/props"), None).await.ok();
                props
                    .and_then(|props| props["default_generation_settings"]["n_ctx"].as_u64())
                    .or_else(|| entry["meta"]["n_ctx_train"].as_u64())
            }
            Server::Ollama => {
                let body = json!({ "model": model });
                let shown = self.wire.json_once(To::Root("/api/show"), Some(&body)).await.ok()?;
                // What the model was started with, not what it could read.
                let mut parameters = shown["parameters"].as_str().unwrap_or_default().lines();
                let set = parameters
                    .find_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok());
                let mut about = shown["model_info"].as_object()?.iter();
                set.or_else(|| {
                    about.find(|(name, _)| name.ends_with(".context_length"))?.1.as_u64()
                })
            }
            // The card of an adapter names the model that it stands beside, and not what that reads.
            _ => {
                let parent = listed.iter().find(|card| card["id"] == entry["parent"]);
                let names = ["max_model_len", "context_length", "context_window"];
                let said = |card: &Value| names.iter().find_map(|name| card[*name].as_u64());
                said(entry).or_else(|| parent.and_then(said))
            }
        }
    }

    /// Whether it answers conversations (or texts), and gives two answers where two are asked for.
    async fn ask_two(&self, found: &mut Found, chat: bool) -> Result<()> {
        let draw = Draw { max_tokens: 8, temperature: 1.0, seed: Some(1), n: 2, ..Draw::default() };
        let question = if chat {
            let messages = vec![user("Say hello.")];
            Question::chat(ChatRequest { messages, draw }, &self.profile)
        } else {
            let prompt = Prompt::Text("Say hello.".into());
            Question::completion(CompletionRequest { prompt, draw }, &self.profile)
        };
        let to = To::Api(question.path);
        for n in [2, 1] {
            let body = question.body(&found.model, 0, n);
            match self.counted(to, &body, question.characters, 8 * n as u64).await {
                Ok(value) => {
                    let given = value["choices"].as_array().map_or(0, Vec::len);
                    found.chat = chat && given > 0;
                    found.n = given > 1;
                    return Ok(());
                }
                Err(error) if is_refusal(&error) || (n > 1 && is_remote(&error)) => {
                    found.notes.push(error.message().to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether it says how likely the first letter of an answer is, and of how many letters.
    async fn ask_to_choose(&self, found: &mut Found) -> Result<()> {
        let options = ["Paris".to_string(), "Lima".to_string()];
        let question = "What is the capital of France?";
        for top in [MOST_OPTIONS, 5] {
            match self.choose(vec![user(question)], &options, top).await {
                Ok(_) => {
                    found.most_options = top;
                    found.logprobs = true;
                    return Ok(());
                }
                Err(error) if is_remote(&error) => {
                    found.notes.push(format!("no choice among {top}: {}", error.message()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The best way to score that proves right on a known pair.
    async fn find_scorer(&self, found: &mut Found) -> Result<()> {
        for &scorer in found.server.scorers() {
            match self.verify(found.server, scorer).await {
                Ok(()) => {
                    found.scorer = Some(scorer);
                    found.logprobs = true;
                    found.scores = match scorer {
                        Scorer::Grammar { .. } => Scores::Forced,
                        _ => Scores::Exact,
                    };
                    return Ok(());
                }
                Err(error) if is_remote(&error) => {
                    found.notes.push(format!("not scored by {scorer:?}: {}", error.message()));
                }
                Err(error) => return Err(error),
            }
        }
        found.scores = match found {
            Found { most_options: 1.., .. } => Scores::Choice,
            Found { chat: true, .. } => Scores::Frequency,
            _ => Scores::None,
        };
        Ok(())
    }
}

fn user(text: &str) -> Message {
    Message { role: Role::User, content: text.into() }
}

/// Whether the server cannot do what was asked, rather than the line or the budget.
fn is_refusal(error: &Error) -> bool {
    error.kind() == Kind::Remote { retry: false }
}

/// Whether the other side failed, in whatever way: what a server does not know it may answer with
/// any error at all.
fn is_remote(error: &Error) -> bool {
    matches!(error.kind(), Kind::Remote { .. })
}
