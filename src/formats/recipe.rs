//! What stands beside an export so that another trainer runs it as it is: LLaMA-Factory's `dataset_info.json`
//! and settings, axolotl's settings. JSON is YAML, so both are written as that, but for a comment that says
//! the command.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Layout, Order, Set};
use crate::agent::{self, HubName, Located};
use crate::error::{Error, Result};
use crate::model::template::Template;
use crate::model::tokenizer::Tokenizer;
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

/// A model as another trainer names it.
struct Base {
    name: String,
    /// Which revision of it, of the hub.
    revision: Option<String>,
    /// Its chat template.
    speaks: Speaks,
}

/// What is known of a model's chat template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Speaks {
    /// It is not here.
    Unknown,
    /// It has none.
    No,
    /// What ends an answer in it, where that is one mark.
    Ends(Option<String>),
}

/// What stands for an answer while it is looked for what follows one.
const ANSWER: &str = "an answer";

impl Speaks {
    fn of(template: &Template) -> Result<Self> {
        let written = template.render(&[("user", "a question"), ("assistant", ANSWER)], false)?;
        let after = written.rsplit_once(ANSWER).map_or("", |(_, after)| after.trim_start());
        let mark = [('<', '>'), ('[', ']')].into_iter().find_map(|(open, close)| {
            let end = after.strip_prefix(open)?.find(close)?;
            Some(after[..end + 2].to_string()).filter(|mark| !mark.contains(char::is_whitespace))
        });
        Ok(Self::Ends(mark))
    }
}

impl Base {
    /// What is named: a checkpoint, a folder, or a model of the hub, which need not be here.
    fn find(store: &Store, named: &str) -> Result<Self> {
        match agent::locate(store, Some(named), None) {
            Ok(Located::Recorded(saved)) => Self::folder(&store.root().join(&saved.folder)),
            Ok(Located::Folder(path)) => Self::folder(&path),
            Ok(Located::BuiltIn(_)) => Err(Error::new(format!("{named} is in this program alone"))
                .hint(format!("foretaste model pack {named} --out DIR makes a folder of it"))),
            Ok(Located::Endpoint(mind)) => Err(agent::no_weights(&mind.name)),
            Ok(Located::Hub(_, path)) => {
                Ok(Self { speaks: Self::folder(&path)?.speaks, ..Self::of_hub(named)? })
            }
            // One of the hub that is not in the cache here is the trainer's to fetch; but what begins with a
            // folder that is here was meant to be one.
            Err(error) => {
                let missing = |hub: HubName| hub.missing(named).message() == error.message();
                let folder = Path::new(named).parent().is_some_and(Path::is_dir);
                if HubName::parse(named).is_some_and(missing) && !folder {
                    Self::of_hub(named)
                } else {
                    Err(error)
                }
            }
        }
    }

    fn folder(path: &Path) -> Result<Self> {
        let files = ModelFiles::read(path)?;
        if files.config.is_empty() {
            return Err(for_inference(&path.display().to_string()));
        }
        let at = |error: Error| error.at(path.display());
        if !Tokenizer::parse(&files.tokenizer).map_err(at)?.foreign {
            return Err(Error::new(format!("{}: is asked in a form of its own", path.display()))
                .hint(
                    "--format tokens are what it learns from; other trainers write conversations",
                ));
        }
        let template = Template::find(&files.beside).map_err(at)?;
        let speaks = template.as_ref().map_or(Ok(Speaks::No), Speaks::of).map_err(at)?;
        let whole = std::fs::canonicalize(path).map_err(|e| Error::io("finding", path, &e))?;
        Ok(Self { name: in_utf8(&whole)?, revision: None, speaks })
    }

    fn of_hub(named: &str) -> Result<Self> {
        let (name, revision) = match named.split_once('@') {
            Some((name, revision)) => (name, Some(revision.to_string())),
            None => (named, None),
        };
        if name.matches('/').count() > 1 {
            return Err(for_inference(named));
        }
        Ok(Self { name: name.to_string(), revision, speaks: Speaks::Unknown })
    }
}

fn for_inference(named: &str) -> Error {
    Error::new(format!("{named}: a GGUF file is for inference"))
        .hint("name the model folder that it was made from")
}

/// A path as a trainer's settings have it.
fn in_utf8(path: &Path) -> Result<String> {
    let named = path.to_str().map(str::to_string);
    named.ok_or_else(|| Error::new(format!("{}: not UTF-8, as settings are", path.display())))
}

/// What is to stand beside an export, known to be possible before anything is written.
pub(super) struct Recipe {
    trainer: Trainer,
    base: Base,
    /// The exported file, by its whole path.
    file: PathBuf,
    /// What it is called as a dataset.
    dataset: String,
    settings: PathBuf,
    /// Whether answers begin with a thought.
    thinks: bool,
}

impl Recipe {
    /// That of an order, where its layout has one.
    ///
    /// # Errors
    /// Where the model is none that can be trained there, or something stands in the way that a person may
    /// have written.
    pub fn prepare(store: &Store, order: &Order, path: &Path) -> Result<Option<Self>> {
        let Some(trainer) = Trainer::of(order.layout) else { return Ok(None) };
        let named = order.model.as_deref().ok_or_else(|| {
            Error::usage(format!("what is {} to train?", trainer.name()))
                .hint("--model FOLDER, or a name of the hub (Qwen/Qwen3-0.6B)")
        })?;
        let base = Base::find(store, named)?;
        if trainer == Trainer::Axolotl && base.speaks == Speaks::No {
            return Err(Error::new(format!(
                "{named} has no chat template, and axolotl has none for it"
            ))
            .hint("put chat_template.jinja into its folder, or --format llamafactory"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let whole = std::fs::canonicalize(folder).map_err(|e| Error::io("finding", folder, &e))?;
        let file = whole.join(path.file_name().unwrap_or_default());
        in_utf8(&file)?;
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let dataset: String = stem.chars().map(plain).collect();
        let settings = file.with_extension(format!("{}.yaml", trainer.name()));
        let ending = file.extension().and_then(|ending| ending.to_str());
        if !ending.is_some_and(|ending| ["json", "jsonl"].contains(&ending)) {
            return Err(Error::usage("a trainer knows lines of JSON by the end of their name")
                .hint("--out FILE.jsonl"));
        }
        // Also a link that leads nowhere.
        if settings.symlink_metadata().is_ok() {
            return Err(Error::new(format!("{}: already there", settings.display())).hint(
                "the trainer's settings stand beside the file: name another file, or move them away first",
            ));
        }
        let thinks = order.set == Set::Reflection;
        let recipe = Self { trainer, base, file, dataset, settings, thinks };
        if trainer == Trainer::LlamaFactory {
            recipe.registered()?;
        }
        Ok(Some(recipe))
    }

    /// Writes it, once the file is there.
    pub fn write(&self) -> Result<()> {
        let (file, out) = (
            in_utf8(&self.file)?,
            self.file.with_extension(format!("{}-out", self.trainer.name())),
        );
        let (folder, out) = (self.file.parent().unwrap_or(Path::new("/")), in_utf8(&out)?);
        let settings = match self.trainer {
            Trainer::LlamaFactory => {
                self.register(folder)?;
                let data = (in_utf8(folder)?, self.dataset.as_str());
                llama_factory(&self.base, (&data.0, data.1), &out, self.thinks)
            }
            Trainer::Axolotl => axolotl(&self.base, &file, &out),
        };
        let note = match self.base.speaks {
            Speaks::Unknown => ". The model is not here: this is a name of the hub",
            _ => "",
        };
        let text = yaml(&settings, &format!("{} THIS_FILE{note}", self.trainer.command()))?;
        write_whole(&self.settings, false, |file| {
            file.write_all(text.as_bytes()).map_err(|e| Error::io("writing", &self.settings, &e))
        })
    }

    fn info(&self) -> PathBuf {
        self.file.with_file_name("dataset_info.json")
    }

    /// What `dataset_info.json` beside the file says, and this file too.
    fn registered(&self) -> Result<Map<String, Value>> {
        let info = self.info();
        let odd = |why: String| {
            Error::new(format!("{}: {why}", info.display())).hint("correct it, or export elsewhere")
        };
        if info == self.file {
            return Err(Error::usage("dataset_info.json names datasets, and is none")
                .hint("--out FILE.jsonl"));
        }
        let mut all = match read_text(&info, INFO) {
            Ok(text) => {
                let text = text.trim_start_matches('\u{feff}');
                serde_json::from_str::<Map<String, Value>>(text).map_err(|e| odd(e.to_string()))?
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Map::new(),
            Err(e) => return Err(Error::io("reading", &info, &e)),
        };
        let name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let own = json!({
            "file_name": name,
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user",
                "assistant_tag": "assistant", "system_tag": "system"},
        });
        match all.get(&self.dataset) {
            Some(there) if *there != own => {
                return Err(odd(format!(
                    "`{}` stands there already, and is another",
                    self.dataset
                )));
            }
            _ => all.insert(self.dataset.clone(), own),
        };
        Ok(all)
    }

    /// Names the file in `dataset_info.json`, one process after the other.
    fn register(&self, folder: &Path) -> Result<()> {
        let lock = File::open(folder).map_err(|e| Error::io("opening", folder, &e))?;
        // Where a folder cannot be locked, two exports at once may lose one of their names.
        _ = lock.lock();
        let all = self.registered()?;
        // A link stays one.
        let info = std::fs::canonicalize(self.info()).unwrap_or_else(|_| self.info());
        write_whole(&info, true, |file| {
            serde_json::to_writer_pretty(file, &all)
                .map_err(|e| Error::new(format!("writing {}: {e}", info.display())))
        })
    }
}

/// A field a line. JSON is YAML but for what YAML takes for the end of a line, or takes not at all.
fn yaml(settings: &Value, command: &str) -> Result<String> {
    let mut text = format!("# {command}\n");
    for (name, value) in settings.as_object().into_iter().flatten() {
        let value = serde_json::to_string(value).map_err(|e| Error::new(format!("{name}: {e}")))?;
        let plain = |c: char| match c {
            ' '..='~' => c.to_string(),
            _ => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        };
        text += &format!("{name}: {}\n", value.chars().map(plain).collect::<String>());
    }
    Ok(text)
}

/// Settings of LLaMA-Factory 0.9: all of its own, but that the answer alone is learnt (`mask_history`: what an
/// earlier turn answered is an example of its own).
fn llama_factory(base: &Base, (folder, dataset): (&str, &str), out: &str, thinks: bool) -> Value {
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
    if let Some(revision) = &base.revision {
        settings["model_revision"] = revision.as_str().into();
    }
    // Without one of its own it would be asked in no form at all.
    if base.speaks == Speaks::No {
        settings["template"] = "default".into();
    }
    // A model that can think is asked to answer at once where the answers do not: an empty thought is
    // no part of what is learnt then.
    if !thinks {
        settings["enable_thinking"] = false.into();
    }
    settings
}

/// Settings of axolotl: lines say of each message whether it is learnt.
fn axolotl(base: &Base, file: &str, out: &str) -> Value {
    let mut settings = json!({
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
        "chat_template": "tokenizer_default",
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
    });
    // What ends an answer is learnt with it, also where the tokenizer ends texts with something else.
    if let Speaks::Ends(Some(mark)) = &base.speaks {
        settings["eot_tokens"] = json!([mark]);
    }
    if let Some(revision) = &base.revision {
        settings["revision_of_model"] = revision.as_str().into();
    }
    settings
}
