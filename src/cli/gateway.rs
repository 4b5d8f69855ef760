//! `foretaste gateway`: agents of others ask their models here, and what they asked is looked at, curated
//! and trained on.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, Subcommand};
use regex::{Regex, RegexBuilder};
use serde_json::json;

use super::calls;
use super::out::tell;
use super::{Common, interruptible, number, real};
use crate::error::{Error, Result};
use crate::gateway::{self, Gateway, Limits, PORT, Route, Seen};
use crate::text::is_name;

/// Arguments of `foretaste gateway`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GatewayArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The sessions, newest first, with what they were worth
    Sessions,
    /// Who asked: agents are told apart by system message and tools, or by the name in their key
    Agents,
    /// The calls, oldest first
    Calls(calls::CallsArgs),
    /// One call with all that was said before it
    Show {
        /// The call's number
        call: i64,
    },
    /// Give an agent another name
    Name {
        /// Its name or number
        agent: String,
        /// The new name
        name: String,
    },
    /// Say what a session was worth
    #[command(allow_negative_numbers = true)]
    Reward {
        /// The session
        session: String,
        /// What it was worth; 1 counts as a success
        #[arg(value_parser = real(-1e9..=1e9))]
        value: f64,
    },
    /// What else a mind would have said in a call: nothing of it is executed
    Try(calls::TryArgs),
    /// Say which of two answers to a call is better; `train --objective dpo --captured AGENT` learns from
    /// that
    Prefer(calls::PreferArgs),
    /// Make demonstrations of an agent's rewarded conversations
    Take(calls::TakeArgs),
    /// Have another mind answer an agent from now on, in a gateway that runs too; without one, say who
    /// answers
    Route(calls::RouteArgs),
    /// Who answered an agent, and what the sessions were worth: old and new beside each other
    Compare {
        /// The agent (default: the only one)
        agent: Option<String>,
        /// Only games of this split, as their agent named them (POST /v1/world)
        #[arg(long)]
        split: Option<String>,
    },
}

/// Of the gateway itself.
#[derive(Debug, Args)]
struct ServeArgs {
    /// Who answers: MIND for every agent, AGENT=MIND for one, AGENT=OLD,NEW to have each session
    /// answered by either; a mind is embedded, novice, a checkpoint, a folder, an endpoint's URL, a
    /// name of config.toml (default: embedded). A folder's chat model is asked by its own template:
    /// `MIND as state`, `MIND as chat` say otherwise
    #[arg(long, value_name = "[AGENT=]MIND[,MIND]")]
    mind: Vec<String>,
    /// Sessions that may call, by the key fk-NAME (default: those that may already, else a new one)
    #[arg(long, value_name = "NAME")]
    session: Vec<String>,
    /// The port
    #[arg(long, default_value_t = PORT, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The address; anything but this machine's own is open to others who have a key
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// A name under which it may be asked beside its own addresses (host.docker.internal)
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Calls that are answered at once; as many wait eightfold, the rest is told to come again (429)
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = number::<usize>(1..=4096))]
    at_once: usize,
    /// A session's worth once its agent is told what matches: `^The game is over: won=1`
    #[arg(long, value_name = "REGEX=VALUE", value_parser = rule)]
    reward: Vec<(Regex, f64)>,
    /// Seconds that an answer may take
    #[arg(long, default_value_t = 600, value_name = "S", value_parser = number::<u64>(1..=86_400))]
    answer_s: u64,
}

/// Runs the command.
pub fn run(common: &Common, args: GatewayArgs) -> Result<()> {
    match args.what {
        None => serve(common, &args.serve),
        Some(What::Sessions) => calls::sessions(common),
        Some(What::Agents) => calls::agents(common),
        Some(What::Calls(args)) => calls::calls(common, &args),
        Some(What::Show { call }) => calls::show(common, call),
        Some(What::Name { agent, name }) => calls::name(common, &agent, &name),
        Some(What::Reward { session, value }) => calls::reward(common, &session, value),
        Some(What::Route(args)) => calls::route(common, &args),
        Some(What::Try(args)) => calls::again(common, &args),
        Some(What::Prefer(args)) => calls::prefer(common, &args),
        Some(What::Take(args)) => calls::take(common, &args),
        Some(What::Compare { agent, split }) => {
            calls::compare(common, agent.as_deref(), split.as_deref())
        }
    }
}

/// A rule of rewards.
fn rule(text: &str) -> std::result::Result<(Regex, f64), String> {
    let (pattern, value) = text.rsplit_once('=').ok_or("not REGEX=VALUE")?;
    let value = real(-1e9..=1e9)(value)?;
    // As the line stands by itself.
    let pattern = RegexBuilder::new(pattern).multi_line(true).size_limit(1 << 20).build();
    Ok((pattern.map_err(|e| e.to_string())?, value))
}

/// How often it is looked for calls to be told, and for other minds that are to answer.
const LOOK: Duration = Duration::from_millis(100);

fn serve(common: &Common, args: &ServeArgs) -> Result<()> {
    let mut store = common.store()?;
    for name in &args.session {
        if name.len() > 64 || !is_name(name) {
            return Err(Error::usage(format!(
                "--session {name}: a name has letters, digits, - and _"
            )));
        }
        store.open_session(name)?;
    }
    gateway::first_key(&mut store)?;
    let more = args.mind.iter().map(|route| Route::parse(route)).collect::<Result<Vec<_>>>()?;
    let mut routed = gateway::Routed::open(store.root(), &more)?;
    let minds = routed.minds()?;
    let told: Vec<String> = minds.routes().iter().map(Route::told).collect();
    let limits = Limits {
        at_once: args.at_once,
        waiting: args.at_once * 8,
        answer: Duration::from_secs(args.answer_s),
        hosts: args.allow_host.clone(),
        rules: args.reward.clone(),
        ..Limits::default()
    };
    let keys = store.keys()?;
    let control = interruptible()?;
    let served = Gateway::start((args.host, args.port), store, minds, limits)?;
    let out = common.out();
    let url = format!("http://{}", served.address);
    let row = json!({"url": url, "keys": keys.iter().map(|key| format!("fk-{key}")).collect::<Vec<_>>(),
        "routes": told});
    out.line(&row, || {
        let mut lines = vec![format!("listening at {url}/v1 (Ctrl-C ends it)")];
        lines.extend(told.iter().map(|route| format!("  {route}")));
        lines.extend(
            keys.iter().map(|key| format!("  key  fk-{key}  (fk-{key}.NAME names the agent)")),
        );
        lines.push(format!("  {url}/s/NAME/v1 is a session of its own below the key's"));
        lines.join("\n")
    });
    if !args.host.is_loopback() {
        tell("warning: others on the network can reach it, and a key opens it");
    }
    while !control.cancel.is_cancelled() {
        std::thread::sleep(LOOK);
        for (route, failed) in routed.renew(&served)? {
            tell(&failed.map_or(format!("{route}, from now on"), |error| {
                format!("{route}: {error}; whoever answered goes on")
            }));
        }
        for call in served.seen() {
            out.line(&json!(call), || line(&call));
        }
    }
    drop(served);
    tell("closed. Every answered call is in the store: foretaste gateway calls");
    Ok(())
}

fn line(call: &Seen) -> String {
    let Seen { session, mind, tokens: (prompt, answer), ms, said, .. } = call;
    let mark = if call.answered { "" } else { "FAILED " };
    format!(
        "call {:<5} {session}  {mind}  {prompt}+{answer} tokens  {ms} ms  {mark}{said}",
        call.call
    )
}
