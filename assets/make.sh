#!/usr/bin/env bash
# Makes the embedded model and the novice again: assets/make.sh EMPTY_FOLDER. Everything is drawn from seeds.
set -euo pipefail
D=${1:?usage: assets/make.sh EMPTY_FOLDER}
F="$(dirname "$0")/../target/release/foretaste --data-dir $D"
$F collect demos --split train --games 4000 --seed 1 >/dev/null
$F collect branches --split train --games 4000 --seed 1 -k 2 >/dev/null
$F collect reflections --split train --games 1000 --seed 1 --pool uniform >/dev/null
$F data list reflections --json --limit 100000 | sed -E 's/^\{"id":([0-9]+),.*/approve \1/' | $F curate apply >/dev/null
$F model new --layers 4 --hidden 192 --vocab 640 --seed 1 --out "$D/fresh"
$F train --objective joint --from "$D/fresh" --steps 1800 --batch 8 --rate 2e-3 --save-every 100
$F model pack "$D/checkpoints/run-1-step-1800" --half --out "$D/model"
$F model pack "$D/checkpoints/run-1-step-200" --half --out "$D/novice"
echo "assets: $D/model/* and $D/novice/model.safetensors as novice.safetensors"
