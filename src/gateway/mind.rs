//! Who answers which agent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::playing::Playing;
use super::relay::Relay;
use super::speaking::Speaking;
use super::system::{self, Form, Named};
use super::{Answered, Asked, Refused};
use crate::agent::endpoint::Profile;
use crate::agent::{self, Located, Voice, minds};
use crate::digest;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::calling::Calling;
use crate::model::team::Priority;
use crate::model::template::Template;
use crate::place::model_alone;
use crate::store::Store;

/// One of the minds that are open.
#[derive(Debug)]
pub(super) struct Mind {
    answers: Answers,
    /// What it is told in place of an agent's own system message.
    told: Option<String>,
}

#[derive(Debug)]
enum Answers {
    /// In this process, by reading a state.
    Playing(Playing),
    /// In this process, by the template that the model was trained with.
    Speaking(Box<Speaking>),
    /// Behind an endpoint.
    Relay(Relay),
}

impl Answers {
    /// Refuses a mind that reads a conversation as a state, and nothing of what it is told to be.
    fn reads_a_system_message(&self, name: &str) -> Result<()> {
        match self {
            Self::Relay(_) => Ok(()),
            Self::Speaking(mind) if mind.reads_a_system_message() => Ok(()),
            Self::Speaking(_) | Self::Playing(_) => Err(reads_states(name)),
        }
    }
}

impl Mind {
    pub async fn answer(&self, asked: &Asked) -> Result<Answered, Refused> {
        let retold = self.told.as_ref().map(|text| Asked {
            body: system::retold(&asked.body, text),
            model: asked.model.clone(),
            ..*asked
        });
        let asked = retold.as_ref().unwrap_or(asked);
        match &self.answers {
            Answers::Playing(mind) => mind.answer(asked).await,
            Answers::Speaking(mind) => mind.answer(asked).await,
            Answers::Relay(relay) => relay.answer(asked).await,
        }
    }

    /// What it is called, where the name of its route says another one from day to day.
    pub fn name(&self) -> Option<&str> {
        match &self.answers {
            Answers::Playing(mind) => Some(&mind.name),
            Answers::Speaking(_) | Answers::Relay(_) => None,
        }
    }

    /// The endpoint, where it is one.
    pub fn relay(&self) -> Option<&Relay> {
        match &self.answers {
            Answers::Relay(relay) => Some(relay),
            Answers::Playing(_) | Answers::Speaking(_) => None,
        }
    }
}

/// Who answers an agent: one mind, or several of which each session has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The agent by name; none is every agent that has no route of its own.
    pub agent: Option<String>,
    /// The minds by name, never none.
    pub minds: Vec<String>,
}

impl Route {
    /// Reads `MIND`, `AGENT=MIND` or `AGENT=OLD,NEW`; a mind may be told a text: `MIND with NAME`.
    pub fn parse(text: &str) -> Result<Self> {
        let (agent, minds) = match text.split_once('=') {
            // A URL may have one in it.
            Some((agent, minds)) if super::admit::is_name(agent) => {
                (Some(agent.to_string()), minds)
            }
            _ => (None, text),
        };
        let minds: Vec<String> = minds
            .split(',')
            .map(|mind| mind.trim().to_string())
            .filter(|mind| !mind.is_empty())
            .collect();
        if minds.is_empty() {
            return Err(Error::usage(format!("--mind {text}: names no mind"))
                .hint("MIND, AGENT=MIND, AGENT=OLD,NEW to have sessions answered by either; MIND with NAME is told prompts/NAME.toml"));
        }
        Ok(Self { agent, minds })
    }

    /// In words.
    pub fn told(&self) -> String {
        let who = self.agent.as_deref().unwrap_or("every agent");
        match &self.minds[..] {
            [one] => format!("{who}: {one}"),
            several => format!("{who}: {}, each session one of them", several.join(", ")),
        }
    }

    /// As it is read.
    pub fn text(&self) -> String {
        let minds = self.minds.join(",");
        self.agent.as_ref().map_or(minds.clone(), |agent| format!("{agent}={minds}"))
    }
}

/// The minds that are open, and who answers whom.
#[derive(Debug)]
pub struct Minds {
    store: Store,
    suite: Option<String>,
    open: BTreeMap<String, Arc<Mind>>,
    routes: Vec<Route>,
}

/// Minds that are to be opened: it takes seconds, and nobody waits for it who asks another one.
#[derive(Debug)]
pub(super) struct Lacking {
    root: PathBuf,
    suite: Option<String>,
    names: Vec<String>,
}

impl Lacking {
    pub fn open(self) -> Result<Vec<(String, Arc<Mind>)>> {
        if self.names.is_empty() {
            return Ok(Vec::new());
        }
        let store = Store::open(&self.root)?;
        let open = |name: String| Ok((name.clone(), Arc::new(self.start(&store, &name)?)));
        self.names.clone().into_iter().map(open).collect()
    }

    fn start(&self, store: &Store, name: &str) -> Result<Mind> {
        let named = Named::parse(name);
        let told = named.text.map(|text| system::text_of(&self.root, text)).transpose()?;
        let answers = self.answers(store, named)?;
        if told.is_some() {
            answers.reads_a_system_message(named.mind)?;
        }
        Ok(Mind { answers, told })
    }

    fn answers(&self, store: &Store, named: Named<'_>) -> Result<Answers> {
        let name = named.mind;
        if let Some(profile) = endpoint(store, name, self.suite.as_deref()) {
            // What only a URL names has no limits of a person's: those of the gateway hold.
            let profile = if minds::is_url(name) {
                Profile { concurrency: 256, max_reply_tokens: 1 << 17, ..profile }
            } else {
                profile
            };
            return Ok(Answers::Relay(Relay::open(profile)?));
        }
        if let Some((model, voice)) = self.speaker(store, named)? {
            return Ok(Answers::Speaking(Box::new(Speaking::start(model, voice)?)));
        }
        let suite = self.suite.as_deref();
        let mind = agent::open(store, Some(name), suite, Priority::Interactive)?;
        Ok(Answers::Playing(Playing::start(mind)?))
    }

    /// A model that is asked by its own template: one that was not made or trained here, unless a person
    /// says so of one that was.
    fn speaker(&self, store: &Store, named: Named<'_>) -> Result<Option<(Model, Voice)>> {
        let suite = self.suite.as_deref();
        if !is_asked_as_chat(store, named, suite) {
            return Ok(None);
        }
        let Named { mind: name, form, .. } = named;
        let (files, source) = agent::find(store, Some(name), suite)?;
        let model = files.build(&source)?;
        let voice = Voice::of(&files, &model)?;
        if voice.is_none() && form.is_some() {
            return Err(Error::usage(format!("{source} has no chat template"))
                .hint("without `as chat` it reads a conversation as the state of a game"));
        }
        Ok(voice.map(|voice| (model, voice)))
    }
}

/// The endpoint of a mind, if it is behind one.
fn endpoint(store: &Store, name: &str, suite: Option<&str>) -> Option<Profile> {
    match agent::locate(store, Some(name), suite) {
        Ok(Located::Endpoint(named)) => Some(*named),
        // Several roles in one name are a matter of `agent::open`.
        _ => minds::find(store.root(), name).ok().flatten(),
    }
    // One that is given tokens reads no conversations.
    .filter(|named| named.tokens_of.is_none())
    .map(|named| named.profile)
}

/// Whether a model is asked by its chat template, if it has one: where a person says so, or where it comes
/// from outside and nobody says otherwise.
fn is_asked_as_chat(store: &Store, named: Named<'_>, suite: Option<&str>) -> bool {
    let located = || agent::locate(store, Some(model_alone(named.mind)), suite);
    match named.form {
        Some(form) => form == Form::Chat,
        None => matches!(located(), Ok(Located::Folder(_) | Located::Hub(..))),
    }
}

/// Refuses a mind that is there and would not read a text that it is told: one of this program that reads
/// states.
pub(super) fn reads_a_system_message(store: &Store, named: Named<'_>) -> Result<()> {
    let name = named.mind;
    if endpoint(store, name, None).is_some() {
        return Ok(());
    }
    let calls = is_asked_as_chat(store, named, None) && {
        let (files, _) = agent::find(store, Some(name), None)?;
        Template::find(&files.beside)?.is_some_and(|template| Calling::of(&template).is_ok())
    };
    if calls { Ok(()) } else { Err(reads_states(name)) }
}

fn reads_states(name: &str) -> Error {
    Error::usage(format!("{name} reads a conversation as a state of a game, and no system message"))
        .hint("a text is read by a mind behind an endpoint, and by a chat model whose template writes tools")
}

/// The minds as they are shared: read by every call, changed between two.
pub(super) type Shared = Arc<Mutex<Minds>>;

impl Minds {
    /// None yet. `suite` says which model "newest" is.
    pub fn new(store: Store, suite: Option<String>) -> Self {
        Self { store, suite, open: BTreeMap::new(), routes: Vec::new() }
    }

    /// Opens what a route names and has it answer.
    pub fn route(&mut self, route: Route) -> Result<()> {
        let opened = self.lacking(&route).open()?;
        self.answer_by(route, opened);
        Ok(())
    }

    /// Has a mind answer one agent, told a text in place of that agent's system message; the name that
    /// its calls have.
    pub fn tell(&mut self, agent: &str, mind: &str, text: &str) -> Result<String> {
        let name = system::joined(mind, &digest::hex(digest::of([text])));
        let route = Route { agent: Some(agent.into()), minds: vec![mind.into()] };
        let named = Named::parse(mind);
        let answers = self.lacking(&route).answers(&self.store, named)?;
        answers.reads_a_system_message(named.mind)?;
        let opened = Arc::new(Mind { answers, told: Some(text.into()) });
        let route = Route { minds: vec![name.clone()], ..route };
        self.answer_by(route, vec![(name.clone(), opened)]);
        Ok(name)
    }

    /// What has to be opened before a route can be taken.
    pub(super) fn lacking(&self, route: &Route) -> Lacking {
        // A text is read anew each time: it may be another one under the same name.
        let lacks =
            |name: &&String| !self.open.contains_key(*name) || Named::parse(name).text.is_some();
        Lacking {
            root: self.store.root().to_path_buf(),
            suite: self.suite.clone(),
            names: route.minds.iter().filter(lacks).cloned().collect(),
        }
    }

    /// Has a route taken from now on; one for the same agent ends. Minds that no route names any more
    /// are let go, and close once what they were asked is answered.
    pub(super) fn answer_by(&mut self, route: Route, opened: Vec<(String, Arc<Mind>)>) {
        self.open.extend(opened);
        self.routes.retain(|known| known.agent != route.agent);
        self.routes.push(route);
        self.let_go();
    }

    /// Ends the route of an agent: every agent's mind answers it.
    pub(super) fn forget(&mut self, agent: &str) {
        self.routes.retain(|route| route.agent.as_deref() != Some(agent));
        self.let_go();
    }

    /// Lets go of minds that no route names any more.
    fn let_go(&mut self) {
        let named = |name: &String| self.routes.iter().any(|route| route.minds.contains(name));
        self.open.retain(|name, _| named(name));
    }

    /// Who answers an agent in a session, and the name: of several minds a session has the same one
    /// from its first call to its last, whichever process asks.
    pub(super) fn of(&self, agent: &str, session: &str) -> Option<(String, Arc<Mind>)> {
        let named = self.routes.iter().find(|route| route.agent.as_deref() == Some(agent));
        let route = named.or_else(|| self.routes.iter().find(|route| route.agent.is_none()))?;
        let place = digest::of([session]) % route.minds.len() as u64;
        let name = &route.minds[place as usize];
        let mind = Arc::clone(self.open.get(name)?);
        let own = mind.name().filter(|_| name == agent::NEWEST).map(str::to_string);
        Some((own.unwrap_or_else(|| name.clone()), mind))
    }

    /// Who answers whom, for people.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The names of all that answer.
    pub(super) fn names(&self) -> Vec<String> {
        self.open.keys().cloned().collect()
    }

    /// An endpoint among them, for what only an endpoint can do.
    pub(super) fn relay(&self) -> Option<Arc<Mind>> {
        self.open.values().find(|mind| mind.relay().is_some()).map(Arc::clone)
    }

    /// The store that it opens minds from.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// Reads them; a panic elsewhere leaves them as they were.
pub(super) fn read<T>(minds: &Shared, look: impl FnOnce(&Minds) -> T) -> T {
    look(&minds.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Changes them.
pub(super) fn change<T>(minds: &Shared, change: impl FnOnce(&mut Minds) -> T) -> T {
    change(&mut minds.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_names_an_agent_and_one_mind_or_several() {
        let route = Route::parse("player=novice,run 1 step 20").unwrap();
        assert_eq!(route.agent.as_deref(), Some("player"));
        assert_eq!(route.minds, ["novice", "run 1 step 20"]);
        let url = "http://127.0.0.1:8080/v1?a=b";
        assert_eq!(Route::parse(url).unwrap(), Route { agent: None, minds: vec![url.into()] });
        assert!(Route::parse("player=").is_err() && Route::parse(" , ").is_err());
    }

    #[test]
    fn a_session_keeps_its_mind_and_sessions_share_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut minds = Minds::new(Store::open(dir.path()).unwrap(), None);
        minds.route(Route::parse("novice").unwrap()).unwrap();
        minds.route(Route::parse("player=novice,embedded").unwrap()).unwrap();
        let of = |session: &str| minds.of("player", session).unwrap().0;
        assert_eq!(of("s/1"), of("s/1"));
        let counted = (0..100).filter(|i| of(&format!("s/{i}")) == "novice").count();
        assert!((30..70).contains(&counted), "{counted}");
        assert_eq!(minds.of("another", "s/1").unwrap().0, "novice");
        minds.route(Route::parse("player=embedded").unwrap()).unwrap();
        assert_eq!(minds.names(), ["embedded", "novice"]);
    }
}
