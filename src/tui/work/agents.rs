//! Agents of others: what they asked, and the gateway that they ask.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Mailbox, Worker};
use crate::control::{Cancel, Control, Progress};
use crate::error::Result;
use crate::gateway::{self, Again, Gateway, Limits, PORT, Route, Wanted};
use crate::guard::guarded;
use crate::store::{Called, Store};
use crate::text::counted;
use crate::tui::effect::{AgentsCmd, Notice};
use crate::tui::msg::{JobMsg, Msg};
use crate::tui::screen::Screen;
use crate::tui::screens::agents::{Answers, Listed, Msg as Told, SESSIONS, Seen};

/// How often it is looked for calls and for other minds that are to answer.
const LOOK: Duration = Duration::from_millis(200);

/// Calls of a session that are listed.
const CALLS: usize = 2000;

/// Is the gateway until it is told to end.
pub(super) fn listen(
    root: &Path,
    control: &Control,
    tell: &mut dyn FnMut(JobMsg),
    mail: &Mailbox,
) -> Result<String> {
    let mut store = Store::open(root)?;
    let key = gateway::first_key(&mut store)?;
    let mut routed = gateway::Routed::open(root, &[])?;
    let address = (IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
    let minds = routed.minds()?;
    let served = Gateway::start(address, store, minds, Limits::default())?;
    let place = format!("http://{}/v1", served.address);
    mail.send(Msg::Notice(Notice::info(format!("agents call at {place} with the key fk-{key}"))));
    let mut calls = 0;
    while !control.cancel.is_cancelled() {
        for (route, failed) in routed.renew(&served)? {
            let text =
                failed.map_or(format!("{route} from now on"), |error| format!("{route}: {error}"));
            mail.send(Msg::Notice(Notice::info(text)));
        }
        calls += served.seen().len() as u64;
        let doing = format!("gateway {} fk-{key} calls", served.address);
        tell(JobMsg::Progress(Progress { doing, done: calls, total: 0, rate: 0.0, left_s: None }));
        std::thread::sleep(LOOK);
    }
    drop(served);
    Ok(format!("the gateway is closed: {} answered", counted(calls, "call")))
}

/// Starts the thread that looks at calls.
pub fn start(root: PathBuf, mail: Mailbox) -> Worker<AgentsCmd> {
    let own = mail.clone();
    // Opened when it is first wanted, and kept: it is looked twice a second.
    let mut open: Option<Store> = None;
    Worker::start("the calls", &own, move |command| {
        guarded("the calls", || {
            let store = match &mut open {
                Some(store) => store,
                None => open.insert(Store::open(&root)?),
            };
            obey(store, &mail, command)
        })
    })
}

fn obey(store: &mut Store, mail: &Mailbox, command: AgentsCmd) -> Result<()> {
    let say = |text: String| mail.send(Msg::Notice(Notice::info(text)));
    match command {
        AgentsCmd::Look => {}
        AgentsCmd::Calls(session, search) => {
            let calls = listed(store, &session, search)?;
            mail.send(Msg::from(Told::Calls(session, calls)));
            return Ok(());
        }
        AgentsCmd::Read(call) => {
            let (title, lines) = gateway::page(store, call)?;
            mail.send(Msg::Text(Screen::Agents, title, lines));
            return Ok(());
        }
        AgentsCmd::Compare(agent) => {
            let who = store.agent(agent)?;
            let lines = gateway::sides(store, &who, None)?.told();
            mail.send(Msg::Text(Screen::Agents, format!("who answered {}", who.name), lines));
            return Ok(());
        }
        AgentsCmd::Reward(session, value) => {
            gateway::reward(store, &session, value)?;
            say(format!("{session}: reward {value}"));
        }
        AgentsCmd::Name(agent, name) => {
            let known = store.agent(agent)?;
            gateway::rename(store, &known, &name)?;
            say(format!("it is called {name} now"));
        }
        AgentsCmd::Take(agent) => {
            let who = store.agent(agent)?;
            let found = gateway::take(store, &who, &Wanted::default())?;
            say(found.told(&who.name));
        }
        AgentsCmd::Route(text) => {
            gateway::add_route(store, &Route::parse(&text)?)?;
        }
        AgentsCmd::Back(agent) => gateway::take_back(store, Some(&agent))?,
        AgentsCmd::Prefer(call, said) => {
            if let Some((better, over, stands)) = said {
                store.prefer(call, better, over, stands)?;
            }
            let whole = store.call(call)?;
            let answers = gateway::answers(store, &whole)?;
            let standing = store.preferences(call)?;
            mail.send(Msg::from(Told::Answers(Answers { call, answers, standing })));
            return Ok(());
        }
        AgentsCmd::Try(call, count) => {
            let whole = store.call(call)?;
            let how = Again { count, temperature: Some(1.0), seed: 1 };
            if gateway::again(store, &whole, None, how, &Cancel::default())? == 0 {
                say(format!("{count} answers, all of them what was said"));
            }
            let (title, lines) = gateway::page(store, call)?;
            mail.send(Msg::Text(Screen::Agents, title, lines));
        }
    }
    let all = store.sessions()?;
    let total = all.len();
    let sessions = all.into_iter().take(SESSIONS).collect();
    let routes = gateway::current(&gateway::routes(store)?);
    let mut routes: Vec<String> = routes.iter().map(Route::told).collect();
    if routes.is_empty() {
        routes.push("every agent: embedded".into());
    }
    mail.send(Msg::from(Told::Seen(Seen { sessions, total, agents: store.agents()?, routes })));
    Ok(())
}

/// The calls of a session as they are listed, the last ones of very many.
fn listed(store: &Store, session: &str, search: Option<String>) -> Result<Vec<Listed>> {
    let which = Called { session: Some(session.to_string()), search, ..Called::default() };
    let all = store.calls(&which)?;
    let from = all.len().saturating_sub(CALLS);
    let one = |row: &crate::store::CallRow| {
        let (asked, said, others) = gateway::lines(store, row)?;
        Ok(Listed { row: row.clone(), asked, said, others })
    };
    all[from..].iter().map(one).collect()
}
