"""The updates of a run of foretaste, made by transformers' Trainer (which TRL's are made of) and PEFT under torchrun.

    torchrun --standalone --nproc_per_node N train.py job.json

What is learnt from was written by foretaste: rows of token ids with the weight of each target, dealt out by update, so
that the loss is the one that foretaste computes, token by token. Each line of rows.jsonl is what one process computes
in one pass; passes follow each other as (update, pass of it, process). held.jsonl has what is held out in the same form,
which is measured before the first update and at every checkpoint. Standard output has a line of JSON after
"@foretaste " for everything that is told; standard input takes the words pause, go and stop, and its end is a stop.
Tested with torch 2.15, transformers 5.24, accelerate 1.15, peft 0.21.
"""

import atexit
import fcntl
import json
import math
import os
import queue
import sys
import threading
import time

TOLD = "@foretaste "
LEAVE = "leave"
KINDS = 4  # action, observation, reflection, conclusion


def watch_parent():
    """A process whose launcher was killed would go on for ever."""
    parent = os.getppid()

    def look():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(3)

    threading.Thread(target=look, daemon=True).start()


watch_parent()
# All processes are of one machine.
os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")

import torch  # noqa: E402  (a launcher that dies meanwhile is seen)
import torch.distributed as dist  # noqa: E402
import transformers  # noqa: E402
from torch.utils.data import Dataset, SequentialSampler  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments  # noqa: E402
from transformers.trainer_callback import PrinterCallback, ProgressCallback  # noqa: E402

RANK = int(os.environ.get("RANK", "0"))
WORLD = int(os.environ.get("WORLD_SIZE", "1"))


def finite(value):
    """What is not a number is none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [finite(one) for one in value]
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    return value


def alone():
    """Waits until an earlier start of the same job has ended: both would write the same files."""
    lock = open("job.lock", "w")
    for _ in range(600):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError:
            time.sleep(1)
    raise RuntimeError("an earlier start of this job has not ended within ten minutes")


class Voice:
    """Writes lines to whoever listens, on a thread of its own: who reads no more must not hold up who works, and what
    is then not written is kept in a file anyway."""

    def __init__(self):
        self.lines = queue.Queue(10000)
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()
        atexit.register(self.end)

    def write(self):
        while (text := self.lines.get()) is not None:
            try:
                # As one: what others print must not stand within a line.
                line = (text + "\n").encode()
                while line:
                    line = line[os.write(1, line) :]
            except OSError:
                # Where nobody listens any more, what others print is not in the way either.
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def say(self, text):
        try:
            self.lines.put_nowait(text)
        except queue.Full:
            pass

    def end(self):
        try:
            self.lines.put(None, timeout=20)
        except queue.Full:
            pass
        self.thread.join(20)
        if self.thread.is_alive():
            os._exit(1)  # it holds standard output, which would be waited for


VOICE = Voice() if RANK == 0 else None


def tell(metrics_file, **line):
    """Says a line, and keeps it: whoever listened may be gone."""
    if RANK != 0:
        return
    text = json.dumps(finite(line), allow_nan=False)
    with open(metrics_file, "a") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    VOICE.say(TOLD + text)


class Wishes:
    """What is wished for on standard input of the first process: 0 go on, 1 pause, 2 stop. Who comes after one whose
    line is dead asks it to stop by a file. A stop is final, whoever asked for it."""

    def __init__(self):
        self.now, self.left = 0, False
        if RANK == 0:
            if os.path.exists(LEAVE):
                os.remove(LEAVE)  # it was said to the one before
            for hears in (self.listen, self.watch):
                threading.Thread(target=hears, daemon=True).start()

    def watch(self):
        while not os.path.exists(LEAVE):
            time.sleep(0.5)
        self.left = True

    def listen(self):
        words = {"go": 0, "pause": 1, "stop": 2}
        for line in sys.stdin:
            self.now = words.get(line.strip(), self.now)
            if self.now == 2:
                break
        self.left = True

    def agreed(self, device):
        """The same in all processes."""
        wish = 2 if self.left else self.now
        if not dist.is_initialized():
            return wish
        wish = torch.tensor([wish], device=device)
        dist.broadcast(wish, src=0)
        return int(wish.item())

    def stops(self, device):
        """Whether to stop; the same in all processes. Waits as long as a pause is wished for."""
        while (wish := self.agreed(device)) == 1:
            time.sleep(0.1)
        return wish == 2


class Rows(Dataset):
    """Lines of a file, read when they are wanted."""

    def __init__(self, path):
        self.path = path
        self.places = []
        with open(path, "rb") as file:
            at = 0
            for line in file:
                self.places.append(at)
                at += len(line)

    def __len__(self):
        return len(self.places)

    def __getitem__(self, n):
        with open(self.path, "rb") as file:
            file.seek(self.places[n])
            return json.loads(file.readline())


def padded(items):
    """A pass as tensors: ids and mask [rows, longest], weights and kinds of targets of the same shape."""
    (item,) = items
    rows = item["rows"] or [{"ids": [0, 0], "targets": []}]  # nothing is left for this process
    longest = max(len(row["ids"]) for row in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    weights = torch.zeros((len(rows), longest))
    kinds = torch.full((len(rows), longest), KINDS, dtype=torch.long)
    for n, row in enumerate(rows):
        ids[n, : len(row["ids"])] = torch.tensor(row["ids"])
        mask[n, : len(row["ids"])] = 1
        for place, weight, kind in row["targets"]:
            weights[n, place] = weight
            kinds[n, place] = kind
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "weights": weights,
        "kinds": kinds,
        "normaliser": torch.tensor(float(item["normaliser"])),
    }


def costs(logits, inputs):
    """Nats of each place after the first [rows × (longest - 1)], and whether it is a target of each kind."""
    ids, kinds = inputs["input_ids"], inputs["kinds"][:, 1:].flatten()
    nats = torch.nn.functional.cross_entropy(logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    # What is not a target costs nothing, whatever its logits are.
    nats = torch.where(kinds < KINDS, nats, torch.zeros_like(nats))
    return nats, [kinds == kind for kind in range(KINDS)]


class Weighted(Trainer):
    """The loss is the sum over the targets of an update, each by its weight, divided by the update's normaliser."""

    def __init__(self, *args, rates, **kwargs):
        self.rates = rates
        self.sums = None
        super().__init__(*args, **kwargs)

    def _get_train_sampler(self, *_):
        return SequentialSampler(self.train_dataset)

    def create_scheduler(self, num_training_steps, optimizer=None):
        peak = max(self.rates) or 1.0
        rate = lambda step: self.rates[min(step, len(self.rates) - 1)] / peak  # noqa: E731
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, rate)
        return self.lr_scheduler

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        weights = inputs["weights"][:, 1:].flatten()
        out = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
        nats, by_kind = costs(out.logits, inputs)
        loss = (nats * weights).sum() / inputs["normaliser"]
        with torch.no_grad():
            now = [loss.detach()]
            now += [nats[kind].sum() for kind in by_kind]
            now += [kind.sum() for kind in by_kind]
            now += [(weights * kind).sum() for kind in by_kind]
            now += [inputs["attention_mask"].sum()]
            now = torch.stack([value.double() for value in now])
            self.sums = now if self.sums is None else self.sums + now
        # The gradients of processes are averaged, and without labels those of passes too.
        loss = loss * WORLD * self.current_gradient_accumulation_steps
        return (loss, out) if return_outputs else loss

    def measure(self, held, each):
        """Nats by kind over what is held out, and how many targets of each there are; all processes' together. `each`
        is told how many passes were made, and says whether to break off: None then."""
        model, sums = self.model_wrapped, torch.zeros(2 * KINDS, dtype=torch.float64, device=self.args.device)
        was = model.training
        model.eval()
        with torch.no_grad(), self.compute_loss_context_manager():
            # As many passes in each process: where weights are spread over them, each has a part in every pass.
            for done in range(-(-len(held) // WORLD)):
                if each(done):
                    model.train(was)
                    return None
                n = done * WORLD + RANK
                item = held[n] if n < len(held) else {"rows": [], "normaliser": 1.0}
                inputs = self._prepare_inputs(padded([item]))
                out = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
                nats, by_kind = costs(out.logits, inputs)
                sums += torch.stack([nats[kind].sum() for kind in by_kind] + [kind.sum() for kind in by_kind])
        model.train(was)
        if dist.is_initialized():
            dist.all_reduce(sums)
        sums = sums.tolist()
        return {"nats": sums[:KINDS], "counts": sums[KINDS:]}


class Left(Exception):
    """A stop before the first update of this start: nothing is there to be saved that was not saved before."""


class Told(TrainerCallback):
    """Says what is done, and does what is wished for between updates."""

    def __init__(self, job, wishes):
        self.job, self.wishes = job, wishes
        self.trainer = None
        self.held = Rows(job["held"]) if job["held"] else None
        self.line = None
        self.rate = 0.0
        self.began = time.time()

    def tell(self, **line):
        tell(self.job["metrics"], **line)

    def on_train_begin(self, args, state, control, **kwargs):
        self.tell(event="begun", processes=WORLD, torch=torch.__version__, weights=self.job.get("beside"))
        # Also what was saved and not measured any more.
        if state.global_step not in self.measured() and not self.measure(state.global_step):
            raise Left

    def measured(self):
        """The updates of which was told what is held out; the same in all processes."""
        steps = []
        if os.path.exists(self.job["metrics"]):
            with open(self.job["metrics"]) as file:
                for line in file:
                    try:
                        one = json.loads(line)
                    except ValueError:
                        continue  # a kill cut it off
                    if one["event"] == "measured":
                        steps.append(one["step"])
        if dist.is_initialized():
            all_of = [steps]
            dist.broadcast_object_list(all_of, src=0)
            steps = all_of[0]
        return steps

    def measure(self, step):
        """Whether what is held out was measured, if anything is."""
        if not self.held:
            return True
        passes, told = -(-len(self.held) // WORLD), time.time()

        def each(done):
            # It may take long, and who hears nothing may think that nothing is done.
            nonlocal told
            if RANK == 0 and time.time() - told > 1:
                told = time.time()
                VOICE.say(TOLD + json.dumps({"event": "measuring", "done": done, "passes": passes}))
            return self.wishes.stops(self.trainer.args.device)

        # What is broken off is made up for when the run is resumed.
        if (found := self.trainer.measure(self.held, each)) is None:
            return False
        self.tell(event="measured", step=step, **found)
        return True

    def on_step_begin(self, args, state, control, optimizer=None, **kwargs):
        if state.global_step in self.job["resets"]:
            getattr(optimizer, "optimizer", optimizer).state.clear()
        self.rate = optimizer.param_groups[0]["lr"]
        meant = self.job["rates"][state.global_step]
        if abs(self.rate - meant) > 1e-6 * abs(meant):
            raise RuntimeError(f"the rate of update {state.global_step + 1} is {self.rate}, not {meant}")
        self.began = time.time()

    def on_step_end(self, args, state, control, **kwargs):
        sums, self.trainer.sums = self.trainer.sums, None
        seconds = time.time() - self.began
        if dist.is_initialized():
            dist.all_reduce(sums)
        sums = sums.tolist()
        self.line = {
            "step": state.global_step,
            "loss": sums[0],
            "nats": sums[1 : 1 + KINDS],
            "counts": sums[1 + KINDS : 1 + 2 * KINDS],
            "weights": sums[1 + 2 * KINDS : 1 + 3 * KINDS],
            "tokens": sums[-1],
            "seconds": seconds,
        }
        control.should_log = True
        control.should_save = state.global_step in self.job["saves"]
        if self.wishes.stops(args.device):
            control.should_save = True
            control.should_training_stop = True
        return control

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.line is None or "loss" not in (logs or {}):
            return
        norm = logs.get("grad_norm")
        self.tell(event="update", rate=self.rate, norm=None if norm is None else float(norm), **self.line)
        self.line = None

    def on_save(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            for folder in os.walk(os.path.join(args.output_dir, f"checkpoint-{state.global_step}")):
                for name in folder[2]:
                    with open(os.path.join(folder[0], name), "rb") as file:
                        os.fsync(file.fileno())
        # What is saved is told first: measuring may take long, and be ended.
        self.tell(event="saved", step=state.global_step)
        if not self.measure(state.global_step):
            control.should_training_stop = True
        return control


# What says nothing of what a model computes.
UNSHAPED = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"}


def same_as_before(folder, expected):
    """What tells the weights from others. Refuses those that are others than those that the run began beside, or its
    start was trained beside."""
    import hashlib

    digest = hashlib.sha256()
    all_of = sorted(os.listdir(folder))
    names = [name for name in all_of if name.endswith(".safetensors")]
    names = names or [name for name in all_of if name.startswith("pytorch_model") and name.endswith(".bin")]
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(f"{name} {size} ".encode())
            # The first and the last megabyte, and 4 KiB of what is between at every one, or at 4,096 places.
            places = sorted({0, *range(0, size, max(size // 4096, 1 << 20)), max(0, size - (1 << 20))})
            for place in places:
                file.seek(place)
                digest.update(file.read(1 << 20 if place in (0, places[-1]) else 1 << 12))
    digest = digest.hexdigest() if names else None
    if expected and expected != digest:
        raise ValueError(f"the weights in {folder} are not those that the adapter was trained beside")
    known = "weights.known"
    if digest is None:
        pass
    elif os.path.exists(known):
        with open(known) as file:
            if file.read() != digest:
                raise ValueError(f"the weights in {folder} are not those that the run began beside")
    else:
        with open(known + ".new", "w") as file:
            file.write(digest)
            file.flush()
            os.fsync(file.fileno())
        os.replace(known + ".new", known)
    return digest


def base(job, args):
    """The model that is trained, or trained beside."""
    if not job["away"]:
        return AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    from transformers.utils import cached_file

    folder = job["away"].startswith(("/", "~"))
    name, _, revision = (job["away"], "", "") if folder else job["away"].partition("@")
    place = {"pretrained_model_name_or_path": os.path.expanduser(name), "revision": revision or "main"}
    if folder and not os.path.isdir(place["pretrained_model_name_or_path"]):
        raise ValueError(f"no model folder at {job['away']}")
    beside = lambda file: cached_file(place["pretrained_model_name_or_path"], file, revision=place["revision"])  # noqa: E731
    with open(beside("tokenizer.json")) as there, open(os.path.join(job["shape"], "tokenizer.json")) as here:
        if json.load(there) != json.load(here):
            raise ValueError(f"the tokenizer.json of {job['away']} is not the one that the rows were made with")
    shapes = [AutoConfig.from_pretrained(**place), AutoConfig.from_pretrained(job["shape"])]
    theirs, ours = ({name: value for name, value in one.to_dict().items() if name not in UNSHAPED} for one in shapes)
    for name in sorted(theirs.keys() | ours.keys()):
        if theirs.get(name) != ours.get(name):
            what = f"{name} = {theirs.get(name)} there, and {ours.get(name)} in the config.json that was named here"
            raise ValueError(f"{job['away']} has another shape: {what}")
    if RANK == 0:
        job["beside"] = same_as_before(os.path.dirname(beside("config.json")), job["digest"])
    # Nothing of it is changed: what is computed in bf16 may be held so.
    dtype = torch.bfloat16 if args.get("bf16") else torch.float32
    return AutoModelForCausalLM.from_pretrained(**place, dtype=dtype)


def main():
    lock = alone() if RANK == 0 else None
    with open(sys.argv[1]) as file:
        job = json.load(file)
    transformers.set_seed(job["seed"])
    cuda = torch.cuda.is_available()
    args = {
        "output_dir": job["out"],
        "max_steps": job["updates"],
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": job["accumulation"],
        "learning_rate": max(job["rates"]),
        "weight_decay": job["decay"],
        "adam_beta1": job["betas"][0],
        "adam_beta2": job["betas"][1],
        "adam_epsilon": job["epsilon"],
        "max_grad_norm": job["clip"],
        "logging_steps": 1,
        "logging_first_step": True,
        "save_strategy": "no",  # the callback says when
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
        "seed": job["seed"],
        "use_cpu": not cuda,
        # A pause may last.
        "ddp_timeout": 7 * 24 * 3600,
    }
    if job["recompute"]:
        args["gradient_checkpointing"] = True
    if WORLD > 1:
        args["ddp_find_unused_parameters"] = False
        if not cuda:
            args["ddp_backend"] = "gloo"
    args.update(job["args"])
    model = base(job, args)
    if job["adapter"]:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, job["adapter"], is_trainable=True)
    told = Told(job, Wishes())
    trainer = Weighted(
        model=model,
        args=TrainingArguments(**args),
        train_dataset=Rows(job["rows"]),
        data_collator=padded,
        callbacks=[told],
        rates=job["rates"],
    )
    told.trainer = trainer
    for printer in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(printer)  # what they write may have no reader
    for name in ("fsdp", "deepspeed"):
        # On CPUs transformers does as if it had not been asked.
        if args.get(name) and not getattr(trainer, f"is_{name}_enabled"):
            raise ValueError(f"{name} was asked for, and the trainer does not do it here (it needs GPUs)")
    try:
        trainer.train(resume_from_checkpoint=job["resume"])
    except Left:
        pass
    tell(job["metrics"], event="ended")
    if lock:
        lock.close()


main()
