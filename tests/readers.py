"""What other trainers read of exported files, for tests/readers.rs: prints one JSON object.

    python readers.py FOLDER

FOLDER has messages.jsonl, pairs.jsonl, tokens.jsonl, preference.jsonl, sft.parquet, rl.parquet and model/.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

from datasets import load_dataset  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402
from trl import SFTConfig, SFTTrainer  # noqa: E402
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
settings = SFTConfig(
    output_dir=place("out"),
    max_steps=1,
    per_device_train_batch_size=len(tokens),
    learning_rate=0.0,
    logging_steps=1,
    report_to="none",
    save_strategy="no",
    use_cpu=True,
    bf16=False,
    gradient_checkpointing=False,
    completion_only_loss=True,
    max_length=None,
    disable_tqdm=True,
)
trainer = SFTTrainer(model=place("model"), args=settings, train_dataset=tokens, processing_class=tokenizer)
trainer.train()
found["tokens"] = {"rows": len(tokens), "loss": trainer.state.log_history[0]["loss"]}
print(json.dumps(found))
