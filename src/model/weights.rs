//! Model files in Hugging Face's layout: read with every length checked, written atomically.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use safetensors::{SafeTensors, tensor::TensorView};

use super::Model;
use super::config::Config;
use super::decoder::Decoder;
use super::lora::Adapter;
use super::step::{Buffers, Net};
use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// The three files of a model.
#[derive(Debug)]
pub struct Parts {
    /// `config.json`.
    pub config: Vec<u8>,
    /// `model.safetensors`.
    pub tensors: Vec<u8>,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
}

impl Parts {
    /// Reads the files of a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let file = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|e| Error::io("reading the model file", &path, &e))
        };
        Ok(Self { config: file("config.json")?, tensors: file("model.safetensors")?, tokenizer: file("tokenizer.json")? })
    }

    /// Checks and assembles them; `source` names the model in errors and on screens.
    pub fn build(&self, source: &str) -> Result<Model> {
        let located =
            |error: Error| error.at(source).hint("the model is damaged or of another kind; fetch or train it again");
        let config = Config::parse(&self.config).map_err(|error| error.at(source))?;
        let tokenizer = Tokenizer::parse(&self.tokenizer).map_err(|error| error.at(source))?;
        if tokenizer.vocab() > config.vocab {
            return Err(located(Error::new(format!(
                "the tokenizer has {} tokens, the model only {}",
                tokenizer.vocab(),
                config.vocab
            ))));
        }
        let tensors = parse_tensors(&self.tensors).map_err(located)?;
        let decoder = Decoder::new(config, &tensors).map_err(located)?;
        Ok(Model { decoder: Arc::new(decoder), tokenizer: Arc::new(tokenizer), source: source.to_string() })
    }
}

/// Tensors of a safetensors file as f32. The header is checked against the file's length before anything is allocated.
pub fn parse_tensors(bytes: &[u8]) -> Result<HashMap<String, Tensor>> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| Error::new(format!("model.safetensors: {e}")))?;
    let mut out = HashMap::new();
    for (name, view) in file.tensors() {
        let dtype = match view.dtype() {
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            other => return Err(Error::new(format!("tensor `{name}` has type {other:?}; f32, f16 and bf16 are read"))),
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?.to_dtype(DType::F32)?;
        let sum: f32 = tensor.sum_all()?.to_scalar()?;
        if !sum.is_finite() {
            return Err(Error::new(format!("tensor `{name}` holds values that are not finite numbers")));
        }
        out.insert(name, tensor);
    }
    Ok(out)
}

/// The weights of a `model.safetensors` file, read tensor by tensor, so that a large model is in memory once. Every
/// length is checked against the file's before anything is allocated.
pub fn read_flat(path: &Path, config: &Config) -> Result<Buffers> {
    let bad = |what: String| Error::new(format!("{}: {what}", path.display()));
    let io = |e: std::io::Error| Error::io("reading the model file", path, &e);
    let mut file = std::fs::File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(io)?;
    let header = u64::from_le_bytes(length);
    if header > size.saturating_sub(8) || header > 100 << 20 {
        return Err(bad(format!("a header of {header} bytes does not fit into a file of {size}")));
    }
    let mut bytes = vec![0; header as usize];
    file.read_exact(&mut bytes).map_err(io)?;
    let metadata: safetensors::tensor::Metadata = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
    let mut weights = Buffers::new();
    for (name, shape) in config.tensors() {
        let info = metadata.info(&name).ok_or_else(|| bad(format!("tensor `{name}` is missing")))?;
        if info.shape != shape {
            return Err(bad(format!("tensor `{name}` has shape {:?}, expected {shape:?}", info.shape)));
        }
        let (start, end) = info.data_offsets;
        let count: usize = shape.iter().product();
        let width = match info.dtype {
            safetensors::Dtype::F32 => 4,
            safetensors::Dtype::F16 | safetensors::Dtype::BF16 => 2,
            other => return Err(bad(format!("tensor `{name}` has type {other:?}; f32, f16 and bf16 are read"))),
        };
        if end.checked_sub(start) != Some(count * width) || 8 + header + end as u64 > size {
            return Err(bad(format!("tensor `{name}` does not lie within the file")));
        }
        file.seek(SeekFrom::Start(8 + header + start as u64)).map_err(io)?;
        let mut raw = vec![0; count * width];
        file.read_exact(&mut raw).map_err(io)?;
        let data: Vec<f32> = match info.dtype {
            safetensors::Dtype::F32 => raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            safetensors::Dtype::F16 => {
                raw.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
            }
            _ => raw.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
        };
        if data.iter().any(|value| !value.is_finite()) {
            return Err(bad(format!("tensor `{name}` holds values that are not finite numbers")));
        }
        weights.push(data);
    }
    Ok(weights)
}

/// Names with flat f32 data and a shape, as a safetensors file of `dtype` (f32 or f16).
pub fn serialize(tensors: &[(String, Vec<f32>, Vec<usize>)], half: bool) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, data, _)| {
            if half {
                data.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect()
            } else {
                data.iter().flat_map(|x| x.to_le_bytes()).collect()
            }
        })
        .collect();
    let dtype = if half { safetensors::Dtype::F16 } else { safetensors::Dtype::F32 };
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, _, shape), data) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(dtype, shape.clone(), data).map_err(|e| Error::new(format!("tensor `{name}`: {e}")))?;
        views.push((name.clone(), view));
    }
    let format = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize(views, Some(format)).map_err(|e| Error::new(format!("writing tensors: {e}")))
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
}

impl Trainable {
    /// The network that they are.
    pub fn net(&self) -> Net<'_> {
        Net { config: &self.config, weights: &self.weights, adapter: self.adapter.as_ref(), recompute: false }
    }

    /// What is trained, in the order of [`Net::shapes`].
    pub fn trained(&mut self) -> &mut Buffers {
        self.adapter.as_mut().map_or(&mut self.weights, |adapter| &mut adapter.weights)
    }

    /// The weights of a model's files, to be trained on.
    pub fn from_parts(parts: &Parts, source: &str) -> Result<Self> {
        let model = parts.build(source)?;
        let tensors = parse_tensors(&parts.tensors)?;
        let config = model.decoder.config.clone();
        let mut weights = Buffers::new();
        for (name, _) in config.tensors() {
            let tensor = tensors.get(&name).ok_or_else(|| Error::new(format!("tensor `{name}` is missing")))?;
            weights.push(tensor.flatten_all()?.to_vec1()?);
        }
        Ok(Self { config, weights, tokenizer: model.tokenizer, adapter: None })
    }

    /// A fresh model: normal weights of deviation 0.02 (residual outputs scaled down by depth), norms at one.
    pub fn fresh(config: &Config, tokenizer: Arc<Tokenizer>, seed: u64) -> Self {
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
        Self { config: config.clone(), weights, tokenizer, adapter: None }
    }

    /// The weights with their names and shapes; an adapter is merged into them.
    pub fn named(&self) -> Vec<(String, Vec<f32>, Vec<usize>)> {
        let mut weights = self.weights.clone();
        if let Some(adapter) = &self.adapter {
            adapter.merge(&mut weights);
        }
        let shapes = self.config.tensors().into_iter();
        shapes.zip(weights).map(|((name, shape), data)| (name, data, shape)).collect()
    }

    /// The weights as the three files of a model folder.
    pub fn parts(&self, half: bool) -> Result<Parts> {
        let config = self.config.to_json(self.tokenizer.end);
        Ok(Parts {
            config: serde_json::to_vec_pretty(&config).map_err(|e| Error::new(format!("config.json: {e}")))?,
            tensors: serialize(&self.named(), half)?,
            tokenizer: self.tokenizer.to_json()?.into_bytes(),
        })
    }
}

fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.unit()).ln()).sqrt() * (std::f64::consts::TAU * rng.unit()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Parts {
        let tokenizer = Arc::new(Tokenizer::train(&["walk to shelf".into()], 300).unwrap());
        let config = Config::small(1, 32, tokenizer.vocab()).unwrap();
        Trainable::fresh(&config, tokenizer, 1).parts(false).unwrap()
    }

    #[test]
    fn a_file_read_tensor_by_tensor_is_the_same_and_is_refused_where_it_is_damaged() {
        let (parts, dir) = (tiny(), tempfile::tempdir().unwrap());
        let (path, config) = (dir.path().join("model.safetensors"), Config::parse(&tiny().config).unwrap());
        std::fs::write(&path, &parts.tensors).unwrap();
        let whole = Trainable::from_parts(&parts, "m").unwrap();
        assert_eq!(read_flat(&path, &config).unwrap(), whole.weights);
        for cut in [0, 7, 8, 100, parts.tensors.len() - 1] {
            std::fs::write(&path, &parts.tensors[..cut]).unwrap();
            assert!(read_flat(&path, &config).unwrap_err().message().contains("model.safetensors"), "{cut}");
        }
        let mut hostile = parts.tensors.clone();
        hostile[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        std::fs::write(&path, &hostile).unwrap();
        assert!(read_flat(&path, &config).unwrap_err().message().contains("does not fit"));
    }

    #[test]
    fn damaged_files_are_refused_by_name_without_a_panic() {
        let parts = tiny();
        assert!(parts.build("m").is_ok());
        for cut in [0, 7, 8, 100, parts.tensors.len() - 1] {
            let bad = Parts {
                tensors: parts.tensors[..cut].to_vec(),
                config: parts.config.clone(),
                tokenizer: parts.tokenizer.clone(),
            };
            assert!(bad.build("m").unwrap_err().message().contains("model.safetensors"));
        }
        let mut hostile = parts.tensors.clone();
        hostile[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(parse_tensors(&hostile).is_err());
        let mut poisoned = parts.tensors.clone();
        let end = poisoned.len();
        poisoned[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(parse_tensors(&poisoned).unwrap_err().message().contains("not finite"));
        let other = String::from_utf8(parts.config.clone()).unwrap().replace("\"hidden_size\": 32", "\"hidden_size\": 64");
        let bad = Parts { config: other.into_bytes(), tensors: parts.tensors, tokenizer: parts.tokenizer };
        assert!(bad.build("m").is_err());
    }
}
