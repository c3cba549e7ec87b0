# shellcheck shell=bash
# The commands that start, stop and show the whole cluster.

# One command at a time changes the cluster. The lock is a file of the cluster's folder, which `down` removes: whoever
# waited for a file that is gone by now takes the new one.
take_lock() {
  local lock=$cluster_dir/lock
  while :; do
    mkdir -p "$cluster_dir"
    chmod 700 "$cluster_dir"
    exec 9>>"$lock"
    if ! flock -n 9; then
      say "waiting for another cluster command to end"
      flock -w 1800 9 || die "another cluster command holds $lock for half an hour already"
    fi
    [[ $lock -ef /proc/$$/fd/9 ]] && return
  done
}

command_build() {
  local tool tools=()
  for tool in "${@:-all}"; do
    case $tool in
      all) tools+=("${helm_tools[@]}" "${cluster_tools[@]}") ;;
      helm) tools+=("${helm_tools[@]}") ;;
      cluster) tools+=(kubectl "${cluster_tools[@]}") ;;
      helm3 | helm4 | kubectl) tools+=("$tool") ;;
      *) die "build takes helm, helm3, helm4, kubectl, cluster or nothing; see: cluster --help" ;;
    esac
  done
  build_tools "${tools[@]}"
}

command_packages() {
  install_cluster_packages
  install_postgres_packages
}

command_up() {
  local began_ms
  need_root "the cluster"
  take_lock
  install_cluster_packages
  command_build cluster
  began_ms=$(now_ms)
  refuse_second_node
  refuse_long_paths
  remember_sysctls
  add_gateway_address
  make_certificates
  install -m 600 "$pki/admin.kubeconfig" "$cluster_dir/kubeconfig"
  start_programs
  wait_for_programs
  say "ready in $(($(now_ms) - began_ms)) ms; in a shell: eval \"\$($here/cluster env)\""
}

# The path of a Unix socket is at most 107 bytes; kubelet's longest ones are 60 below its folder.
refuse_long_paths() {
  ((${#containerd_socket} <= 100)) ||
    die "the path of the cluster's folder is too long for sockets in it: $cluster_dir; set ORTHID_CLUSTER_DIR to a shorter one"
}

start_programs() {
  start_etcd
  start_containerd
  wait_for_program etcd 30 etcd_answers
  start_apiserver
  wait_for_program containerd 30 containerd_answers
  import_pause_image
  start_kubelet
  wait_for_program kube-apiserver 60 apiserver_answers
  start_controller_manager
  start_scheduler
  start_kube_proxy
}

wait_for_programs() {
  wait_for_program kube-controller-manager 60 controller_manager_answers
  wait_for_program kube-scheduler 60 scheduler_answers
  wait_for_program kube-proxy 60 kube_proxy_answers
  wait_for_program kubelet 60 kubelet_answers
  wait_for_program kubelet 60 node_is_ready
  wait_for_program kubelet 60 kubelet_knows_its_pods
  wait_for_program kube-controller-manager 60 default_service_account_exists
}

command_restart_apiserver() {
  need_root "the cluster"
  take_lock
  [[ -e $pki/complete ]] || die "there is no cluster yet; make it with: cluster up"
  stop_program kube-apiserver KILL
  start_apiserver
  wait_for_program kube-apiserver 60 apiserver_answers
}

command_status() {
  local name status=0
  for name in "${cluster_programs[@]}"; do
    if is_running "$name"; then
      printf '%-24s runs (process %s)\n' "$name" "$(program_pid "$name")"
    else
      printf '%-24s does not run\n' "$name"
      status=1
    fi
  done
  if ((status == 0)) && node_is_ready; then
    printf '%-24s is ready\n' node
  else
    printf '%-24s is not ready\n' node
    status=1
  fi
  # The database is a program of its own: the cluster is whole without it.
  postgres_status || true
  return "$status"
}

command_kubeconfig() {
  [[ -e $cluster_dir/kubeconfig ]] || die "there is no cluster yet; make it with: cluster up"
  echo "$cluster_dir/kubeconfig"
}

command_env() {
  local helm=helm4 kubectl
  case "${1:-} ${2:-}" in
    ' ') tool_is_built helm4 || helm=helm3 ;;
    '--helm 4') ;;
    '--helm 3') helm=helm3 ;;
    *) die "env takes '--helm 3', '--helm 4' or nothing" ;;
  esac
  tool_is_built "$helm" || die "$helm is not built yet; build it with: cluster build $helm"
  kubectl=$(tool_path kubectl)
  helm=$(tool_path "$helm")
  printf 'export KUBECONFIG=%q\n' "$(command_kubeconfig)"
  # shellcheck disable=SC2016 # the reader's shell expands it
  printf 'export PATH=%q:%q:"$PATH"\n' "${kubectl%/*}" "${helm%/*}"
}

# Leaves the machine as it was: see README.md for what that covers. Works from whatever state a crash left.
command_down() {
  local name index
  [[ -e $cluster_dir ]] || { say "there is nothing to take down" && return; }
  [[ ! -e $cluster_dir/sysctl.before ]] || need_root "taking the cluster down"
  take_lock
  for ((index = ${#cluster_programs[@]} - 1; index >= 0; index--)); do
    name=${cluster_programs[index]}
    # Orderly ends are for programs with something to keep; this data goes.
    stop_program "$name" KILL
  done
  postgres_down
  if [[ -e $cluster_dir/sysctl.before ]]; then
    kill_containers
    remove_network
    remove_mounts
    remove_cgroups
    remove_host_files
    restore_sysctls
  fi
  ((EUID != 0)) || remove_gateway_address
  rm -rf "$cluster_dir"
  [[ $cluster_dir != */orthid/cluster ]] || rmdir --ignore-fail-on-non-empty "${cluster_dir%/*}"
  say "down; nothing of it is left but the built programs in $tools_cache"
}

# Every container has a folder of containerd's, named by its id, and a cgroup of that name; each pod has a shim, known by
# containerd's socket in its arguments.
container_folders() { compgen -G "$run_dir/containerd/io.containerd.runtime.v2.task/k8s.io/*" || true; }

kill_containers() {
  local pid remaining=100
  while ((remaining-- > 0)); do
    pid=$(cgroup_processes && shim_processes)
    [[ -n $pid ]] || return 0
    # shellcheck disable=SC2086 # one argument a process
    kill -s KILL $pid 2>/dev/null || true
    sleep 0.1
  done
  die "these processes of the cluster's containers do not end: $pid"
}

cgroup_processes() {
  local folder
  cgroup_folders | while read -r folder; do cat "$folder/cgroup.procs" 2>/dev/null || true; done | sort -u
}

# Both layouts: one tree (version 2), or one for each controller (version 1). Deepest first.
cgroup_folders() {
  local container root
  container_folders | while read -r container; do
    for root in /sys/fs/cgroup/{,*/}k8s.io/"${container##*/}"; do
      [[ ! -d $root ]] || find "$root" -depth -type d 2>/dev/null || true
    done
  done
}

shim_processes() {
  local folder arguments
  for folder in /proc/[0-9]*; do
    mapfile -d '' -t arguments 2>/dev/null <"$folder/cmdline" || continue
    [[ ${arguments[0]:-} == *containerd-shim* && " ${arguments[*]} " == *" -address $containerd_socket "* ]] &&
      echo "${folder#/proc/}"
  done
  return 0
}

remove_network() {
  local namespace record container
  network_namespaces | while read -r namespace; do ip netns del "$namespace" 2>/dev/null || true; done
  rmdir --ignore-fail-on-non-empty /run/netns 2>/dev/null || true
  # The network plugins' records of each pod, in a place that can't be chosen.
  for record in "/var/lib/cni/results/$cni_network-"*-eth0; do
    container=${record#*"/$cni_network-"}
    rm -f "$record" "/var/lib/cni/results/cni-loopback-${container%-eth0}-lo"
  done
  rmdir /var/lib/cni/results /var/lib/cni 2>/dev/null || true
  remove_iptables_chains
}

network_namespaces() {
  local pattern='/run/netns/cni-[0-9a-f-]+'
  {
    grep -rhoE "$pattern" "$run_dir/containerd" --include=config.json || true
    grep -hoE "$pattern" "/var/lib/cni/results/$cni_network-"* || true
  } 2>/dev/null | sed 's#.*/##' | sort -u
}

# kube-proxy's own --cleanup leaves its canary chains, so the rules go by their names.
remove_iptables_chains() {
  local command table
  for command in iptables ip6tables; do
    for table in filter nat mangle; do
      "$command-save" -t "$table" 2>/dev/null | grep -q '^:KUBE-' || continue
      "$command-save" -t "$table" | grep -vE '^(:KUBE-|-A KUBE-)|-j KUBE-' | "$command-restore" -T "$table"
    done
  done
}

remove_mounts() {
  local mounted
  # Innermost last in the table, so from the end. The kernel writes a space in a path as \040.
  tac /proc/mounts | cut -d' ' -f2 | while read -r mounted; do
    mounted=$(printf '%b' "${mounted//\\/\\0}")
    [[ $mounted != "$cluster_dir"/* ]] || umount "$mounted" || umount --lazy "$mounted"
  done
}

remove_cgroups() {
  local folder
  cgroup_folders | while read -r folder; do rmdir "$folder" || true; done
  rmdir --ignore-fail-on-non-empty /sys/fs/cgroup/{,*/}k8s.io 2>/dev/null || true
}

# Places that kubelet and the shims write to and that can't be chosen. Folders go when nobody else has anything in them.
remove_host_files() {
  local link container
  for link in /var/log/containers/*; do
    [[ $(readlink "$link") != "$log_dir"/* ]] || rm -f "$link"
  done
  container_folders | while read -r container; do
    [[ ! -e $container/address ]] || rm -f "$(sed 's#^unix://##' "$container/address")"
  done
  rm -f /var/lib/kubelet/device-plugins/{kubelet.sock,kubelet_internal_checkpoint,DEPRECATION}
  rmdir /var/log/containers /run/containerd/s /run/containerd /var/lib/kubelet/device-plugins /var/lib/kubelet \
    2>/dev/null || true
}
