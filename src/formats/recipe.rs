//! What stands beside an export so that another trainer runs it as it is: LLaMA-Factory's `dataset_info.json`
//! and settings, axolotl's settings. JSON is YAML, so both are written as that, but for a comment that says
//! the command.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Layout, Order};
use crate::agent::{self, HubName, Located};
use crate::error::{Error, Result};
use crate::model::template::Template;
use crate::model::weights::ModelFiles;
use crate::paths::{read_text, write_whole};
use crate::store::Store;

/// A `dataset_info.json` has at most so many bytes.
const INFO: u64 = 16 << 20;

/// Whose files a layout has beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trainer {
    LlamaFactory,
    Axolotl,
}

impl Trainer {
    /// The trainer of a layout that has one.
    pub fn of(layout: Layout) -> Option<Self> {
        match layout {
            Layout::LlamaFactory => Some(Self::LlamaFactory),
            Layout::Axolotl => Some(Self::Axolotl),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::LlamaFactory => "llamafactory",
            Self::Axolotl => "axolotl",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::LlamaFactory => "llamafactory-cli train",
            Self::Axolotl => "axolotl train",
        }
    }
}

/// A model as another trainer names it, and whether it has a chat template of its own.
pub(super) struct Base {
    name: String,
    speaks: bool,
}

impl Base {
    /// What is named: a checkpoint, a folder, or a model of the hub, which need not be here.
    pub fn find(store: &Store, named: &str) -> Result<Self> {
        let folder = |path: &Path| -> Result<Self> {
            let files = ModelFiles::read(path)?;
            if files.config.is_empty() {
                return Err(Error::new(format!("{named}: a GGUF file is for inference"))
                    .hint("name the model folder that it was made from"));
            }
            let speaks = Template::find(&files.beside)?.is_some();
            let whole = std::fs::canonicalize(path).map_err(|e| Error::io("finding", path, &e))?;
            Ok(Self { name: whole.display().to_string(), speaks })
        };
        match agent::locate(store, Some(named), None) {
            Ok(Located::Recorded(saved)) => folder(&store.root().join(&saved.folder)),
            Ok(Located::Folder(path)) => folder(&path),
            Ok(Located::BuiltIn(_)) => Err(Error::new(format!("{named} is in this program alone"))
                .hint(format!("foretaste model pack {named} --out DIR makes a folder of it"))),
            Ok(Located::Endpoint(mind)) => Err(agent::no_weights(&mind.name)),
            Ok(Located::Hub(..)) => Ok(Self { name: named.to_string(), speaks: true }),
            // A name of the hub that is not in the cache here is the trainer's to fetch.
            Err(_) if HubName::parse(named).is_some() => {
                Ok(Self { name: named.to_string(), speaks: true })
            }
            Err(error) => Err(error),
        }
    }
}

/// Where the settings stand: beside the file.
fn settings_of(path: &Path, trainer: Trainer) -> PathBuf {
    path.with_extension(format!("{}.yaml", trainer.name()))
}

/// Refuses to write over settings that a person may have changed.
pub(super) fn check(path: &Path, trainer: Trainer) -> Result<()> {
    let settings = settings_of(path, trainer);
    if settings.exists() {
        return Err(Error::new(format!("{}: already there", settings.display())).hint(
            "the trainer's settings stand beside the file: name another file, or move them away first",
        ));
    }
    Ok(())
}

/// Writes what the trainer needs beside a file that was exported.
pub(super) fn write(path: &Path, trainer: Trainer, base: &Base) -> Result<()> {
    let whole = std::fs::canonicalize(path).map_err(|e| Error::io("finding", path, &e))?;
    let folder = whole.parent().unwrap_or(Path::new(".")).display().to_string();
    let dataset = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let out = whole.with_extension(format!("{}-out", trainer.name())).display().to_string();
    let settings = match trainer {
        Trainer::LlamaFactory => {
            register(path, &dataset)?;
            llama_factory(base, (&folder, &dataset), &out)
        }
        Trainer::Axolotl => axolotl(base, &whole.display().to_string(), &out),
    };
    let target = settings_of(path, trainer);
    let text = yaml(&settings, &format!("{} {}", trainer.command(), target.display()))?;
    write_whole(&target, false, |file| {
        use std::io::Write;
        file.write_all(text.as_bytes()).map_err(|e| Error::io("writing", &target, &e))
    })
}

/// A field a line.
fn yaml(settings: &Value, command: &str) -> Result<String> {
    let mut text = format!("# {}\n", command.replace(['\n', '\r'], " "));
    for (name, value) in settings.as_object().into_iter().flatten() {
        let value = serde_json::to_string(value).map_err(|e| Error::new(format!("{name}: {e}")))?;
        text += &format!("{name}: {value}\n");
    }
    Ok(text)
}

/// Settings of LLaMA-Factory 0.9: all of its own, but that the answer alone is learnt (`mask_history`: what an
/// earlier turn answered is an example of its own).
fn llama_factory(base: &Base, (folder, dataset): (&str, &str), out: &str) -> Value {
    let mut settings = json!({
        "model_name_or_path": base.name,
        "stage": "sft",
        "do_train": true,
        "finetuning_type": "lora",
        "lora_target": "all",
        "lora_rank": 16,
        "dataset_dir": folder,
        "dataset": dataset,
        "mask_history": true,
        "cutoff_len": 8192,
        "output_dir": out,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 8,
        "learning_rate": 1e-4,
        "num_train_epochs": 2.0,
        "lr_scheduler_type": "cosine",
        "logging_steps": 1,
        "save_strategy": "epoch",
        "report_to": "none",
    });
    // Without one of its own it would be asked in no form at all.
    if !base.speaks {
        settings["template"] = "default".into();
    }
    settings
}

/// Settings of axolotl: lines say of each message whether it is learnt.
fn axolotl(base: &Base, file: &str, out: &str) -> Value {
    let template = if base.speaks { "tokenizer_default" } else { "chatml" };
    json!({
        "base_model": base.name,
        "datasets": [{
            "path": file,
            "ds_type": "json",
            "type": "chat_template",
            "field_messages": "messages",
            "message_property_mappings": {"role": "role", "content": "content"},
            "message_field_training": "training",
            "roles_to_train": [],
            "train_on_eos": "turn",
        }],
        "chat_template": template,
        "adapter": "lora",
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_target_linear": true,
        "sequence_len": 8192,
        "output_dir": out,
        "micro_batch_size": 1,
        "gradient_accumulation_steps": 8,
        "num_epochs": 2,
        "optimizer": "adamw_torch",
        "learning_rate": 1e-4,
        "lr_scheduler": "cosine",
        "logging_steps": 1,
        "bf16": "auto",
    })
}

/// Names the file in `dataset_info.json` beside it, among those that are there.
fn register(path: &Path, dataset: &str) -> Result<()> {
    let info = path.with_file_name("dataset_info.json");
    let odd = |why: String| {
        Error::new(format!("{}: {why}", info.display())).hint("correct it, or export elsewhere")
    };
    let mut all = match read_text(&info, INFO) {
        Ok(text) => {
            serde_json::from_str::<Map<String, Value>>(&text).map_err(|e| odd(e.to_string()))?
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(e) => return Err(Error::io("reading", &info, &e)),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let own = json!({
        "file_name": name,
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user",
            "assistant_tag": "assistant", "system_tag": "system"},
    });
    if all.get(dataset).is_some_and(|there| there["file_name"] != own["file_name"]) {
        return Err(odd(format!("`{dataset}` is another file")));
    }
    all.insert(dataset.to_string(), own);
    write_whole(&info, true, |file| {
        serde_json::to_writer_pretty(file, &all)
            .map_err(|e| Error::new(format!("writing {}: {e}", info.display())))
    })
}

/// Refuses what a recipe cannot be made of.
pub(super) fn base(store: &Store, order: &Order) -> Result<Option<(Trainer, Base)>> {
    let Some(trainer) = Trainer::of(order.layout) else { return Ok(None) };
    let named = order.model.as_deref().ok_or_else(|| {
        Error::usage(format!("what is {} to train?", trainer.name()))
            .hint("--model FOLDER, or a name of the hub (Qwen/Qwen3-0.6B)")
    })?;
    Ok(Some((trainer, Base::find(store, named)?)))
}
