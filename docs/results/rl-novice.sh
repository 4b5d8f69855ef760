#!/usr/bin/env bash
# Reinforcement learning from `novice`, by method, at equal tokens: docs/results/rl-novice.sh FOLDER > rl-novice.jsonl
# FORETASTE, METHODS, SEEDS, TOKENS and RATE may be set. What is finished is not done again: run it again after an interruption.
set -euo pipefail
D=${1:?usage: rl-novice.sh FOLDER}
F="${FORETASTE:-target/release/foretaste} --data-dir $D --json"
mkdir -p "$D/done"
# The last line that a command prints, kept so that it is not run twice.
once() {
  local name=$1; shift
  if [ ! -e "$D/done/$name" ]; then
    "$@" | tail -n 1 > "$D/done/$name.part"
    mv "$D/done/$name.part" "$D/done/$name"
  fi
}
number() { sed -E "s/.*\"$2\":([0-9]+).*/\1/" "$D/done/$1"; }
played() { # NAME SEED CHECKPOINT
  for split in unseen seen; do
    once "$1-$split" $F eval --suite household --split $split --games 140 --seed "$2" --temperature 0.4 --checkpoint "$3"
  done
}

for seed in ${SEEDS:-1 2 3}; do
  played "start-$seed" "$seed" novice
  for method in ${METHODS:-expert-iteration grpo forks}; do
    once "$method-$seed" $F train --objective rl --method "$method" --suite household --from novice --seed "$seed" \
      --tokens "${TOKENS:-2000000}" --steps 100000 --rate "${RATE:-1e-4}" --temperature 0.6 --validation 0 --kept 0
    run=$(number "$method-$seed" finished)
    last=$($F data list checkpoints | grep "\"run\":$run," | head -n 1 | sed -E 's/^\{"id":([0-9]+),.*/\1/')
    played "$method-$seed" "$seed" "$last"
  done
done
for seed in ${SEEDS:-1 2 3}; do
  for name in start ${METHODS:-expert-iteration grpo forks}; do
    for split in unseen seen; do sed -E "s/^\{/{\"start\":\"novice\",\"method\":\"$name\",\"seed\":$seed,/" "$D/done/$name-$seed-$split"; done
  done
done
