# shellcheck shell=bash
# What the cluster needs of the machine and changes on it outside its own folder: packages, kernel settings, an address.
# Whatever is changed here, `down` puts back.

# Pods reach the host at this address: the gateway of the ptp network, also put on the loopback device, so that it
# exists, and servers can listen on it, before the first pod runs.
gateway=10.244.0.1
pod_network=10.244.0.0/16

need_program() {
  command -v "$1" >/dev/null || die "there is no '$1' on the PATH. $2"
}

need_root() {
  ((EUID == 0)) || die "$1 needs root: it makes network namespaces, mounts and iptables rules. Run it as root, or set" \
    "KUBECONFIG to a cluster of yours (kind and k3d will do) and leave this one alone."
}

# install_packages PACKAGE:FILE...: from Debian, those whose file is missing.
install_packages() {
  local wanted missing=()
  for wanted in "$@"; do
    compgen -G "${wanted#*:}" >/dev/null || missing+=("${wanted%%:*}")
  done
  ((${#missing[@]})) || return 0
  need_program apt-get "Install these packages by hand (Debian's names): ${missing[*]}"
  need_root "installing ${missing[*]}"
  say "installing from Debian: ${missing[*]}"
  without_starting_services apt_install "${missing[@]}" ||
    die "apt-get could not install: ${missing[*]}; its messages are above"
}

apt_install() {
  # The lists may be absent or old, as in a fresh container; they are fetched only when they do not do.
  run_apt install "$@" >/dev/null 2>&1 || { run_apt update && run_apt install "$@"; }
}

# A fresh machine may be at its own upgrades; apt's lock is waited for.
run_apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >&2
}

# Debian starts the services of a package when it installs it, unless this file says no; the cluster runs its own.
without_starting_services() {
  local policy=/usr/sbin/policy-rc.d status=0
  if [[ -e $policy ]]; then
    "$@"
    return
  fi
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  "$@" || status=$?
  rm -f "$policy"
  return "$status"
}

install_cluster_packages() {
  install_packages containerd:/usr/bin/containerd runc:/usr/sbin/runc containernetworking-plugins:/usr/lib/cni/ptp \
    iptables:/usr/sbin/iptables conntrack:/usr/sbin/conntrack iproute2:/usr/sbin/ip openssl:/usr/bin/openssl \
    openssh-client:/usr/bin/ssh-agent curl:/usr/bin/curl
}

# Refuses a machine that is somebody else's node: two kube-proxies would undo each other's rules.
refuse_second_node() {
  [[ -e $cluster_dir/sysctl.before ]] && return
  if iptables-save 2>/dev/null | grep -q '^:KUBE-SERVICES '; then
    die "this machine already has the iptables rules of a Kubernetes node, and not from this cluster ($cluster_dir)." \
      "Set KUBECONFIG to use that one."
  fi
}

# Kernel settings that kubelet, kube-proxy and the network plugins change.
changed_sysctls=(net.ipv4.ip_forward net.ipv4.conf.all.route_localnet vm.overcommit_memory vm.panic_on_oom kernel.panic
  kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

remember_sysctls() {
  [[ -e $cluster_dir/sysctl.before ]] && return
  sysctl "${changed_sysctls[@]}" 2>/dev/null >"$cluster_dir/sysctl.before.new" || true
  mv "$cluster_dir/sysctl.before.new" "$cluster_dir/sysctl.before"
}

restore_sysctls() {
  local line
  [[ -e $cluster_dir/sysctl.before ]] || return 0
  while read -r line; do
    sysctl -q -w "${line// = /=}" || say "could not restore the kernel setting $line"
  done <"$cluster_dir/sysctl.before"
}

add_gateway_address() {
  ip -4 addr show dev lo | grep -q "inet $gateway/" || ip addr add "$gateway/32" dev lo
}

remove_gateway_address() {
  if ip -4 addr show dev lo | grep -q "inet $gateway/"; then ip addr del "$gateway/32" dev lo; fi
}

# overlayfs where the state's file system can carry it (another overlayfs can't), else plain copies.
choose_snapshotter() {
  local probe=$cluster_dir/overlay-probe chosen=native
  mkdir -p "$probe"/{lower,upper,work,merged}
  if mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" "$probe/merged" \
    2>/dev/null; then
    umount "$probe/merged"
    chosen=overlayfs
  fi
  rm -rf "$probe"
  echo "$chosen"
}
