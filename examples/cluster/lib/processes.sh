# shellcheck shell=bash
# Starts and stops long-running programs, and knows its own by process id and exact command line, never by name.
#
# For a program NAME, run/NAME.pid holds the process id and run/NAME.argv the arguments it was started with, each ended
# by a NUL as in /proc/PID/cmdline. Whatever has that id and another command line is somebody else's process.

run_dir=$cluster_dir/run
log_dir=$cluster_dir/logs

program_pid() { cat "$run_dir/$1.pid" 2>/dev/null; }

is_running() {
  local pid
  pid=$(program_pid "$1") || return 1
  # Through a pipe: cmp takes two files of unlike sizes to differ, and every file of /proc has the size 0.
  [[ -n $pid ]] && cat "/proc/$pid/cmdline" 2>/dev/null | cmp -s - "$run_dir/$1.argv"
}

# Whether NAME was started with these arguments; the programs are configured by flags, so other flags mean a restart.
has_arguments() {
  local name=$1
  shift
  printf '%s\0' "$@" | cmp -s - "$run_dir/$name.argv"
}

# ensure_running NAME PROGRAM ARG...: starts it unless it runs with just these arguments.
ensure_running() {
  local name=$1
  shift
  if is_running "$name"; then
    has_arguments "$name" "$@" && return
    stop_program "$name"
  fi
  start_program "$name" "$@"
}

# What a program is started by, for a caller that sets it: a command that ends in an exec of what follows it.
launcher=()

start_program() {
  local name=$1 pid
  shift
  say "starting $name"
  mkdir -p "$run_dir" "$log_dir"
  rm -f "$run_dir/$name.pid"
  printf '%s\0' "$@" >"$run_dir/$name.argv"
  # The previous log is kept once: it says why the program ended.
  if [[ -s $log_dir/$name.log ]]; then mv "$log_dir/$name.log" "$log_dir/$name.previous.log"; fi
  (
    cd / || exit
    # A session of its own: a Ctrl-C in the terminal is not for it. The lock (9) must not outlive this script in it.
    exec setsid "${launcher[@]}" "$@" </dev/null >"$log_dir/$name.log" 2>&1 9>&-
  ) &
  pid=$!
  disown "$pid"
  echo "$pid" >"$run_dir/$name.pid"
  # Between the fork and the last exec the process still has another command line.
  wait_until 5 is_running "$name" || program_failed "$name" "it ended at once"
}

# Ends NAME: SIGTERM (or the signal given), then SIGKILL after 10 s; returns when the process is gone.
stop_program() {
  local name=$1 signal=${2:-TERM} pid
  if is_running "$name"; then
    pid=$(program_pid "$name")
    kill -s "$signal" "$pid" 2>/dev/null || true
    wait_until 10 is_gone "$pid" || kill -s KILL "$pid" 2>/dev/null || true
    wait_until 10 is_gone "$pid" || die "$name (process $pid) does not end, even by SIGKILL"
  fi
  rm -f "$run_dir/$name.pid" "$run_dir/$name.argv"
}

# A zombie has an empty command line; it holds neither ports nor files.
is_gone() { ! read -rd '' _ 2>/dev/null <"/proc/$1/cmdline"; }

# wait_until SECONDS COMMAND...: tries the command ten times a second.
wait_until() {
  local deadline_ms=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    (($(now_ms) < deadline_ms)) || return 1
    sleep 0.1
  done
}

now_ms() { echo $((${EPOCHREALTIME/[^0-9]/} / 1000)); }

# wait_for_program NAME SECONDS COMMAND...: like wait_until, but a program that has ended is not waited for.
wait_for_program() {
  local name=$1 seconds=$2
  shift 2
  wait_until "$seconds" answers_or_ended "$name" "$@" || program_failed "$name" "it did not get ready within $seconds s"
  is_running "$name" || program_failed "$name" "it ended"
}

answers_or_ended() {
  local name=$1
  shift
  ! is_running "$name" || "$@"
}

program_failed() {
  local log=$log_dir/$1.log
  say "the last lines of $log:"
  tail -n 15 "$log" | cut -c1-400 | sed 's/^/  /' >&2 || true
  die "$1 failed: $2. Its whole log: $log"
}
