//! `foretaste model`: fresh models, packing one into a folder, asking one.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Common, number};
use crate::agent::HubName;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::memory;
use crate::model::tokenizer::Tokenizer;
use crate::model::weights::Trainable;
use crate::selection::{ALL, Criteria};
use crate::train::checkpoint;

/// Arguments of `foretaste model`.
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// An untrained model, with a tokenizer trained on the text in the store
    New {
        /// Layers
        #[arg(long, default_value_t = 4, value_parser = number::<usize>(1..=128))]
        layers: usize,
        /// Width; a multiple of 32
        #[arg(long, default_value_t = 192, value_parser = number::<usize>(32..=16_384))]
        hidden: usize,
        /// Tokens at most
        #[arg(long, default_value_t = 768, value_parser = number::<usize>(300..=262_144))]
        vocab: usize,
        /// Seed of the weights
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The tokenizer learns from data of this suite only
        #[arg(long)]
        suite: Option<String>,
        /// The tokenizer learns from this split only, and from nothing that is held out; `all` for
        /// every one
        #[arg(long, default_value = "train")]
        split: String,
        /// The folder to make
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// A model of the Hugging Face hub into the cache that other tools share; its name then means
    /// it wherever a model is named
    Fetch {
        /// ORG/NAME, ORG/NAME@REVISION, or ORG/NAME/FILE.gguf
        name: String,
    },
    /// What a model writes after a prompt
    Complete(super::complete::CompleteArgs),
    /// A checkpoint as a model folder (config.json, model.safetensors, tokenizer.json) without
    /// optimiser state
    Pack {
        /// embedded, a checkpoint's number, or a folder
        checkpoint: String,
        /// Store weights as f16
        #[arg(long)]
        half: bool,
        /// Add this adapter first: a folder with PEFT's two files
        #[arg(long, value_name = "DIR")]
        adapter: Option<PathBuf>,
        /// The folder to make
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

fn fetch(common: &Common, name: &str) -> Result<()> {
    let hub = HubName::parse(name).ok_or_else(|| {
        Error::usage(format!("`{name}` is no name of the hub"))
            .hint("like Qwen/Qwen3-0.6B, or ORG/NAME/FILE.gguf")
    })?;
    let mut live = common.out();
    let folder = hub.fetch(&Control::default(), &mut |progress| live.progress(&progress))?;
    let known = hub.pinned(&folder);
    common.out().line(&json!({"model": known, "path": folder.display().to_string()}), || {
        format!("{known} ({})", folder.display())
    });
    Ok(())
}

/// Runs the command.
pub fn run(common: &Common, args: ModelArgs) -> Result<()> {
    let store = common.store()?;
    let (weights, half, out) = match args.command {
        ModelCommand::Complete(args) => return super::complete::run(common, &args),
        ModelCommand::Fetch { name } => return fetch(common, &name),
        ModelCommand::New { layers, hidden, vocab, seed, suite, split, out } => {
            let criteria = Criteria {
                suite,
                split: Some(split).filter(|split| split != ALL),
                expert: Some(ALL.into()),
                pool: ALL.into(),
                rationales: true,
                ..Criteria::default()
            };
            let texts = crate::train::texts(&store, &criteria, true)?;
            if texts.is_empty() {
                return Err(Error::new(
                    "the store has no text of that split to train a tokenizer on",
                )
                .hint(format!(
                    "run: foretaste collect demos --suite {} --split train --games 500",
                    criteria.suite.as_deref().unwrap_or("household")
                )));
            }
            let tokenizer = Tokenizer::train(&texts, vocab)?;
            let config = Config::small(layers, hidden, tokenizer.vocab())?;
            // As they are drawn, by name, as bytes, and as a file.
            memory::room(16 * config.parameters(), "making the model")?;
            (Trainable::fresh(&config, Arc::new(tokenizer), seed)?, false, out)
        }
        ModelCommand::Pack { checkpoint, half, adapter, out } => {
            let (parts, source) = crate::agent::find(&store, Some(&checkpoint), None)?;
            let mut weights = Trainable::from_parts(&parts, &source)?;
            weights.adapter =
                adapter.map(|folder| checkpoint::peft(&folder, &weights.config)).transpose()?;
            weights.check_finite()?;
            (weights, half, out)
        }
    };
    if out.exists() {
        return Err(Error::new(format!("{}: already there", out.display()))
            .hint("name a folder that does not exist yet"));
    }
    let absolute = std::path::absolute(&out).map_err(|e| Error::io("finding", &out, &e))?;
    checkpoint::write_folder(&absolute, &weights.parts(half)?, &[], None)?;
    let count: usize = weights.weights.iter().map(Vec::len).sum();
    common.out().line(&json!({"folder": out.display().to_string(), "parameters": count}), || {
        format!("{} ({count} parameters)", out.display())
    });
    Ok(())
}
