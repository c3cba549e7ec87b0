# shellcheck shell=bash
# A PostgreSQL server of our own, from Debian's programs, for this machine and the cluster's pods; it runs without a
# cluster too. Nobody but the role `orthid` can sign in, over TCP, by a password that is only in a 0600 file.

postgres_version=15
postgres_port=25432
postgres_dir=$cluster_dir/postgres
postgres_programs=/usr/lib/postgresql/$postgres_version/bin

command_postgres() {
  local command=${1:-}
  shift || true
  case $command in
    up)
      take_lock
      postgres_up
      ;;
    down)
      take_lock
      postgres_down
      ;;
    restart)
      take_lock
      postgres_restart "$@"
      ;;
    status) postgres_status ;;
    url) postgres_url "$@" ;;
    *) die "postgres takes up, down, restart, status or url; see: cluster --help" ;;
  esac
}

install_postgres_packages() {
  install_packages "postgresql-$postgres_version:$postgres_programs/postgres"
}

postgres_up() {
  install_postgres_packages
  [[ -e $postgres_dir/complete ]] || make_database
  ((EUID != 0)) || add_gateway_address
  start_postgres
  say "PostgreSQL serves 127.0.0.1:$postgres_port; its URL: cluster postgres url"
}

start_postgres() {
  local -x LC_ALL=C.UTF-8
  local launcher=("${as_postgres[@]}")
  is_running postgres || clear_killed_server
  ensure_running postgres "$postgres_programs/postgres" -D "$data_folder" 8<"$postgres_dir/data"
  wait_for_program postgres 30 postgres_answers
}

# After a kill -9 of the server its children take a moment to notice, and a new server does not start beside them. Nor does
# it where the process id in the old one's lock file is taken, be it by a zombie.
clear_killed_server() {
  wait_until 20 no_process_in "$postgres_dir/data" ||
    die "processes of a PostgreSQL server that was killed still run in $postgres_dir/data"
  remove_shared_memory
  rm -f "$postgres_dir/data/postmaster.pid"
}

no_process_in() {
  local folder
  for folder in /proc/[0-9]*; do [[ ! $folder/cwd -ef $1 ]] || return 1; done
}

# PostgreSQL refuses to run as root, and its own user can't walk into a folder below root's home. So it is given its data
# folder open, as file descriptor 8, and uses it by that name.
data_folder=/proc/self/fd/8
as_postgres=()
((EUID != 0)) || as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups --)

with_data_folder() (
  cd / && exec "${as_postgres[@]}" "$@" 8<"$postgres_dir/data"
)

make_database() {
  local data=$postgres_dir/data password
  say "making a database in $postgres_dir"
  rm -rf "$postgres_dir"
  mkdir -p "$data"
  chmod 700 "$data"
  ((EUID != 0)) || chown postgres:postgres "$data"
  with_data_folder "$postgres_programs/initdb" --pgdata="$data_folder" --username=postgres --auth=reject \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >"$postgres_dir/initdb.log" 2>&1 ||
    die "initdb failed; its log: $postgres_dir/initdb.log"
  with_data_folder tee -a "$data_folder/postgresql.conf" <<CONF >/dev/null
port = $postgres_port
listen_addresses = '127.0.0.1$( ((EUID != 0)) || printf ', %s' "$gateway")'
unix_socket_directories = ''
password_encryption = scram-sha-256
max_connections = 200
# Shared memory in files of the data folder, so that a kill -9 leaves none behind.
dynamic_shared_memory_type = mmap
CONF
  with_data_folder tee "$data_folder/pg_hba.conf" <<CONF >/dev/null
host all all 127.0.0.1/32 scram-sha-256
host all all $pod_network scram-sha-256
CONF
  password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && echo "$password" >"$postgres_dir/password")
  # CREATEDB: a backup is verified by restoring it into a scratch database.
  with_data_folder "$postgres_programs/postgres" --single -D "$data_folder" postgres <<SQL >>"$postgres_dir/initdb.log" 2>&1 ||
CREATE ROLE orthid LOGIN CREATEDB PASSWORD '$password'
CREATE DATABASE orthid OWNER orthid
SQL
    die "the database 'orthid' could not be made; the log: $postgres_dir/initdb.log"
  touch "$postgres_dir/complete"
}

postgres_answers() {
  "$postgres_programs/pg_isready" -q -t 2 -h 127.0.0.1 -p "$postgres_port"
}

postgres_restart() {
  local signal=INT
  case ${1:-} in
    '') ;;
    --kill) signal=KILL ;;
    *) die "postgres restart takes --kill or nothing" ;;
  esac
  [[ -e $postgres_dir/complete ]] || die "there is no database yet; make it with: cluster postgres up"
  stop_program postgres "$signal"
  postgres_up
}

postgres_down() {
  # SIGINT: open connections are cut, data is written.
  stop_program postgres INT
  remove_shared_memory
  rm -rf "$postgres_dir" "$log_dir"/postgres.*
}

# After a kill -9 the server's System V segment stays; the data folder tells its id.
remove_shared_memory() {
  local segment
  segment=$(sed -n '7s/.* //p' "$postgres_dir/data/postmaster.pid" 2>/dev/null) || return 0
  [[ -z $segment ]] || ipcrm -m "$segment" 2>/dev/null || true
}

postgres_status() {
  if is_running postgres && postgres_answers; then
    echo "postgres                 answers at 127.0.0.1:$postgres_port (process $(program_pid postgres))"
  else
    echo "postgres                 does not run"
    return 1
  fi
}

postgres_url() {
  local host=127.0.0.1
  case ${1:-} in
    '') ;;
    --from-pods) host=$gateway ;;
    *) die "postgres url takes --from-pods or nothing" ;;
  esac
  [[ -e $postgres_dir/complete ]] || die "there is no database yet; make it with: cluster postgres up"
  echo "postgres://orthid:$(cat "$postgres_dir/password")@$host:$postgres_port/orthid"
}
