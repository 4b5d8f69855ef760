#!/usr/bin/env bash
# Imitation against world modelling on ALFWorld: docs/results/il-iwm.sh FOLDER ALFWORLD_DATA > il-iwm.jsonl
# About an hour and a half on two cores. What is finished is not done again: run it again after an interruption.
set -euo pipefail
D=${1:?usage: il-iwm.sh FOLDER ALFWORLD_DATA}
export ALFWORLD_DATA=${2:?usage: il-iwm.sh FOLDER ALFWORLD_DATA}
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

once demos    $F collect demos    --suite alfworld --split train --games 888 --seed 1
once branches $F collect branches --suite alfworld --split train --games 888 --seed 1 -k 4
for seed in 1 2; do
  once "fresh-$seed" $F model new --layers 4 --hidden 256 --vocab 1024 --seed $seed --suite alfworld --out "$D/fresh-$seed"
  for arm in imitation world-model; do
    once "$arm-$seed" $F train --objective $arm --suite alfworld --from "$D/fresh-$seed" --seed $seed \
      --steps 1000 --match stage2 --world-epochs 3 --batch 8 --rate 1e-3 --held-out 0 --save-every 500
  done
done
for seed in 1 2; do
  for arm in imitation world-model; do
    run=$(number "$arm-$seed" finished)
    last=$($F data list checkpoints | grep "\"run\":$run," | head -n 1 | sed -E 's/^\{"id":([0-9]+),.*/\1/')
    for split in valid_unseen valid_seen; do
      once "$arm-$seed-$split" $F eval --suite alfworld --split $split --games 1000 --games-seed 1 --seed $seed \
        --temperature 0.4 --checkpoint "$last"
    done
  done
done
for split in valid_unseen valid_seen; do
  for seed in 1 2; do
    for arm in imitation world-model; do cat "$D/done/$arm-$seed-$split"; done
  done
  ids() { echo "$(number "$1-1-$split" evaluation),$(number "$1-2-$split" evaluation)"; }
  $F eval --compare "$(ids imitation)" "$(ids world-model)"
done
