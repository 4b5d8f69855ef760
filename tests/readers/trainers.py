"""What other trainers read of exported files, for tests/readers: prints one JSON object.

    python trainers.py FOLDER

FOLDER has messages.jsonl, pairs.jsonl, tokens.jsonl, preference.jsonl, sft.parquet, rl.parquet, model/, and of the
models plain/ and other/ lines with the settings of LLaMA-Factory and axolotl.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

from datasets import load_dataset  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer  # noqa: E402
from trl.data_utils import is_conversational  # noqa: E402

folder = sys.argv[1]
place = lambda name: os.path.join(folder, name)  # noqa: E731
rows = lambda name: load_dataset("json", data_files=place(name), split="train", cache_dir=place("cache"))  # noqa: E731
found = {}
for name in ["messages", "pairs", "preference"]:
    read = rows(name + ".jsonl")
    found[name] = {"rows": len(read), "columns": read.column_names, "chat": is_conversational(read[0])}
for name in ["sft", "rl"]:
    read = load_dataset("parquet", data_files=place(name + ".parquet"), split="train", cache_dir=place("cache"))
    found[name] = {"rows": len(read), "first": read[0]}

# TRL's own trainer on our tokens: what it costs before the first update.
tokens = rows("tokens.jsonl")
tokenizer = PreTrainedTokenizerFast(tokenizer_file=place("model/tokenizer.json"))
tokenizer.eos_token = tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0)
usual = {
    "output_dir": place("out"),
    "max_steps": 1,
    "learning_rate": 0.0,
    "logging_steps": 1,
    "report_to": "none",
    "save_strategy": "no",
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "max_length": None,
    "disable_tqdm": True,
}
settings = SFTConfig(per_device_train_batch_size=len(tokens), completion_only_loss=True, **usual)
trainer = SFTTrainer(model=place("model"), args=settings, train_dataset=tokens, processing_class=tokenizer)
trainer.train()
found["tokens"] = {"rows": len(tokens), "loss": trainer.state.log_history[0]["loss"]}


def speaker(model):
    """A model's tokenizer, as what stands beside it says."""
    said = json.load(open(place(f"{model}/tokenizer_config.json")))
    return PreTrainedTokenizerFast(tokenizer_file=place(f"{model}/tokenizer.json"), **said)


def learnt(tokenizer, labels):
    return tokenizer.decode([token for token in labels if token != -100])


def prompt_completion(tokenizer):
    """What TRL's trainer would learn of pairs of a prompt and its completion."""
    trainer = SFTTrainer(
        model=place("plain"), args=SFTConfig(**usual), train_dataset=rows("pairs.jsonl"), processing_class=tokenizer
    )
    return [learnt(tokenizer, row["labels"]) for row in trainer.train_dataset]


def preferred(tokenizer):
    """What TRL's trainer takes for the better and the worse answer, and the loss of its first update: a model that is its
    own reference knows no difference."""
    trainer = DPOTrainer(
        model=place("plain"),
        args=DPOConfig(per_device_train_batch_size=4, **usual),
        train_dataset=rows("preference.jsonl"),
        processing_class=tokenizer,
    )
    taken = [[tokenizer.decode(row[of]) for of in ("chosen_ids", "rejected_ids")] for row in trainer.train_dataset]
    trainer.train()
    return {"loss": trainer.state.log_history[0]["loss"], "taken": taken}


def llama_factory(model):
    """Its own parser on our settings, and what it would learn of our lines."""
    import importlib.machinery
    import types

    os.environ["DISABLE_VERSION_CHECK"] = "1"
    # What it wants of sound is not asked here.
    stub = types.ModuleType("torchaudio")
    stub.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    sys.modules.setdefault("torchaudio", stub)
    import yaml
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args

    tokenizer = speaker(model)
    settings = yaml.safe_load(open(place(f"{model}-llamafactory.llamafactory.yaml")))
    names, data, training, _, _ = get_train_args(settings)
    template = get_template_and_fix_tokenizer(tokenizer, data)
    rows = get_dataset(template, names, data, training, stage="sft", tokenizer=tokenizer)["train_dataset"]
    return {"learnt": [learnt(tokenizer, row["labels"]) for row in rows]}


def axolotl(model):
    """Its own schema on our settings, and what it would learn of our lines."""
    import yaml
    from axolotl.prompt_strategies.chat_template import StrategyLoader
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlInputConfig

    settings = yaml.safe_load(open(place(f"{model}-axolotl.axolotl.yaml")))
    # What is not known is refused here, where axolotl would say so and go on.
    unknown = [name for name in settings if name not in AxolotlInputConfig.model_fields]
    config = DictDefault(AxolotlInputConfig(**settings).model_dump(exclude_none=True))
    tokenizer = speaker(model)
    strategy = StrategyLoader()(tokenizer, config, dict(settings["datasets"][0]))
    lines = [json.loads(line) for line in open(settings["datasets"][0]["path"])]
    return {"unknown": unknown, "learnt": [learnt(tokenizer, strategy.tokenize_prompt(line)["labels"]) for line in lines]}


found["pairs"]["learnt"] = prompt_completion(speaker("plain"))
found["preference"].update(preferred(speaker("plain")))
for name, read in [("llamafactory", llama_factory), ("axolotl", axolotl)]:
    try:
        found[name] = {model: read(model) for model in ("plain", "other")}
    except ImportError as error:
        found[name] = {"missing": str(error)}
print(json.dumps(found))
