"""The iteration that `foretaste bench rl --suite alfworld` times, in Python on torch and the original engine: one JSON line.

    python benches/rl/peer.py --data DIR [--tasks 16] [--group 8] [--limit 30] [--seed 1] [--threads 2] [--memo] [--check]

Needs torch, tokenizers, textworld 1.7.0 with fast-downward-textworld, and alfworld 0.4.2 (for its wrapper of the engine).

A model of the same shape plays each game several times: in every state it chooses by the softmax over the listed actions, each
action's log-probability being the sum over its tokens. Then it is updated once by the policy gradient of that softmax, all listed
actions of all states with it; advantages are 1 and -1 in turn, as they are there, since a fresh model hardly ever wins.

For its speed, all rollouts under way go through the model together and without padding; each has a cache, and sampling computes a
token once; what the actions of a list have in common is computed once, as is the opening of a game's rollouts; products with
weights are in bfloat16. Where the context is full, old turns are dropped until half of it is free. A game is loaded once and its
process forked for each rollout; workers of one thread each share the games. What the rollouts of a group have in common after the
opening is computed for each.

--memo keeps what the engine parses again in every step, which the engine as it comes does not. --check compares log-probabilities
from the cache with those of whole sequences. `off` is how far those of the update are from those of sampling.
"""
import argparse, copy, ctypes, functools, glob, json, multiprocessing, os, random, resource, statistics, time

import textworld
import torch
import torch.nn.functional as F
from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
from textworld.envs.pddl import textgen
from tokenizers import Tokenizer
from torch import nn

HEAD, CONTEXT = 32, 2048
ap = argparse.ArgumentParser(usage=__doc__)
ap.add_argument("--data", required=True, help="the folder with train/")
ap.add_argument("--tokenizer", default="assets/model/tokenizer.json")
ap.add_argument("--layers", type=int, default=4)
ap.add_argument("--width", type=int, default=256)
ap.add_argument("--tasks", type=int, default=16)
ap.add_argument("--group", type=int, default=8)
ap.add_argument("--limit", type=int, default=30)
ap.add_argument("--seed", type=int, default=1)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--workers", type=int, default=2, help="processes that share games and threads; their gradients are added")
ap.add_argument("--temperature", type=float, default=1.0)
ap.add_argument("--budget", type=int, default=8192, help="tokens of a pass")
ap.add_argument("--block", type=int, default=256, help="tokens of lists that attend together in the update")
ap.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
ap.add_argument("--memo", action="store_true")
ap.add_argument("--check", action="store_true")
a = ap.parse_args()


def memoise():
    parse, rule = functools.cache(textgen._parse_and_convert), textgen.Rule
    textgen._parse_and_convert = lambda *args, **options: copy.deepcopy(parse(*args, **options))
    rule.parse_conjunctive_query = functools.cache(rule.parse_conjunctive_query)


def tie():
    """Ends this process with the one that started it (Linux)."""
    ctypes.CDLL(None).prctl(1, 9)


def world(game, pipes):
    """Loads a game and forks for each rollout."""
    tie()
    env = textworld.start(game, textworld.EnvInfos(won=True, admissible_commands=True), wrappers=[AlfredDemangler()])
    state = env.reset()
    for pipe in pipes:
        if os.fork() == 0:
            tie()
            while True:
                pipe.send((state.feedback, state.admissible_commands, bool(state["won"])))
                action = pipe.recv()
                if action is None:
                    os._exit(0)
                state, _, _ = env.step(action)
    for _ in pipes:
        os.wait()


TOKENIZER = Tokenizer.from_file(a.tokenizer)
TASK, OBS, ACT, END = map(TOKENIZER.token_to_id, ["<|task|>", "<|obs|>", "<|act|>", "<|end|>"])


@functools.cache
def encode(text):
    return TOKENIZER.encode(text.strip(), add_special_tokens=False).ids


def opening(observation):
    lines = [line for line in observation.splitlines() if not line.startswith("-= ")]
    task = next(line for line in lines if "Your task is to: " in line)
    first = "\n".join(line for line in lines if line != task)
    return [TASK, *encode(task.split("Your task is to: ")[1]), OBS, *encode(first), END, ACT]


class Listed:
    """The actions of a state as a trie; the mark before them is its node -1, and their ends are none."""

    def __init__(self, actions):
        self.actions, self.tokens, self.depths, self.paths = actions, [], [], []
        nodes, above, terms = {}, [], []
        for number, action in enumerate(actions):
            at, path = -1, []
            for depth, token in enumerate(encode(action)):
                terms.append((at, token, number))
                if (at, token) not in nodes:
                    nodes[at, token] = len(self.tokens)
                    self.tokens.append(token)
                    self.depths.append(depth)
                    above.append(path + [nodes[at, token]])
                at = nodes[at, token]
                path = above[at]
            terms.append((at, END, number))
            self.paths.append(path)
        self.source, self.target, self.owner = torch.tensor(terms).T
        self.sees = torch.zeros(len(above), len(above), dtype=torch.bool)
        rows = [row for row, path in enumerate(above) for _ in path]
        self.sees[rows, [node for path in above for node in path]] = True


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        inner = -(-(width * 8 // 3) // 32) * 32
        self.before, self.between = nn.RMSNorm(width, 1e-5), nn.RMSNorm(width, 1e-5)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)


class Llama(nn.Module):
    def __init__(self, layers, width, vocab):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.norm = nn.RMSNorm(width, 1e-5)
        for weights in self.parameters():
            if weights.dim() == 2:
                nn.init.normal_(weights, std=0.02)
        angles = torch.outer(torch.arange(CONTEXT), 10000.0 ** -(torch.arange(0, HEAD, 2) / HEAD))
        self.cos, self.sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)

    def forward(self, tokens, places, attend):
        """Tokens of any sequences, one after the other; who sees whom is for `attend` to say."""
        cos, sin = self.cos[places][:, None], self.sin[places][:, None]

        def turned(x):
            left, right = x.chunk(2, -1)
            return x * cos + torch.cat([-right, left], -1) * sin

        x = self.embed(tokens)
        for number, layer in enumerate(self.layers):
            q, k, v = layer.qkv(layer.before(x)).float().view(len(tokens), 3, -1, HEAD).unbind(1)
            with torch.autocast("cpu", enabled=False):
                seen = attend(number, turned(q).transpose(0, 1), turned(k).transpose(0, 1), v.transpose(0, 1))
            x = x + layer.out(seen.transpose(0, 1).flatten(1))
            gate, up = layer.up(layer.between(x)).chunk(2, -1)
            x = x + layer.down(F.silu(gate) * up)
        return self.norm(x)

    def scores(self, hidden, where):
        """Log-probabilities of the actions of some lists: each with the row of its mark and that of its first token."""
        rows = torch.cat([torch.where(listed.source < 0, mark, first + listed.source) for listed, mark, first in where])
        rows, at = rows.unique(return_inverse=True)
        logps = F.linear(hidden[rows], self.embed.weight).float().log_softmax(-1)
        logps = logps[at, torch.cat([listed.target for listed, _, _ in where])]
        sizes = [len(listed.actions) for listed, _, _ in where]
        starts = torch.tensor([0, *sizes]).cumsum(0)
        owners = torch.cat([listed.owner + start for (listed, _, _), start in zip(where, starts)])
        return torch.zeros(sum(sizes)).index_add(0, owners, logps).split(sizes)


def sdpa(q, k, v, **options):
    return F.scaled_dot_product_attention(q[None], k[None], v[None], **options)[0]


def mask(sees):
    return torch.zeros(sees.shape).masked_fill(~sees, float("-inf"))


class Rollout:
    def __init__(self, number, pipe):
        self.number, self.pipe, self.turns, self.parts = number, pipe, [], []
        self.begin([])

    def begin(self, new):
        # What is to be computed, all that is in the cache, and by state (tokens before its list, the list, choice, logp).
        self.new, self.tokens, self.states = new, [], []
        self.parts.append((self.number, self.tokens, self.states))

    def sees(self, new, listed):
        """Takes what is new; where it has become too long, old turns are dropped until half of the context is free."""
        self.turns.append(self.tokens[self.states[-1][0]:] + new if self.states else new)
        self.new = new
        if len(self.tokens) + len(new) + len(listed.tokens) > CONTEXT:
            first, *turns = self.turns
            while len(turns) > 1 and len(first) + sum(map(len, turns)) > CONTEXT // 2:
                turns.pop(0)
            self.turns = [first, *turns]
            self.begin(sum(self.turns, []))


class Sampler:
    def __init__(self, model, rollouts):
        self.model, self.computed = model, 0
        self.cache = torch.empty(a.layers, 2, rollouts, a.width // HEAD, CONTEXT, HEAD)

    def score(self, rollouts, lists):
        """Log-probabilities of lists after what is new; both are in the cache then."""
        tokens, places, rows, where = [], [], [], []
        for rollout, listed in zip(rollouts, lists):
            first, old, new = len(tokens), len(rollout.tokens), len(rollout.new)
            size = new + len(listed.tokens)
            tokens += rollout.new + listed.tokens
            places += [*range(old, old + new), *(old + new + depth for depth in listed.depths)]
            sees = torch.ones(size, old + size, dtype=torch.bool)
            sees[:, old:].tril_()
            sees[new:, old + new:] = listed.sees
            rows.append((rollout.number, first, old, size, mask(sees)))
            where.append((listed, first + new - 1, first + new))
        self.computed += len(tokens)

        def attend(layer, q, k, v):
            out = torch.empty_like(q)
            for number, first, old, size, sees in rows:
                keys, values = self.cache[layer, :, number, :, :old + size]
                keys[:, old:], values[:, old:] = k[:, first:first + size], v[:, first:first + size]
                out[:, first:first + size] = sdpa(q[:, first:first + size], keys, values, attn_mask=sees)
            return out

        hidden = self.model(torch.tensor(tokens), torch.tensor(places), attend)
        return [(scores / a.temperature).log_softmax(0) for scores in self.model.scores(hidden, where)]

    def choose(self, rollout, listed, logs):
        """Chooses, keeps of the list what was chosen, and says it."""
        choice = int(torch.multinomial(logs.exp(), 1))
        rollout.tokens += rollout.new
        rollout.states.append((len(rollout.tokens), listed, choice, float(logs[choice])))
        path, start = listed.paths[choice], len(rollout.tokens)
        one = self.cache[:, :, rollout.number]
        one[..., start:start + len(path), :] = one[..., [start + node for node in path], :]
        rollout.tokens += [listed.tokens[node] for node in path]
        return listed.actions[choice]


@torch.no_grad
def sample(model, games):
    began = time.perf_counter()
    rollouts, worlds, env = [], [], 0.0
    for game in games:
        ends = [multiprocessing.Pipe() for _ in range(a.group)]
        worlds.append(multiprocessing.Process(target=world, args=(game, [there for _, there in ends]), daemon=True))
        worlds[-1].start()
        rollouts += [Rollout(len(rollouts) + i, here) for i, (here, _) in enumerate(ends)]
    sampler, alive, load, check = Sampler(model, len(rollouts)), rollouts, None, 0.0
    for step in range(a.limit + 1):
        waited = time.perf_counter()
        states = [rollout.pipe.recv() for rollout in alive]
        env += time.perf_counter() - waited
        load = load or env
        asked = []
        for rollout, (observation, actions, won) in zip(alive, states):
            if won or step == a.limit:
                rollout.pipe.send(None)
                continue
            asked.append((rollout, Listed(actions)))
            rollout.sees(opening(observation) if step == 0 else [END, OBS, *encode(observation), END, ACT], asked[-1][1])
        alive = [rollout for rollout, _ in asked]
        distinct = asked[::a.group] if step == 0 else asked
        logs = []
        for chunk in chunks(distinct, a.budget, lambda ask: len(ask[0].new) + len(ask[1].tokens)):
            logs += sampler.score(*zip(*chunk))
        if step == 0:
            for first in range(0, len(asked), a.group):
                group = sampler.cache[:, :, first:first + a.group, :, :len(asked[first][0].new) + len(asked[first][1].tokens)]
                group[:, :, 1:] = group[:, :, :1].clone()
            logs = [one for one in logs for _ in range(a.group)]
        if a.check and step % 10 == 9:
            check = max([check, *(difference(model, *ask, one) for ask, one in list(zip(asked, logs))[::a.group])])
        actions = [sampler.choose(*ask, one) for ask, one in zip(asked, logs)]
        waited = time.perf_counter()
        for rollout, action in zip(alive, actions):
            rollout.pipe.send(action)
        env += time.perf_counter() - waited
    for process in worlds:
        process.join()
    found = {"sample_s": time.perf_counter() - began, "env_s": env, "load_s": load, "tokens_new": sampler.computed}
    return rollouts, found | ({"check": check} if a.check else {})


def difference(model, rollout, listed, logs):
    """How far log-probabilities are from those of each action in a sequence of its own."""
    before = rollout.tokens + rollout.new
    sums = []
    for action in listed.actions:
        own = [*encode(action), END]
        tokens = torch.tensor(before + own)
        hidden = model(tokens, torch.arange(len(tokens)), lambda _, q, k, v: sdpa(q, k, v, is_causal=True))
        logps = F.linear(hidden, model.embed.weight).float().log_softmax(-1)
        sums.append(sum(logps[len(before) + i - 1, token] for i, token in enumerate(own)))
    return float(((torch.stack(sums) / a.temperature).log_softmax(0) - logs).abs().max())


def chunks(items, budget, size):
    found, room = [], 0
    for item in items:
        if size(item) > room or not found:
            found.append([])
            room = budget
        found[-1].append(item)
        room -= size(item)
    return found


def learn(model, rollouts):
    """Adds the gradient, chunk by chunk."""
    off, computed = 0.0, 0
    parts = [part for rollout in rollouts for part in rollout.parts]
    for chunk in chunks(parts, a.budget, lambda part: len(part[1]) + sum(len(listed.tokens) for _, listed, _, _ in part[2])):
        tokens, places, rows, sizes, where, wanted = [], [], [], [], [], []
        for number, trunk, choices in chunk:
            first = len(tokens)
            tokens += trunk
            places += range(len(trunk))
            sizes.append(len(trunk))
            blocks = []
            for states in chunks(choices, a.block, lambda state: len(state[1].tokens)):
                start, most = len(tokens), states[-1][0]
                size = sum(len(listed.tokens) for _, listed, _, _ in states)
                sees = torch.zeros(size, most + size, dtype=torch.bool)
                for before, listed, choice, logp in states:
                    own = len(tokens) - start
                    sees[own:own + len(listed.tokens), :before] = True
                    sees[own:own + len(listed.tokens), most + own:most + own + len(listed.tokens)] = listed.sees
                    where.append((listed, first + before - 1, len(tokens)))
                    wanted.append((1.0 if number % 2 == 0 else -1.0, choice, logp))
                    tokens += listed.tokens
                    places += [before + depth for depth in listed.depths]
                sizes.append(size)
                blocks.append((most, mask(sees)))
            rows.append(blocks)
        computed += len(tokens)

        def attend(_, q, k, v):
            out, parts = [], zip(*(x.split(sizes, 1) for x in (q, k, v)))
            for blocks in rows:
                own, keys, values = next(parts)
                out.append(sdpa(own, keys, values, is_causal=True))
                for most, sees in blocks:
                    asks, *here = next(parts)
                    seen = [torch.cat([x[:, :most], y], 1) for x, y in zip((keys, values), here)]
                    out.append(sdpa(asks, *seen, attn_mask=sees))
            return torch.cat(out, 1)

        hidden = model(torch.tensor(tokens), torch.tensor(places), attend)
        loss = 0.0
        for scores, (advantage, choice, logp) in zip(model.scores(hidden, where), wanted):
            new = (scores / a.temperature).log_softmax(0)[choice]
            off = max(off, abs(float(new.detach()) - logp))
            loss = loss - 1e-3 * advantage * (new - logp).exp()
        loss.backward()
    return {"tokens_update": computed, "off": off}


def work(number, games, total, lock, pipe):
    """A share of the iteration: its games, and their part of the gradient."""
    tie()
    torch.set_num_threads(max(a.threads // a.workers, 1))
    model = fresh()
    torch.manual_seed(a.seed + number)
    with torch.autocast("cpu", torch.bfloat16, enabled=a.dtype == "bfloat16"):
        rollouts, found = sample(model, games)
        found |= learn(model, rollouts)
    with lock:
        for grad, weights in zip(total, model.parameters()):
            grad += weights.grad
    pipe.send(found | {"steps": sum(len(part[2]) for rollout in rollouts for part in rollout.parts), "episodes": len(rollouts)})


def fresh():
    torch.manual_seed(a.seed)
    return Llama(a.layers, a.width, TOKENIZER.get_vocab_size())


def cpu_s():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def main():
    if a.memo:
        memoise()
    torch.set_num_threads(1)
    root = os.path.join(a.data, "json_2.1.1") if os.path.isdir(os.path.join(a.data, "json_2.1.1")) else a.data
    games = sorted(glob.glob(os.path.join(root, "train", "*/*/game.tw-pddl")))
    games = random.Random(a.seed).sample(games, a.tasks)
    multiprocessing.set_start_method("fork")
    model, lock, workers = fresh(), multiprocessing.Lock(), []
    for weights in model.parameters():
        weights.grad = torch.zeros_like(weights).share_memory_()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    began, before = time.perf_counter(), cpu_s()
    for number in range(a.workers):
        here, there = multiprocessing.Pipe()
        share = (number, games[number::a.workers], [weights.grad for weights in model.parameters()], lock, there)
        workers.append((multiprocessing.Process(target=work, args=share), here))
        workers[-1][0].start()
        there.close()
    found = [pipe.recv() for _, pipe in workers]
    for worker, _ in workers:
        worker.join()
    torch.set_num_threads(a.threads)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    seconds = time.perf_counter() - began
    out = {key: statistics.mean(each[key] for each in found) for key in ("sample_s", "env_s", "load_s")}
    out |= {"update_s": seconds - out["sample_s"], "iteration_s": seconds, "cpu_s": cpu_s() - before}
    out |= {key: sum(each[key] for each in found) for key in ("episodes", "steps", "tokens_new", "tokens_update")}
    out |= {key: max(each[key] for each in found) for key in ("off", "check") if key in found[0]}
    out |= {"threads": a.threads, "workers": a.workers, "dtype": a.dtype, "memo": a.memo, "temperature": a.temperature}
    print(json.dumps(out | {"torch": torch.__version__, "textworld": textworld.__version__}))


main()
