"""Ten thousand episodes against an endpoint, simulated: what the order in which they are played does to a prefix cache.

    python3 benches/scale_sim.py

An episode is STEPS calls; a call's prompt is all of the episode so far (PROMPT tokens and GROWTH more each step), its answer
ANSWER tokens. The endpoint answers SLOTS calls at once, computes PREFILL tokens of prompts and DECODE tokens of answers a
second in all, and keeps the prompts of those whom it answered last, CACHE tokens of them. At most `window` episodes are under
way; the next one begins when one ends. What is assumed of an endpoint (an 8B model on one 80 GB card in bf16: 16 GB of
weights, 131 kB of keys and values a token) stands in the constants, and is no measurement.
"""

from collections import OrderedDict, deque

EPISODES, STEPS = 10_000, 30
PROMPT, GROWTH, ANSWER = 600, 70, 10
SLOTS, PREFILL, DECODE = 256, 20_000, 3_000
CACHE = int(50e9 / 131e3)


def play(window):
    """Seconds, and the share of prompt tokens that were in the cache."""
    cache, held = OrderedDict(), 0
    steps, ready, begun, now, done = {}, deque(), 0, 0.0, 0
    hits = asked = 0
    while done < EPISODES:
        while begun < EPISODES and len(steps) < window:
            steps[begun] = 0
            ready.append(begun)
            begun += 1
        batch = [ready.popleft() for _ in range(min(SLOTS, len(ready)))]
        computed = 0
        for episode in batch:
            prompt = PROMPT + GROWTH * steps[episode]
            known = cache.pop(episode, 0)
            held -= known
            asked += prompt
            hits += min(known, prompt)
            computed += prompt - min(known, prompt)
            cache[episode] = prompt + ANSWER
            held += prompt + ANSWER
            while held > CACHE:
                held -= cache.popitem(last=False)[1]
        now += computed / PREFILL + ANSWER * len(batch) / DECODE
        for episode in batch:
            steps[episode] += 1
            if steps[episode] == STEPS:
                done += 1
                del steps[episode]
                held -= cache.pop(episode, 0)
            else:
                ready.append(episode)
    return now, hits / asked


print(f"the cache has {CACHE} tokens: {CACHE // (PROMPT + GROWTH * STEPS // 2)} episodes of middling length")
for window in [64, 128, 256, 512, 1_024, 2_048, 10_000]:
    seconds, share = play(window)
    rate = EPISODES * STEPS / seconds
    print(f"window {window:>6}: {seconds / 3600:5.2f} h, {rate:6.0f} calls/s, {100 * share:5.1f} % of prompts cached")
