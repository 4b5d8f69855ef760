#!/usr/bin/env bash
# Makes the embedded models again: assets/make.sh EMPTY_FOLDER [household | alfworld]. Everything is drawn from seeds.
# The second needs ALFWorld's games, where ALFWORLD_DATA says.
set -euo pipefail
D=${1:?usage: assets/make.sh EMPTY_FOLDER [household | alfworld]}
SUITE=${2:-household}
case $SUITE in
  household) GAMES=4000 ;;
  alfworld) GAMES=3553 ;;
  *) echo "assets/make.sh: no recipe for $SUITE" >&2; exit 2 ;;
esac
F="$(dirname "$0")/../target/release/foretaste --data-dir $D"
OF="--suite $SUITE --split train --seed 1"
$F collect demos $OF --games $GAMES >/dev/null
$F collect branches $OF --games $GAMES -k 2 >/dev/null
$F collect reflections $OF --games 1000 --pool uniform >/dev/null
$F data list reflections --json --limit 100000 | sed -E 's/^\{"id":([0-9]+),.*/approve \1/' | $F curate apply >/dev/null
$F model new --layers 4 --hidden 192 --vocab 640 --suite $SUITE --seed 1 --out "$D/fresh"
$F train --objective joint --suite $SUITE --from "$D/fresh" --steps 1800 --batch 8 --rate 2e-3 --save-every 100 --keep-all
$F model pack "$D/checkpoints/run-1-step-1800" --half --out "$D/model"
echo "$SUITE: $D/model/*"
if [ "$SUITE" = household ]; then
  $F model pack "$D/checkpoints/run-1-step-200" --half --out "$D/novice"
  echo "novice: $D/novice/model.safetensors as novice.safetensors"
fi
