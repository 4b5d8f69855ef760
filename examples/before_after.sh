#!/bin/sh
# Three agents of published packages, none of whose code is changed: what a strong mind did for them is captured, the weak one learns
# from it, and both then answer new games by turns. Resumes nothing; a fresh DIR each time.
#   sh examples/before_after.sh DIR [TRAINING GAMES] [NEW GAMES] [SPLIT OF THE NEW GAMES]      (PYTHON with openai-agents, langgraph, langchain-openai, smolagents)
set -eu
dir=$1 games=${2:-400} new=${3:-120} split=${4:-seen} port=${PORT:-8730}
python=${PYTHON:-python3} foretaste=${FORETASTE:-foretaste}
here=$(dirname "$0")
export FORETASTE="$foretaste"
serve() { # MIND: a gateway until `quiet` is called
    "$foretaste" --data-dir "$dir" gateway --session run --port "$port" --mind "$1" > "$dir.log" 2>&1 &
    gateway=$!
    sleep 4
}
quiet() { kill -TERM "$gateway"; wait "$gateway" || true; }
play() { # SCRIPT SPLIT COUNT
    echo "$1 $2: won $("$python" -W ignore "$here/$1.py" "$2" 0 "$3" "http://127.0.0.1:$port" fk-run 2> "$dir.err" | tail -1)"
}

serve embedded
for script in openai_agents langgraph_agent smolagents_two; do play $script train "$games"; done
quiet
"$foretaste" --data-dir "$dir" gateway agents
# The one whose key names no agent is numbered, and is named by hand.
"$foretaste" --data-dir "$dir" gateway name agent-2 langgraph
run=0
for pair in openai:openai_agents langgraph:langgraph_agent smol-player:smolagents_two; do
    agent=${pair%%:*} script=${pair##*:} run=$((run + 1))
    "$foretaste" --data-dir "$dir" gateway take "$agent"
    "$foretaste" --data-dir "$dir" train --objective imitation --expert "$agent" --from novice --steps 400 --held-out 0
    "$foretaste" --data-dir "$dir" gateway route "$agent=novice,run $run step 400"
    serve novice
    play "$script" "$split" "$new"
    quiet
    echo "== $agent, before and after on new games"
    "$foretaste" --data-dir "$dir" gateway compare "$agent" --split "$split"
done
