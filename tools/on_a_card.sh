#!/usr/bin/env bash
# Checks, times and trains on a machine with a card, torch, Triton, and nothing else of this suite.
#
#   tools/on_a_card.sh pack FOLDER [DATA ...]     here: wheels of what that machine lacks, the data sets DATA, the commit
#   tools/on_a_card.sh run SECONDS FOLDER OUT     there, in a copy of this checkout: all steps in this time, results in OUT
#   tools/on_a_card.sh take OUT                   here: the results in OUT enter the ledger, and their weights the home
#
# Lines of tools/card_trainings.txt (TRAININGS names another file) are what `python -m bench run` takes. What the time cuts
# off goes on at the next run: pack with EARLIER=OUT takes its results along. STEPS names some of: check speed train (default:
# all), SPEED the workloads, CHECK more options of `bench gpu check`. TINY=1 runs each step on the CPU at tiny sizes.
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=$PWD
MOST_MB=55 # of all that is packed: with the checkout it has to stay below 64 MB
PART=15m   # of a file in OUT
# Packages of requirements.lock that a machine with torch has (those of its own version are used), or that only tests need
LEFT_OUT="torch triton numpy scipy scikit-learn pandas matplotlib numba llvmlite h5py pillow fonttools contourpy kiwisolver
networkx sympy mpmath setuptools cycler pyparsing joblib threadpoolctl pytest pytest-xdist pluggy iniconfig execnet hypothesis
sortedcontainers mypy mypy_extensions librt ast_serialize pathspec ruff deptry requirements-parser playwright pandas-stubs
types-tqdm psycopg psycopg-binary submitit nir wandb-workspaces optuna-dashboard bottle expelliarmus
aiohttp aiosignal aiohappyeyeballs multidict yarl frozenlist propcache Pygments tomli cloudpickle narwhals"

die() { echo "$*" >&2; exit 1; }

pack() {
  [ $# -ge 1 ] || die "usage: tools/on_a_card.sh pack FOLDER [DATA ...]"
  local folder=$1 python=${PYTHON:-.venv/bin/python} data=${BENCH_DATA:-data} names
  shift
  rm -rf "$folder/wheels"
  mkdir -p "$folder/wheels"
  names=$(grep -E '^[A-Za-z]' requirements.lock | grep -v 'python_version >= "3.13"' | cut -d' ' -f1 |
    grep -vixF "$(for name in $LEFT_OUT; do grep -iE "^$name==" requirements.lock | cut -d' ' -f1; done)")
  names="$names $(sed -n 's/^PEERS = .*: "\(spikingjelly==[^"]*\)", .*: "\(snntorch==[^"]*\)".*/\1 \2/p' bench/speed/peers.py) loguru"
  # shellcheck disable=SC2086
  "$python" -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_24_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_5_x86_64 \
    --platform manylinux1_x86_64 -d "$folder/wheels" $names
  if ls "$folder"/wheels | grep -iE '^(torch-|triton|nvidia)'; then die "these wheels belong to the card's own machine"; fi
  for name in "$@"; do [ -d "$data/$name" ] || die "there is no data set $name in $data"; done
  [ $# = 0 ] || tar -C "$data" -cf "$folder/data.tar" "$@"
  if [ -n "${EARLIER:-}" ]; then cat "$EARLIER"/results.tar.gz.* > "$folder/earlier.tar.gz"; fi
  git rev-parse --short=12 HEAD > "$folder/commit"
  [ -z "$(git status --porcelain --untracked-files=no -- . ':!results')" ] || echo "$(cat "$folder/commit")+changes" > "$folder/commit"
  local mb
  mb=$(du -sm --apparent-size "$folder" | cut -f1)
  echo "$folder: $(ls "$folder/wheels" | wc -l) wheels, $(du -sm --apparent-size "$folder/wheels" | cut -f1) MB; $mb MB in all"
  [ "$mb" -le "$MOST_MB" ] || die "that is more than $MOST_MB MB: name fewer data sets"
}

# A folder of packages that come before those of python3. The commands of sweeps are found through the entry points of
# pyproject.toml, which an installed project would have.
environment() {
  local site=$WORK/site
  mkdir -p "$site/suite-0.dist-info"
  if ls "$FOLDER"/wheels/*.whl > /dev/null 2>&1; then
    python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$site" "$FOLDER"/wheels/*.whl
  fi
  printf 'Metadata-Version: 2.1\nName: suite\nVersion: 0\n' > "$site/suite-0.dist-info/METADATA"
  python3 - > "$site/suite-0.dist-info/entry_points.txt" << 'PYTHON'
import tomllib
for group, entries in tomllib.load(open("pyproject.toml", "rb"))["project"]["entry-points"].items():
    print(f"[{group}]", *(f"{name} = {place}" for name, place in entries.items()), sep="\n")
PYTHON
  export PYTHONPATH=$ROOT:$site${PYTHONPATH:+:$PYTHONPATH}
}

left() { echo $((LIMIT - ($(date +%s) - BEGUN))); }

step() { # step NAME SECONDS COMMAND ...: its output to the log; its exit code
  local name=$1 seconds=$2 code=0
  shift 2
  echo "== $name, $(left) s left: ${*}" | tee -a "$OUT/log.txt"
  timeout --signal=TERM --kill-after=30 "$seconds" "$@" 2>&1 | tee -a "$OUT/log.txt" || code=$?
  [ $code = 0 ] || echo "== $name ended with $code" | tee -a "$OUT/log.txt"
  return $code
}

collect() {
  cd "$WORK"
  rm -f "$OUT"/results.tar.gz.*
  mkdir -p results home/experiments home/gpu
  tar -czf - --exclude='*.new' results home/experiments home/gpu $([ -d home/exploratory ] && echo home/exploratory) |
    split -b "$PART" - "$OUT/results.tar.gz."
  if [ -f results/speed-gpu.csv ]; then cp results/speed-gpu.csv "$OUT"; fi
  echo "== results are in $OUT" | tee -a "$OUT/log.txt"
}

run() {
  [ $# = 3 ] || die "usage: tools/on_a_card.sh run SECONDS FOLDER OUT"
  BEGUN=$(date +%s)
  LIMIT=$1
  [ "$LIMIT" -ge 60 ] 2> /dev/null || die "SECONDS must be a number of at least 60, got $1"
  FOLDER=$(realpath "$2")
  mkdir -p "$3"
  OUT=$(realpath "$3")
  WORK=${WORK:-$(mktemp -d)}
  : > "$OUT/log.txt"
  export PYTHONUNBUFFERED=1 BENCH_WANDB=${BENCH_WANDB:-off}
  export BENCH_HOME=$WORK/home BENCH_RESULTS=$WORK/results BENCH_DATA=$WORK/data
  mkdir -p "$BENCH_HOME" "$BENCH_RESULTS" "$BENCH_DATA"
  [ ! -f "$FOLDER/commit" ] || BENCH_COMMIT=$(cat "$FOLDER/commit")
  export BENCH_COMMIT=${BENCH_COMMIT:-}
  [ ! -f "$FOLDER/data.tar" ] || tar -C "$BENCH_DATA" -xf "$FOLDER/data.tar"
  [ ! -f "$FOLDER/earlier.tar.gz" ] || tar -C "$WORK" -xzf "$FOLDER/earlier.tar.gz"
  environment
  trap collect EXIT
  local words device=cuda tiny="" trainings=${TRAININGS:-tools/card_trainings.txt}
  if [ -n "${TINY:-}" ]; then
    export TRITON_INTERPRET=1
    device=cpu
    tiny=--tiny
  fi
  step versions 60 python3 -c 'import numba, numpy, optuna, pandas, torch, triton
for module in (numba, numpy, optuna, pandas, torch, triton): print(module.__name__, module.__version__)'
  local steps=" ${STEPS:-check speed train} "
  # shellcheck disable=SC2086
  [[ $steps != *" check "* ]] || step check $(($(left) < 240 ? $(left) : 240)) python3 -m bench gpu check --device $device $tiny ${CHECK:-} || true
  local share=$(($(left) / 2))
  [ $share -le 300 ] || share=300
  # shellcheck disable=SC2086
  [[ $steps != *" speed "* ]] || step speed $((share + 60)) python3 -m bench gpu speed ${SPEED:-} --device $device $tiny --repeat ${REPEAT:-9} --seconds $share || true
  unset TRITON_INTERPRET
  [[ $steps == *" train "* ]] || return 0
  while read -r line; do
    [ "$(left)" -gt 60 ] || break
    mapfile -t words < <(xargs printf '%s\n' <<< "$line") # its quotes hold
    step training $(($(left) - 10)) python3 -m bench run "${words[@]}" --device $device --seconds $(($(left) - 45)) < /dev/null || true
  done < <(grep -vE '^ *(#|$)' "$trainings")
}

take() {
  [ $# = 1 ] || die "usage: tools/on_a_card.sh take OUT"
  local python=${PYTHON:-.venv/bin/python} home=${BENCH_HOME:-.bench} folder conflicts=0
  folder=$(mktemp -d)
  cat "$1"/results.tar.gz.* | tar -C "$folder" -xzf -
  if [ -d "$folder/results/runs" ]; then "$python" -m bench merge "$folder/results" || conflicts=1; fi
  "$python" - "$folder/results" << 'PYTHON'
import sys
from bench import paths
from bench.speed.gpu import timings
with paths.using(results=sys.argv[1]):
    rows = timings.read()
if rows:
    timings.write(rows)
PYTHON
  mkdir -p "$home/experiments"
  for experiment in "$folder"/home/experiments/*/; do
    [ ! -f "$experiment/weights.pt" ] || cp -rn "$experiment" "$home/experiments/"
  done
  return $conflicts
}

mode=${1:-}
[ $# = 0 ] || shift
case $mode in
  pack) pack "$@" ;;
  run) run "$@" ;;
  take) take "$@" ;;
  *) die "usage: tools/on_a_card.sh pack | run | take; the head of this file says what each takes" ;;
esac
