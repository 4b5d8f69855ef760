//! Model folders in Hugging Face's layout, and GGUF files: what is read is checked, what is written
//! is whole.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Model;
use super::away::{Away, Distant};
use super::beside::{self, Origin, SYSTEM};
use super::config::Config;
use super::decoder::Decoder;
use super::device::Device;
use super::files::{Tensors, serialize};
use super::gguf;
use super::lora::Adapter;
use super::matrix::Matrix;
use super::memory;
use super::params::Buffers;
use super::said::Said;
use super::step::{Net, Products};
use super::template::Template;
use super::tokenizer::Tokenizer;
use super::workspace::Workspace;
use crate::error::{Error, Result};
use crate::paths;
use crate::place::{Computing, Place};
use crate::rng::Rng;

/// Where the weights of a model are.
#[derive(Debug, Clone)]
pub enum Stored {
    /// A safetensors file in memory.
    Memory(Cow<'static, [u8]>),
    /// A folder with `model.safetensors`, or with shards.
    Folder(PathBuf),
    /// A GGUF file, which has the shape as well; for inference.
    Gguf(PathBuf),
    /// Not here.
    Away(Away),
}

/// What is said of such a name where a model is to be trained or packed.
pub fn for_inference(name: &str) -> Error {
    let odd = Error::new(format!("{name}: {} is for inference", Computing::of(name).1));
    odd.hint("name the model alone (training says it otherwise: --bf16, --engine candle)")
}

/// The files of a model.
#[derive(Debug, Clone)]
pub struct ModelFiles {
    /// `config.json`; empty for GGUF.
    pub config: Vec<u8>,
    /// The weights.
    pub tensors: Stored,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// What else stands beside weights and is carried along ([`beside::FILES`]), by name.
    pub beside: Vec<(String, Vec<u8>)>,
    /// By what it is computed at inference.
    pub by: Computing,
}

impl ModelFiles {
    /// The files of a folder, or a `.gguf` file, with the `tokenizer.json` beside it or the
    /// tokenizer in it. Weights are read later.
    pub fn read(path: &Path) -> Result<Self> {
        let mut parts = Self::network(path)?;
        let gguf = parts.config.is_empty();
        let folder = if gguf { path.parent().unwrap_or(Path::new("")) } else { path };
        let tokenizer = folder.join("tokenizer.json");
        if gguf && !tokenizer.exists() {
            let inside = gguf::vocabulary(path)?;
            let mut beside = inside.beside;
            beside.extend(beside::read(folder)?.into_iter().filter(|(name, _)| name == SYSTEM));
            return Ok(Self { tokenizer: inside.tokenizer, beside, ..parts });
        }
        parts.tokenizer = read_file(&tokenizer)?;
        parts.beside = beside::read(folder)?;
        Ok(parts)
    }

    /// The same without a tokenizer.
    pub fn network(path: &Path) -> Result<Self> {
        let gguf = path.extension().is_some_and(|extension| extension == "gguf");
        let (config, tensors) = if gguf {
            (Vec::new(), Stored::Gguf(path.to_path_buf()))
        } else {
            (read_file(&path.join("config.json"))?, Stored::Folder(path.to_path_buf()))
        };
        Ok(Self { config, tensors, tokenizer: Vec::new(), beside: Vec::new(), by: Computing::F32 })
    }

    /// The shape and the tokenizer alone, wherever the weights are; `source` names them in errors.
    pub fn reader(&self, source: &str) -> Result<(Config, Tokenizer)> {
        let config = self.shape().map_err(|error| error.at(source))?;
        let tokenizer = self.tokenizer(source, &config)?;
        Ok((config, tokenizer))
    }

    /// The shape, of what is no GGUF file.
    fn shape(&self) -> Result<Config> {
        if matches!(self.tensors, Stored::Gguf(_)) {
            return Err(Error::new("a GGUF file is for inference").hint(
                "name the model folder (config.json, model.safetensors) that it was made from",
            ));
        }
        Config::parse(&self.config)
    }

    /// Shape and tensors, whose names are known.
    fn opened(&self) -> Result<(Config, Tensors<'_>)> {
        let config = self.shape()?;
        let tensors = match &self.tensors {
            Stored::Memory(bytes) => Tensors::from_bytes(bytes, "model.safetensors")?,
            Stored::Folder(folder) | Stored::Gguf(folder) => Tensors::from_folder(folder)?,
            Stored::Away(away) => return Err(away.error()),
        };
        let shapes = config.tensors();
        let known: HashSet<&str> = shapes.iter().map(|(name, _)| name.as_str()).collect();
        // Positions that old files keep, and the head of a model whose head is the embedding: both
        // follow from what is read.
        let follows = |name: &str| {
            name.ends_with(".rotary_emb.inv_freq") || config.tied && name == "lm_head.weight"
        };
        if let Some(odd) = tensors.names().find(|name| !known.contains(name) && !follows(name)) {
            let odd = Error::new(format!(
                "tensor `{odd}` has no place in a {:?} of {} layers",
                config.family, config.layers
            ));
            return Err(odd.hint(
                "this program cannot run the model: what that tensor does is not known here",
            ));
        }
        Ok((config, tensors))
    }

    /// Shape and weights, to be trained.
    pub fn weights(&self) -> Result<(Config, Buffers)> {
        let (config, tensors) = self.opened()?;
        // The largest is there twice while it is read: as it is stored, and as numbers.
        memory::room(4 * (config.parameters() + config.largest()), "the model")?;
        let shapes = config.tensors();
        let weights = shapes.iter().map(|(name, shape)| tensors.numbers(name, shape));
        Ok((config, weights.collect::<Result<_>>()?))
    }

    /// The network for inference.
    pub fn decoder(&self) -> Result<Decoder> {
        if let Stored::Gguf(path) = &self.tensors {
            let (config, weights) = gguf::read(path)?;
            let in_codes = |weight: &Matrix| matches!(weight, Matrix::Quantized(_));
            if self.by == Computing::Bf16 && weights.iter().any(in_codes) {
                let odd = Error::new(format!("{} has quantised weights", path.display()));
                return Err(odd.hint(format!(
                    "products in bf16 ({}) are for weights in F32, F16 and BF16",
                    self.by
                )));
            }
            if self.by == Computing::On(Place::Cpu) {
                // Codes are numbers there.
                memory::room(4 * config.parameters(), "the model")?;
            }
            return Decoder::new(config, weights.into_iter().map(Ok), self.by);
        }
        let (config, tensors) = self.opened()?;
        // Each is laid out as it is read, and only one is there as numbers as well.
        let each = match self.by {
            Computing::F32 | Computing::On(Place::Cpu) => 4,
            Computing::Bf16 => 2,
            Computing::On(_) => 0,
        };
        memory::room(each * config.parameters() + 4 * config.largest(), "the model")?;
        let shapes = config.tensors();
        let weights = shapes.iter().map(|(name, shape)| {
            let width = shape.last().copied().unwrap_or(1);
            let mut data = tensors.numbers(name, shape)?;
            // Gemma's files have gains less 1.
            if config.is_gemma() && name.ends_with("norm.weight") {
                for gain in &mut data {
                    *gain += 1.0;
                }
            }
            Ok(Matrix::Full { width, data })
        });
        Decoder::new(config.clone(), weights, self.by)
    }

    /// Checks and assembles them for inference; `source` names the model in errors and on screens.
    pub fn build(&self, source: &str) -> Result<Model> {
        let located = |error: Error| {
            // A file's own errors begin with its name.
            let error = if error.message().starts_with(source) { error } else { error.at(source) };
            error.hint("the model is damaged or of another kind; fetch or train it again")
        };
        let decoder = self.decoder().map_err(located)?;
        let tokenizer = Arc::new(self.tokenizer(source, &decoder.config)?);
        Ok(Model { decoder: Arc::new(decoder), tokenizer, source: source.to_string() })
    }

    /// What the files beside a tokenizer say of its tokens.
    fn said(&self) -> Result<Said> {
        Said::read(&self.config, &self.beside)
    }

    /// The tokenizer of these files, for a model of that shape; `source` names them in errors.
    pub fn tokenizer(&self, source: &str, config: &Config) -> Result<Tokenizer> {
        let tokenizer = Tokenizer::parse(&self.tokenizer);
        let tokenizer = tokenizer.and_then(|tokenizer| tokenizer.told_by(&self.said()?));
        let mut tokenizer = tokenizer.map_err(|error| error.at(source))?;
        if let Some(template) = Template::find(&self.beside).map_err(|error| error.at(source))? {
            tokenizer = tokenizer.speaking(&template);
        }
        tokenizer = beside::system(&self.beside)
            .and_then(|system| tokenizer.told_first(system))
            .map_err(|error| error.at(source))?;
        if tokenizer.vocab() > config.vocab {
            let theirs = tokenizer.vocab();
            let ours = config.vocab;
            let odd = Error::new(format!(
                "{source}: the tokenizer has {theirs} tokens, the model only {ours}"
            ));
            return Err(odd.hint("take the tokenizer.json that the model was trained with"));
        }
        Ok(tokenizer)
    }
}

/// A configuration or a tokenizer has at most so many bytes: the largest have some 35 MB.
const TEXT: u64 = 256 << 20;

pub(super) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Error::io("reading the model file", path, &e);
    let mut bytes = paths::read_whole(path, TEXT).map_err(failed)?;
    // Some editors put a mark in front of UTF-8.
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

/// Weights in the order of [`Config::tensors`], for inference.
pub fn matrices(config: &Config, weights: Buffers) -> Vec<Matrix> {
    let each = config.tensors().into_iter().zip(weights);
    each.map(|((_, shape), data)| Matrix::Full { width: shape.last().copied().unwrap_or(1), data })
        .collect()
}

/// A model whose weights can be trained.
#[derive(Debug, Clone)]
pub struct Trainable {
    /// Its shape.
    pub config: Config,
    /// The weights, in the order of [`Config::tensors`].
    pub weights: Buffers,
    /// Its tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// The adapter that is trained in place of the weights, if there is one.
    pub adapter: Option<Adapter>,
    /// Buffers that updates work with.
    pub workspace: Arc<Workspace>,
    /// Where its batches are computed, if not here. Under an adapter the weights are taken there once: they
    /// must not be changed then.
    pub device: Option<Device>,
    /// What it was read from, which is written again with it; nothing of a fresh one.
    pub origin: Option<Arc<Origin>>,
    /// Where the weights lie, if that is not here: there are none then, and only an adapter is trained.
    pub away: Option<Distant>,
}

impl Trainable {
    /// The network that they are.
    pub fn net(&self) -> Net<'_> {
        Net {
            config: &self.config,
            weights: &self.weights,
            adapter: self.adapter.as_ref(),
            recompute: false,
            products: Products::F32,
            workspace: &self.workspace,
            device: self.device.as_ref(),
        }
    }

    /// What is trained, in the order of [`Net::shapes`].
    pub fn trained(&mut self) -> &mut Buffers {
        self.adapter.as_mut().map_or(&mut self.weights, |adapter| &mut adapter.weights)
    }

    /// The weights of a model's files, to be trained on.
    pub fn from_parts(parts: &ModelFiles, source: &str) -> Result<Self> {
        if parts.by != Computing::F32 {
            return Err(for_inference(source));
        }
        let (config, weights) = parts.weights().map_err(|error| error.at(source))?;
        let tokenizer = Arc::new(parts.tokenizer(source, &config)?);
        let origin = Some(Arc::new(Origin::of(parts)));
        Ok(Self { origin, ..Self::of(config, weights, tokenizer) })
    }

    /// The same without the weights, which lie somewhere else.
    pub fn of_shape(parts: &ModelFiles, source: &str, place: Distant) -> Result<Self> {
        if parts.by != Computing::F32 {
            return Err(for_inference(source));
        }
        let (config, tokenizer) = parts.reader(source)?;
        let origin = Some(Arc::new(Origin::of(parts)));
        let own = Self::of(config, Buffers::new(), Arc::new(tokenizer));
        Ok(Self { origin, away: Some(place), ..own })
    }

    /// Weights as they are, with nothing beside them.
    fn of(config: Config, weights: Buffers, tokenizer: Arc<Tokenizer>) -> Self {
        let workspace = Arc::default();
        let (adapter, device, origin, away) = (None, None, None, None);
        Self { config, weights, tokenizer, adapter, workspace, device, origin, away }
    }

    /// A fresh model: normal weights of deviation 0.02 (residual outputs scaled down by depth),
    /// norms at one.
    pub fn fresh(config: &Config, tokenizer: Arc<Tokenizer>, seed: u64) -> Result<Self> {
        memory::room(4 * config.parameters(), "the model")?;
        let mut rng = Rng::stream(seed, "weights");
        let mut weights = Buffers::new();
        for (name, shape) in config.tensors() {
            let count: usize = shape.iter().product();
            let output = name.contains("o_proj") || name.contains("down_proj");
            let deviation = if output { 0.02 / (2.0 * config.layers as f64).sqrt() } else { 0.02 };
            weights.push(if shape.len() == 1 {
                vec![1.0; count]
            } else {
                (0..count).map(|_| (normal(&mut rng) * deviation) as f32).collect()
            });
        }
        Ok(Self::of(config.clone(), weights, tokenizer))
    }

    /// An error for weights that are not finite numbers, by name: an adapter may make them so when
    /// it is merged.
    pub fn check_finite(&self) -> Result<()> {
        match self
            .named()
            .into_iter()
            .find(|(_, data, _)| data.iter().any(|value| !value.is_finite()))
        {
            Some((name, ..)) => Err(Error::new(format!(
                "tensor `{name}` would hold values that are not finite numbers"
            ))
            .hint("the adapter's numbers are too large for this model")),
            None => Ok(()),
        }
    }

    /// The weights with their names and shapes, an adapter merged into them; of weights that are not here, the
    /// adapter's own.
    pub fn named(&self) -> Vec<(String, Vec<f32>, Vec<usize>)> {
        if let (Some(_), Some(own)) = (&self.away, &self.adapter) {
            let each = own.shapes().iter().cloned().zip(own.weights.clone());
            return each.map(|((name, shape), data)| (name, data, shape)).collect();
        }
        let mut weights = self.weights.clone();
        if let Some(adapter) = &self.adapter {
            adapter.merge(&mut weights);
        }
        let shapes = self.config.tensors().into_iter();
        shapes.zip(weights).map(|((name, shape), data)| (name, data, shape)).collect()
    }

    /// The same for inference, as they are now.
    pub fn model(&self, source: &str) -> Result<Model> {
        let mut weights = self.weights.clone();
        if let Some(adapter) = &self.adapter {
            adapter.merge(&mut weights);
        }
        let config = &self.config;
        let weights = matrices(config, weights).into_iter().map(Ok);
        let decoder = Arc::new(match &self.device {
            Some(device) => Decoder::on(device.clone(), config.clone(), weights)?,
            None => Decoder::new(config.clone(), weights, Computing::F32)?,
        });
        let tokenizer = self.tokenizer.clone();
        Ok(Model { decoder, tokenizer, source: source.to_string() })
    }

    /// The weights as the files of a model folder, with all that stood beside them where they were
    /// read: in f16 if `half`.
    pub fn parts(&self, half: bool) -> Result<ModelFiles> {
        let tensors = match (&self.away, &self.adapter) {
            (None, _) => Stored::Memory(serialize(&self.named(), half)?.into()),
            (Some(place), Some(own)) => {
                let (settings, adapter) = own.to_peft(&place.folder)?;
                Stored::Away(Away { place: place.clone(), adapter, settings })
            }
            (Some(_), None) => return Err(Error::new("weights that are not here, and no adapter")),
        };
        let by = Computing::F32;
        if let Some(origin) = &self.origin {
            let config = origin.config(half)?;
            let (tokenizer, beside) = (origin.tokenizer.clone(), origin.beside.clone());
            return Ok(ModelFiles { config, tensors, tokenizer, beside, by });
        }
        let config = serde_json::to_vec_pretty(&self.config.to_json(self.tokenizer.end));
        Ok(ModelFiles {
            config: config.map_err(|e| Error::new(format!("config.json: {e}")))?,
            tensors,
            tokenizer: self.tokenizer.to_json()?.into_bytes(),
            beside: Vec::new(),
            by,
        })
    }
}

fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.unit()).ln()).sqrt() * (std::f64::consts::TAU * rng.unit()).cos()
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
