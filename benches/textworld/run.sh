#!/usr/bin/env bash
# The original Python engine beside this one, on the same games, in turns:
#
#   benches/textworld/run.sh compare DATA [ROUNDS]    speed: steps, forks, loading (DATA: the folder with train/, …)
#   benches/textworld/run.sh household                20 generated games, loaded and won in the original engine
#
# The Python side is optional: the packages are installed into a virtual environment (VENV, default target/textworld)
# by the first call. MEMO=FILE names a Python module that memoises the original's parsing; it is then measured as well.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${VENV:-target/textworld}
if ! [ -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q numpy networkx 'tatsu==5.8.3' mementos jericho cffi hashids tqdm pyyaml requests more-itertools
  "$venv/bin/pip" install -q --no-deps 'alfworld==0.4.2' 'textworld==1.7.0' 'fast-downward-textworld==20.6.4'
fi
cargo build --release --quiet
case ${1:-} in
  compare | household) exec "$venv/bin/python" "benches/textworld/$1.py" "${@:2}" ;;
  *) sed -n '2,9p' "$0"; exit 2 ;;
esac
