//! A model behind an endpoint as a mind: asked in messages ([`super::prompt::chat`]), it answers in
//! text.

mod answers;
mod flowing;
mod reflecting;

use self::flowing::{Flowing, TO_ACT, TO_THINK, Way, written};
pub use self::reflecting::Profile as ReflectingProfile;
use super::dealt::{dealt, drawn, drawn_by, foreseen};
use super::endpoint::{
    self, ChatReply, ChatRequest, Draw, Endpoint, Estimate, Finish, Found, Profile, Spent, UNSAID,
    whole,
};
use super::prompt::Questions;
use super::prompt::chat::{Message, Observations, Question, answer, messages};
use super::{Agent, Among, Ask, Can, Case, Completion, Each, Flow, Reflector, Scores, Usage};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::experience::State;
use crate::model::sampler::Sampling;

/// How many tokens a predicted observation and a reflection may take.
const PREDICTION: u32 = 384;
const REFLECTION: u32 = 1024;

/// A model behind an endpoint.
#[derive(Debug)]
pub struct RemoteAgent {
    name: String,
    endpoint: Endpoint,
    found: Found,
    questions: Questions,
    profile: ReflectingProfile,
}

impl RemoteAgent {
    /// Connects, and finds out what is there; `name` is what it goes by.
    pub fn open(
        name: &str,
        profile: Profile,
        (questions, reflecting): (Questions, ReflectingProfile),
        cancel: &Cancel,
    ) -> Result<Self> {
        let endpoint = Endpoint::open(profile)?;
        let found = endpoint.probe(cancel)?;
        if !found.chat {
            return Err(Error::new(format!("{name}: it answers no conversations"))
                .hint("serve a model with a chat template at /v1/chat/completions"));
        }
        // Another model under the same name is another mind.
        let model = short(&found.model);
        let name =
            if name.contains(model) { name.to_string() } else { format!("{name} ({model})") };
        Ok(Self { name, endpoint, found, questions, profile: reflecting })
    }

    /// Asks otherwise from now on.
    pub fn ask_by(&mut self, questions: Questions) {
        self.questions = questions;
    }

    /// What was found there.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Answers to conversations, all together.
    fn chat(
        &self,
        requests: Vec<ChatRequest>,
        cancel: &Cancel,
        each: endpoint::Each<'_>,
    ) -> Result<Vec<ChatReply>> {
        let replies = whole(self.endpoint.chat(requests, cancel, each));
        let replies = replies.map_err(|error| self.named(error))?;
        self.warns();
        Ok(replies)
    }

    fn named(&self, error: Error) -> Error {
        if error.is_cancelled() { error } else { error.at(&self.name) }
    }

    /// Says what a person should know of the server.
    fn warns(&self) {
        if let Some(surprise) = self.endpoint.surprise() {
            tracing::warn!("{}: {surprise}", self.name);
        }
    }

    /// For each ask a completion a seed: by `n` answers, of which the first has the first seed.
    fn complete(
        &self,
        asks: Vec<(Vec<Message>, &[u64])>,
        how: Sampling,
        Way { max_tokens, stop, read }: Way,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        let wanted: Vec<usize> = asks.iter().map(|(_, seeds)| seeds.len()).collect();
        let requests = asks.into_iter().filter(|(_, seeds)| !seeds.is_empty());
        let requests = requests.map(|(messages, seeds)| {
            let stop = vec![stop.to_string()];
            ChatRequest { messages, draw: Draw { stop, ..drawn_by(seeds, how, max_tokens) } }
        });
        let replies = self.chat(requests.collect(), cancel, &mut |_, _, _| {})?;
        Ok(dealt(&wanted, replies, how, |choice| written(choice, read)))
    }

    /// The scores of the actions as whole answers; none where the server does not say what it gives
    /// the model, or where the tokens of one run into what stands before it.
    fn scored(&self, asks: &[Among<'_>], cancel: &Cancel) -> Result<Option<Vec<Vec<f64>>>> {
        let mut prefixed = Vec::with_capacity(asks.len());
        for ask in asks {
            let messages = self.acting(ask.state, ask.thought);
            let rendered = self.endpoint.render(&self.found, messages, cancel)?;
            let Some(prefix) = rendered else { return Ok(None) };
            let answers = ask.actions.iter().map(|action| answer(None, action)).collect();
            prefixed.push((prefix, answers));
        }
        let scores = self.endpoint.score(&self.found, prefixed, cancel)?;
        Ok(scores.into_iter().map(|scores| scores.into_iter().collect()).collect())
    }

    /// The same as a choice among letters; none where a list is longer than there are any.
    fn chosen(&self, asks: &[Among<'_>], cancel: &Cancel) -> Result<Option<Vec<Vec<f64>>>> {
        if asks.iter().any(|ask| ask.actions.len() > self.found.most_options) {
            return Ok(None);
        }
        let among = |ask: &Among<'_>| (self.acting(ask.state, ask.thought), ask.actions.to_vec());
        self.endpoint.choose(&self.found, asks.iter().map(among).collect(), cancel).map(Some)
    }

    /// What it is given of a state to answer a question.
    fn asked(&self, state: &State, question: Question<'_>) -> Vec<Message> {
        messages(state, question, &self.questions, Observations::Stripped)
    }

    /// What it is given to act, after a thought or without one.
    fn acting(&self, state: &State, thought: Option<&str>) -> Vec<Message> {
        let mut asked = self.asked(state, Question::Act);
        if let (Some(thought), Some(last)) = (thought, asked.last_mut()) {
            let more = format!("\n\nWhat you thought: {thought}\nNow give the action.");
            last.content.push_str(&more);
        }
        asked
    }
}

/// A model's name without the folder that it lies in.
pub(super) fn short(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or_default()
}

impl Agent for RemoteAgent {
    /// A mind that is asked otherwise answers otherwise: a person's own prompts are part of its
    /// name, with their version.
    fn name(&self) -> String {
        match self.questions.name() {
            None => self.name.clone(),
            Some(prompts) => format!("{} asked by {prompts}", self.name),
        }
    }

    fn described(&self) -> String {
        let model = short(&self.found.model);
        let host = self.endpoint.profile().url.split("//").nth(1).unwrap_or_default();
        let host = host.split('/').next().unwrap_or_default();
        // A URL is long, and says little.
        if self.name.starts_with("http") { format!("{model} at {host}") } else { self.name.clone() }
    }

    fn can(&self) -> Can {
        let context = self.found.context.and_then(|context| usize::try_from(context).ok());
        // What cannot be rendered or chosen among is counted.
        Can {
            scores: self.found.scores,
            tokens: false,
            context,
            at_once: self.endpoint.profile().concurrency,
        }
    }

    fn usage(&self) -> Usage {
        let Spent { asks, prompt_tokens, answer_tokens, .. } = self.endpoint.spent();
        Usage { asks, prompt_tokens, answer_tokens }
    }

    fn act(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        let asks =
            asks.iter().map(|ask| (self.acting(ask.state, ask.thought), ask.seeds)).collect();
        self.complete(asks, how, TO_ACT, cancel)
    }

    fn think(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        let asks = asks.iter().map(|ask| (self.asked(ask.state, Question::Think), ask.seeds));
        self.complete(asks.collect(), how, TO_THINK, cancel)
    }

    fn score(&mut self, asks: &[Among<'_>], cancel: &Cancel) -> Result<Option<Vec<Vec<f64>>>> {
        // A list without actions has no scores, and is not asked about.
        let listed: Vec<Among<'_>> =
            asks.iter().filter(|ask| !ask.actions.is_empty()).copied().collect();
        // Kinds are not mixed: where one state cannot be scored, none is.
        let found = match self.found.scores {
            Scores::Exact | Scores::Forced => self.scored(&listed, cancel)?,
            Scores::Choice => self.chosen(&listed, cancel)?,
            Scores::Frequency | Scores::None => None,
        };
        let Some(found) = found else { return Ok(None) };
        let mut found = found.into_iter();
        let each = asks.iter().map(|ask| {
            if ask.actions.is_empty() { Vec::new() } else { found.next().unwrap_or_default() }
        });
        Ok(Some(each.collect()))
    }

    fn predict(
        &mut self,
        asks: &[Among<'_>],
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Result<Vec<Vec<String>>> {
        let request = |ask: usize, action: &str| {
            let messages = self.asked(asks[ask].state, Question::Predict(action));
            let draw = Draw { stream: true, ..drawn(Sampling::GREEDY, PREDICTION) };
            Ok(ChatRequest { messages, draw })
        };
        let read = |text: &str| text.trim().to_string();
        let send = |requests, each: endpoint::Each<'_>| self.chat(requests, cancel, each);
        foreseen(asks, request, read, send, each)
    }

    fn flow(&self) -> Option<Box<dyn Flow + '_>> {
        Some(Box::new(Flowing::of(self)))
    }

    fn given(&self, state: &State, thought: Option<&str>) -> Result<String> {
        let told = self.acting(state, thought).into_iter().map(|Message { role, content }| {
            format!(
                "[{}]\n{content}\n",
                serde_json::to_value(role).map_or_else(
                    |_| String::new(),
                    |role| role.as_str().unwrap_or_default().to_string()
                )
            )
        });
        Ok(told.collect::<Vec<_>>().join("\n"))
    }
}

impl Reflector for RemoteAgent {
    fn generator(&self) -> String {
        format!("{} by {}", self.name, self.profile.name())
    }

    fn sees_outcomes(&self) -> bool {
        true
    }

    fn spent(&self) -> Option<Spent> {
        Some(self.endpoint.spent())
    }

    fn expects(&self, cases: &[&Case]) -> Option<Estimate> {
        let messages = cases.iter().flat_map(|case| self.profile.messages(case));
        let characters: usize = messages.map(|message| message.content.len()).sum();
        let each = u64::from(REFLECTION.min(self.endpoint.profile().max_reply_tokens));
        Some(self.endpoint.estimate(characters, each * cases.len() as u64, 1))
    }

    fn reflect(
        &mut self,
        cases: &[(&Case, u64)],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<String>> {
        let requests = cases.iter().map(|(case, seed)| ChatRequest {
            messages: self.profile.messages(case),
            draw: Draw { seed: Some(*seed), ..drawn(how, REFLECTION) },
        });
        let requests: Vec<ChatRequest> = requests.collect();
        let (mut replies, error) = self.endpoint.chat(requests.clone(), cancel, &mut |_, _, _| {});
        if let Some(error) = error {
            self.one_by_one(requests, &mut replies, &error, cancel)?;
            if replies.iter().all(Option::is_none) {
                return Err(error.at(&self.name));
            }
        }
        Ok(replies.into_iter().map(|reply| reply.map(told_whole).unwrap_or_default()).collect())
    }
}

/// Questions in a row that may fail before it is no longer the question's fault.
const REFUSED: usize = 3;

impl RemoteAgent {
    /// What a batch left open, asked by itself: one question may be what the server will not
    /// answer, and what was paid for beside it is kept. It is over when several in a row fail.
    fn one_by_one(
        &self,
        requests: Vec<ChatRequest>,
        replies: &mut [Option<ChatReply>],
        first: &Error,
        cancel: &Cancel,
    ) -> Result<()> {
        let named = |error: Error| if error.is_cancelled() { error } else { error.at(&self.name) };
        if first.is_cancelled() {
            return Err(first.clone());
        }
        let mut refused = 0;
        for (request, reply) in requests.into_iter().zip(replies).filter(|(_, r)| r.is_none()) {
            let (mut found, error) = self.endpoint.chat(vec![request], cancel, &mut |_, _, _| {});
            *reply = found.pop().flatten();
            match error {
                None => refused = 0,
                Some(error) if error.is_cancelled() || refused + 1 >= REFUSED => {
                    return Err(named(error));
                }
                Some(error) => {
                    refused += 1;
                    tracing::warn!("{}: a question was not answered: {error}", self.name);
                }
            }
        }
        Ok(())
    }
}

/// Bytes of a text for each token that was allowed, at most: a server that sends more does not count
/// tokens as one does.
const BYTES_A_TOKEN: usize = 16;

/// The text of a reply; nothing of one that is cut off, of one without a visible letter, and of one
/// longer than anybody asked for: these are worse than none, and their state is asked about another
/// time.
fn told_whole(reply: ChatReply) -> String {
    let Some(choice) = reply.choices.into_iter().next() else { return String::new() };
    let ended = match &choice.finished {
        Finish::Stop => true,
        Finish::Length => false,
        Finish::Other(how) => how == UNSAID,
    };
    if !ended || choice.text.len() > BYTES_A_TOKEN * REFLECTION as usize {
        return String::new();
    }
    let text = answers::thought_in(&choice.text);
    let text: String =
        text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    if text.chars().any(char::is_alphanumeric) { text.trim().to_string() } else { String::new() }
}
