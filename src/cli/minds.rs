//! `foretaste minds`: the endpoints of `config.toml`, and what is found there.

use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::{Common, interruptible};
use crate::agent::endpoint::{Found, Spent};
use crate::agent::minds::{self, Named};
use crate::agent::{self, Agent, Among, Ask, Can};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::experience::State;
use crate::model::sampler::Sampling;
use crate::store::Store;
use crate::text::counted;

/// Arguments of `foretaste minds`.
#[derive(Debug, Args)]
pub struct MindsArgs {
    /// The minds to be tested: names of config.toml, URLs (`http://127.0.0.1:8080/v1`, with #MODEL
    /// behind it), a model folder, a GGUF file, a checkpoint; all of config.toml without one
    names: Vec<String>,
    /// Only list them, and ask nobody
    #[arg(long)]
    list: bool,
}

/// States that a price is told for.
const PRICED: u64 = 100;

/// Runs the command.
pub fn run(common: &Common, args: &MindsArgs) -> Result<()> {
    let store = common.store()?;
    let out = common.out();
    let known = minds::all(store.root())?;
    let names: Vec<String> = if args.names.is_empty() {
        known.iter().map(|mind| mind.name.clone()).collect()
    } else {
        args.names.clone()
    };
    if names.is_empty() {
        let none = json!({"minds": []});
        out.line(&none, || {
            format!(
                "no minds in {}: docs/minds.md says how one is written down; foretaste minds URL \
                 tests one at once",
                store.root().join("config.toml").display()
            )
        });
        return Ok(());
    }
    let cancel = interruptible()?.cancel;
    let mut failed = 0;
    for name in &names {
        if args.list {
            let place = minds::find(store.root(), name)?.map(|mind| mind.profile.url);
            out.line(&json!({"mind": name, "url": place}), || {
                format!("{name}  {}", place.as_deref().unwrap_or("in this process"))
            });
            continue;
        }
        match tested(&store, name, &cancel) {
            Ok((row, lines)) => out.line(&row, || lines.join("\n")),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => {
                failed += 1;
                let next = error.next_step().unwrap_or_default();
                let row =
                    json!({"mind": name, "ok": false, "error": error.message(), "next": next});
                out.line(&row, || {
                    let next = if next.is_empty() {
                        String::new()
                    } else {
                        format!("\n        next: {next}")
                    };
                    format!("FAIL {name}: {}{next}", error.message())
                });
            }
        }
    }
    if failed == 0 {
        return Ok(());
    }
    Err(Error::new(format!("{} could not be asked", counted(failed, "mind"))))
}

/// A state that every mind understands.
fn example() -> State {
    State {
        task: "put a mug on the shelf.".into(),
        observation: "You are in the middle of a room. You see a desk 1 and a shelf 1.".into(),
        history: Vec::new(),
    }
}

/// A mind asked each of its questions once, as a row and as lines.
fn tested(store: &Store, name: &str, cancel: &Cancel) -> Result<(Value, Vec<String>)> {
    if let Some(mind) = minds::find(store.root(), name)? {
        if let Some(of) = &mind.tokens_of {
            return in_tokens(agent::serving(store, &mind, of)?, &mind, cancel);
        }
        let mut remote = agent::connect(store.root(), mind.clone())?;
        let mut row = found(remote.found(), &mind);
        let mut lines = said(remote.found(), remote.can(), &mind);
        let (sample, more) = sample(&mut remote, cancel)?;
        row["sample"] = sample;
        lines.extend(more);
        let characters = 2000;
        let each = remote.endpoint().estimate(characters, 160, PRICED);
        row["price_of_100"] = json!(each.cost);
        let price = each.cost.map_or("no price is set (price_in, price_out)".to_string(), |cost| {
            format!("about {cost:.4} at the prices that are set")
        });
        lines.push(format!(
            "     {PRICED} reflections: about {} tokens in, {} out; {price}",
            each.prompt_tokens, each.answer_tokens
        ));
        lines.push(spent(&remote.endpoint().spent()));
        return Ok((row, lines));
    }
    let (files, source) = agent::find(store, Some(name), None)?;
    let model = files.build(&source)?;
    let voice = agent::Voice::of(&files, &model)?;
    let tools = voice
        .map(|voice| voice.calls_nothing().map_or(Ok(voice.called()), |why| Err(why.to_string())));
    let dialect = crate::agent::prompt::Dialect::name(&model.tokenizer);
    let why = model.tokenizer.turns.as_ref().err().cloned().flatten();
    let own = model.tokenizer.system.is_some().then_some(", with its own system.txt");
    let config = model.decoder.config.clone();
    let mut mind = agent::local(model, crate::model::team::Priority::Interactive)?;
    let (sample, more) = sample(mind.as_mut(), cancel)?;
    let family = format!("{:?}", config.family);
    let row = json!({"mind": name, "ok": true, "family": family, "parameters": config.parameters(),
        "context": config.context, "scores": mind.can().scores, "dialect": dialect, "own_system": own.is_some(),
        "template_not_used": why, "tools": tools.as_ref().map(Result::is_ok), "sample": sample});
    let mut lines = vec![
        format!("ok   {name}"),
        format!(
            "     {family}, {} layers x {}, {:.1} million parameters, context {}; exact scores",
            config.layers,
            config.hidden,
            config.parameters() as f64 / 1e6,
            config.context
        ),
        format!("     parts of a prompt are told apart by {dialect}{}", own.unwrap_or_default()),
    ];
    lines.extend(why.map(|why| format!("     its chat template is not used for games: {why}")));
    lines.extend(tools.map(|tools| match tools {
        Ok(form) => format!("     calls tools of agents by its template: {form}"),
        Err(why) => format!("     is given no tools of agents: {why}"),
    }));
    lines.extend(more);
    Ok((row, lines))
}

/// The same of one that is given tokens.
fn in_tokens(
    mut mind: agent::served::ServedAgent,
    named: &Named,
    cancel: &Cancel,
) -> Result<(Value, Vec<String>)> {
    let mut row = found(mind.found(), named);
    row["tokens_of"] = json!(named.tokens_of);
    let mut lines = said(mind.found(), mind.can(), named);
    lines.push(format!("     as {}", mind.name()));
    let (sample, more) = sample(&mut mind, cancel)?;
    row["sample"] = sample;
    lines.extend(more);
    lines.push(spent(&mind.endpoint().spent()));
    Ok((row, lines))
}

fn spent(spent: &Spent) -> String {
    let about = if spent.estimated { " (estimated)" } else { "" };
    format!(
        "     spent here: {} tokens in, {} out{about}",
        spent.prompt_tokens, spent.answer_tokens
    )
}

fn found(found: &Found, mind: &Named) -> Value {
    json!({"mind": mind.name, "ok": true, "url": mind.profile.url, "server": found.server,
        "model": found.model, "models": found.models, "context": found.context,
        "scores": found.scores, "n": found.n, "logprobs": found.logprobs, "notes": found.notes})
}

fn said(found: &Found, Can { scores, .. }: Can, mind: &Named) -> Vec<String> {
    let context = found.context.map_or("unknown".into(), |context| context.to_string());
    let mut lines = vec![
        format!("ok   {} at {}", mind.name, mind.profile.url),
        format!(
            "     {}, model {}, context {context}; scores: {}; {}; {}",
            found.server.name(),
            found.model,
            scores.describe(),
            if found.n { "several answers at once" } else { "one answer at a time" },
            if found.logprobs { "gives log-probabilities" } else { "gives no log-probabilities" },
        ),
    ];
    lines.extend(found.notes.iter().map(|note| format!("     {note}")));
    lines
}

/// An action and a prediction in [`example`], and how long they took.
fn sample(mind: &mut dyn Agent, cancel: &Cancel) -> Result<(Value, Vec<String>)> {
    let state = example();
    let begun = Instant::now();
    let written = mind.act(&[Ask::about(&state, &[1])], Sampling::GREEDY, cancel)?;
    let action = written.into_iter().flatten().next().unwrap_or_default().text;
    let acted = begun.elapsed();
    let actions = ["go to desk 1".to_string()];
    let begun = Instant::now();
    let foreseen = mind.predict(&[Among::of(&state, &actions)], cancel, &mut |_, _, _| {})?;
    let prediction = foreseen.into_iter().flatten().next().unwrap_or_default();
    let foresaw = begun.elapsed();
    let row = json!({"action": action, "act_s": acted.as_secs_f64(), "prediction": prediction,
        "predict_s": foresaw.as_secs_f64()});
    let short = |text: &str| {
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.chars().take(90).collect::<String>()
    };
    let lines = vec![
        format!("     acts: {:?} ({:.1} s)", short(&action), acted.as_secs_f64()),
        format!(
            "     foresees of `go to desk 1`: {:?} ({:.1} s)",
            short(&prediction),
            foresaw.as_secs_f64()
        ),
    ];
    Ok((row, lines))
}
