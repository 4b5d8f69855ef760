//! What agents asked at the gateway: lists, one call, alternatives, demonstrations, old beside new.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::out::tell;
use super::{Common, interruptible, number, real};
use crate::error::Result;
use crate::gateway::{self, Again, Route, Wanted};
use crate::store::{CallRow, Called, Store};
use crate::text::counted;

/// Which calls are listed.
#[derive(Debug, Args)]
pub struct CallsArgs {
    /// Only of this session
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// Only of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only those in whose last message or reply this stands
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Go on with calls as they come, until Ctrl-C
    #[arg(long)]
    follow: bool,
}

/// How alternatives are asked for.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The call's number
    call: i64,
    /// How many
    #[arg(short, default_value_t = 4, value_parser = number::<usize>(1..=256))]
    k: usize,
    /// Who is asked (default: who answered the call)
    #[arg(long)]
    mind: Option<String>,
    /// At which temperature (default: the call's)
    #[arg(long, value_parser = real(0.0..=100.0))]
    temperature: Option<f64>,
    /// Seed of the answers
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Which answer to a call is better.
#[derive(Debug, Args)]
pub struct PreferArgs {
    /// The call's number
    call: i64,
    /// The better answer: 0 is what was said, 1 and up are the others in their order (without it, what is
    /// preferred so far is listed)
    #[arg(value_parser = number::<usize>(0..=1_000_000))]
    better: Option<usize>,
    /// Than which
    #[arg(long, default_value_t = 0, value_name = "ANSWER", value_parser = number::<usize>(0..=1_000_000))]
    over: usize,
    /// Neither of the two (BETTER, and --over) is better: take back what was said
    #[arg(long, requires = "better")]
    neither: bool,
}

/// Which conversations become demonstrations.
#[derive(Debug, Args)]
pub struct TakeArgs {
    /// The agent (default: the only one)
    agent: Option<String>,
    /// Only what was worth at least so much, which counts as a success
    #[arg(long, default_value_t = 1.0, value_name = "REWARD", value_parser = real(1e-9..=1e9))]
    least: f64,
    /// The suite that they are filed under where the agent did not say (POST /v1/world)
    #[arg(long, default_value = "household")]
    suite: String,
    /// Only this session and those below it
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// Only what this mind answered, and nobody else
    #[arg(long)]
    mind: Option<String>,
}

/// Who is to answer whom.
#[derive(Debug, Args)]
pub struct RouteArgs {
    /// MIND, AGENT=MIND, or AGENT=OLD,NEW
    #[arg(value_name = "[AGENT=]MIND[,MIND]")]
    route: Option<String>,
    /// Take the last of this agent's routes back (`every` is every agent's)
    #[arg(long, value_name = "AGENT", conflicts_with = "route")]
    back: Option<String>,
}

/// Which of two answers is better.
pub fn prefer(common: &Common, args: &PreferArgs) -> Result<()> {
    let mut store = common.store()?;
    let PreferArgs { call, better, over, neither } = *args;
    if let Some(better) = better {
        store.prefer(call, better, over, !neither)?;
    }
    answers(common, &store, call)
}

/// The answers to a call by number, with what is preferred among them.
fn answers(common: &Common, store: &Store, call: i64) -> Result<()> {
    let whole = store.call(call)?;
    let said = gateway::answers(store, &whole)?;
    let standing = store.preferences(call)?;
    let out = common.out();
    for (n, answer) in said.iter().enumerate() {
        let over: Vec<usize> =
            standing.iter().filter(|one| one.better == n).map(|one| one.worse).collect();
        let row = json!({"answer": n, "said": answer, "executed": n == 0, "better_than": over});
        out.line(&row, || {
            let said = answer.as_deref().unwrap_or("(no answer)");
            let over: Vec<String> = over.iter().map(ToString::to_string).collect();
            let over = match &over[..] {
                [] => String::new(),
                over => format!("  better than {}", over.join(", ")),
            };
            format!("{n} {said}{over}{}", if n == 0 { "" } else { "  UNEXECUTED" })
        });
    }
    Ok(())
}

/// Routes.
pub fn route(common: &Common, args: &RouteArgs) -> Result<()> {
    let mut store = common.store()?;
    if let Some(route) = &args.route {
        let route = Route::parse(route)?;
        gateway::add_route(&mut store, &route)?;
        // It may call later; more often the name was mistyped.
        let known: Vec<String> = store.agents()?.into_iter().map(|agent| agent.name).collect();
        if let Some(name) = route.agent.filter(|name| !known.contains(name)) {
            tell(&format!("note: no agent called {name} has asked yet ({})", known.join(", ")));
        }
    }
    if let Some(agent) = &args.back {
        gateway::take_back(&mut store, Some(agent.as_str()).filter(|agent| *agent != "every"))?;
    }
    let out = common.out();
    if gateway::routes(&store)?.is_empty() {
        let usual = Route { agent: None, minds: vec![gateway::USUAL.into()] };
        let row = json!({"agent": null, "minds": usual.minds});
        out.line(&row, || format!("{} (or as a gateway is started: --mind)", usual.told()));
    }
    for route in gateway::current(&gateway::routes(&store)?) {
        let row = json!({"agent": route.agent, "minds": route.minds});
        out.line(&row, || route.told());
    }
    Ok(())
}

/// Lists sessions.
pub fn sessions(common: &Common) -> Result<()> {
    let out = common.out();
    for row in common.store()?.sessions()? {
        out.line(&json!(row), || {
            let reward = row.reward.map_or("no reward".into(), |reward| format!("reward {reward}"));
            let failed =
                if row.failed > 0 { format!(" ({} failed)", row.failed) } else { String::new() };
            format!(
                "{}  {}{failed}, {} tokens, {reward}",
                row.name,
                counted(row.calls, "call"),
                row.tokens
            )
        });
    }
    Ok(())
}

/// Lists agents.
pub fn agents(common: &Common) -> Result<()> {
    let out = common.out();
    for row in common.store()?.agents()? {
        out.line(&json!(row), || {
            let cost = row.cost.map(|cost| format!(", cost {cost:.4}")).unwrap_or_default();
            let tools = if row.tools.is_empty() {
                "no tools".into()
            } else {
                format!("tools {}", row.tools)
            };
            let system: String = row.system.chars().take(70).collect();
            format!(
                "{}  {} in {}, {}+{} tokens{cost}\n   {tools}; told: {}",
                row.name,
                counted(row.calls, "call"),
                counted(row.sessions, "session"),
                row.prompt_tokens,
                row.answer_tokens,
                if system.is_empty() { "nothing".into() } else { format!("“{system}”") }
            )
        });
    }
    Ok(())
}

/// How often it is looked for new calls.
const LOOK: Duration = Duration::from_millis(300);

/// Lists calls.
pub fn calls(common: &Common, args: &CallsArgs) -> Result<()> {
    let store = common.store()?;
    let out = common.out();
    let CallsArgs { session, agent, search, follow } = args;
    let agent = agent.as_ref().map(|name| store.called_agent(name)).transpose()?;
    let mut which = Called {
        session: session.clone(),
        agent: agent.map(|agent| agent.id),
        search: search.clone(),
        after: 0,
    };
    let control = interruptible()?;
    loop {
        for row in store.calls(&which)? {
            which.after = row.id;
            let (_, said, _) = gateway::lines(&store, &row)?;
            out.line(&json!(row), || line(&row, &said));
        }
        if !follow || control.cancel.is_cancelled() {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

fn line(row: &CallRow, said: &str) -> String {
    let exact = if row.exact { "" } else { " (tokens not given)" };
    format!(
        "call {}  {}  {}  {}  {}  {}+{} tokens{exact}  {} ms  {said}",
        row.id,
        row.session,
        row.agent,
        row.relation.as_str(),
        row.mind,
        row.prompt_tokens,
        row.answer_tokens,
        row.ms
    )
}

/// Shows one call.
pub fn show(common: &Common, call: i64) -> Result<()> {
    let store = common.store()?;
    let mut row = json!(store.call(call)?);
    row["alternatives"] = json!(store.call_alternatives(call)?);
    let (title, lines) = gateway::page(&store, call)?;
    common.out().line(&row, || format!("{title}\n{}", lines.join("\n")));
    Ok(())
}

/// Renames an agent.
pub fn name(common: &Common, who: &str, name: &str) -> Result<()> {
    let mut store = common.store()?;
    let known = store.called_agent(who)?;
    gateway::rename(&mut store, &known, name)?;
    common.out().line(&json!({"agent": known.id, "name": name}), || {
        format!("{} is called {name} now", known.name)
    });
    Ok(())
}

/// Says what a session was worth.
pub fn reward(common: &Common, session: &str, value: f64) -> Result<()> {
    let mut store = common.store()?;
    gateway::reward(&mut store, session, value)?;
    common.out().line(&json!({"session": session, "reward": value}), || {
        format!("{session}: reward {value}")
    });
    Ok(())
}

/// Asks again.
pub fn again(common: &Common, args: &TryArgs) -> Result<()> {
    let mut store = common.store()?;
    let call = store.call(args.call)?;
    let how = Again { count: args.k, temperature: args.temperature, seed: args.seed };
    let cancel = interruptible()?.cancel;
    let others = gateway::again(&mut store, &call, args.mind.as_deref(), how, &cancel)?;
    if others < args.k {
        let temperature = args.temperature.or_else(|| call.request["temperature"].as_f64());
        let hint = match temperature {
            Some(0.0) => "; at temperature 0 nothing else comes: --temperature 1",
            _ => "",
        };
        tell(&format!("{} of {} were what was said{hint}", args.k - others, args.k));
    }
    answers(common, &store, args.call)
}

/// Makes demonstrations.
pub fn take(common: &Common, args: &TakeArgs) -> Result<()> {
    let mut store = common.store()?;
    let who = gateway::one_agent(&store, args.agent.as_deref())?;
    let TakeArgs { least, suite, session, mind, .. } = args;
    let wanted = Wanted {
        least: *least,
        suite: suite.clone(),
        session: session.clone(),
        mind: mind.clone(),
    };
    let found = gateway::take(&mut store, &who, &wanted)?;
    common.out().line(&json!({"agent": who.name, "taken": found}), || {
        let mut lines = vec![found.told(&who.name)];
        let train = |command: &String| format!("train on them: {command}");
        lines.extend(found.commands(&who.name).iter().map(train));
        lines.join("\n")
    });
    Ok(())
}

/// Old beside new.
pub fn compare(common: &Common, name: Option<&str>, split: Option<&str>) -> Result<()> {
    let store: Store = common.store()?;
    let who = gateway::one_agent(&store, name)?;
    let found = gateway::sides(&store, &who, split)?;
    common.out().line(&json!(found), || found.told().join("\n"));
    Ok(())
}
