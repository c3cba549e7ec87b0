# shellcheck shell=bash
# Runs the parts of a test run, one after the other or side by side, and says in the end where the time went.
# What a part prints is kept in target/test-logs; that of a part in the background is shown if it fails.

logs="${CARGO_TARGET_DIR:-$PWD/target}/test-logs"
declare -A background=()
began=$SECONDS

begin_run() {
  rm -rf "$logs"
  mkdir -p "$logs"
  trap end_background EXIT
}

say() { printf '\n== %s (%s)\n' "$*" "$(date -u +%H:%M:%S)"; }

# Notes how long a part took.
timed() {
  local name=$1 since=$SECONDS status=0
  shift
  "$@" || status=$?
  printf '%d\t%s\n' $((SECONDS - since)) "$name" >>"$logs/parts"
  return "$status"
}

# phase NAME COMMAND...: runs it in front of everybody.
phase() {
  say "$1"
  timed "$@"
}

# beside NAME COMMAND...: runs it in the background; `await NAME` waits for its end.
beside() {
  say "$1: begun beside the rest"
  # A process group of its own, so that all of it can be ended.
  set -m
  timed "$@" >"$logs/${1//[^a-z0-9]/-}.log" 2>&1 </dev/null &
  set +m
  background[$1]=$!
}

await() {
  local name=$1 log="$logs/${1//[^a-z0-9]/-}.log"
  local pid=${background[$name]}
  unset "background[$name]"
  if wait "$pid"; then
    say "$name: passed"
    grep -E '^test result:' "$log" || true
    return
  fi
  say "$name: FAILED; all that it said:"
  cat "$log"
  return 1
}

end_background() {
  local pid
  for pid in "${background[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
  wait
}

# tests ARGUMENT...: cargo test, each test with its time. libtest takes that option only where this variable is set, and
# it is set for the tests alone: cargo would build everything anew for it.
tests() {
  local own=() of_libtest=()
  while [[ $# -gt 0 && $1 != -- ]]; do own+=("$1"); shift; done
  [[ $# -eq 0 ]] || of_libtest=("${@:2}")
  CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='env RUSTC_BOOTSTRAP=1' \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='env RUSTC_BOOTSTRAP=1' \
    cargo test --locked "${own[@]}" -- -Zunstable-options --report-time --format=pretty "${of_libtest[@]}" |
    tee "$logs/tests-$BASHPID.times"
}

# The parts in their order, and the tests that took longest.
show_times() {
  say "where the time went"
  awk -F '\t' '{ printf "%7d s  %s\n", $1, $2 }' "$logs/parts"
  printf '%7d s  in all; parts that ran beside each other count once\n\n' $((SECONDS - began))
  sed -nE 's/^test (.*) \.\.\. ok <([0-9.]+)s>$/\2\t\1/p' "$logs"/*.times | sort -rn >"$logs/tests"
  awk -F '\t' 'NR <= 40 { printf "%9.1f s  %s\n", $1, $2 }
    { all += $1 } END { printf "%9.1f s  %d tests, one after the other; all of them: '"${logs#"$PWD"/}"'/tests\n", all, NR }' "$logs/tests"
}
