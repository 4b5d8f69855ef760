"""What verl learns of exported parquet, for tests/readers: prints one JSON object.

    python verl_sets.py FOLDER

FOLDER has sft.parquet, rl.parquet and the tokenizer of plain/. Tested with verl 0.9.1 and transformers 4.57.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
folder = sys.argv[1]
os.environ["HF_DATASETS_CACHE"] = os.path.join(folder, "cache")

from omegaconf import OmegaConf  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset  # noqa: E402
from verl.utils.dataset.rl_dataset import RLHFDataset  # noqa: E402

place = lambda name: os.path.join(folder, name)  # noqa: E731
said = json.load(open(place("plain/tokenizer_config.json")))
tokenizer = PreTrainedTokenizerFast(tokenizer_file=place("plain/tokenizer.json"), **said)

settings = {"max_length": 8192, "truncation": "error", "messages_key": "messages", "pad_mode": "no_padding"}
sft = MultiTurnSFTDataset(place("sft.parquet"), tokenizer, OmegaConf.create(settings))
learnt = [tokenizer.decode(row["input_ids"][row["loss_mask"].bool()]) for row in sft]

settings = {"cache_dir": place("cache"), "max_prompt_length": 8192, "filter_overlong_prompts_workers": 1}
rl = RLHFDataset(place("rl.parquet"), tokenizer, OmegaConf.create(settings))
tasks = []
for row in rl:
    prompt = tokenizer.apply_chat_template(row["raw_prompt"], add_generation_prompt=True, tokenize=False)
    truth = row["reward_model"]["ground_truth"]
    tasks.append({"prompt": prompt, "source": row["data_source"], "truth": truth})
print(json.dumps({"sft": learnt, "rl": tasks}))
