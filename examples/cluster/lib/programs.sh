# shellcheck shell=bash
# Kubernetes' own programs and containerd: their configuration, how each is started, and how to tell that it is ready.

etcd_port=26379
etcd_peer_port=26380
apiserver_port=26443
kubelet_port=26250
kubelet_health_port=26248
kube_proxy_health_port=26256
kube_proxy_metrics_port=26249
controller_manager_port=26257
scheduler_port=26259

containerd_socket=$run_dir/containerd.sock
pause_image=docker.io/orthid/pause:1
cni_network=orthid

# In the order in which they are started.
cluster_programs=(etcd containerd kube-apiserver kubelet kube-controller-manager kube-scheduler kube-proxy)

start_etcd() {
  # Without fsync: it survives a kill -9 of etcd, which is asked for here; not a power cut, which is not.
  ensure_running etcd "$(tool_path etcd)" --name=local --data-dir="$cluster_dir/etcd" --unsafe-no-fsync \
    --listen-client-urls="https://127.0.0.1:$etcd_port" --advertise-client-urls="https://127.0.0.1:$etcd_port" \
    --listen-peer-urls="http://127.0.0.1:$etcd_peer_port" --initial-advertise-peer-urls="http://127.0.0.1:$etcd_peer_port" \
    --initial-cluster="local=http://127.0.0.1:$etcd_peer_port" --auto-compaction-retention=1h \
    --client-cert-auth --trusted-ca-file="$pki/ca.crt" --cert-file="$pki/etcd.crt" --key-file="$pki/etcd.key"
}

start_apiserver() {
  local flags=(
    --bind-address=127.0.0.1 --secure-port="$apiserver_port" --advertise-address="$gateway"
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key"
    --client-ca-file="$pki/ca.crt" --anonymous-auth=false --authorization-mode=Node,RBAC
    --enable-admission-plugins=NodeRestriction
    --etcd-servers="https://127.0.0.1:$etcd_port" --etcd-cafile="$pki/ca.crt"
    --etcd-certfile="$pki/apiserver-client.crt" --etcd-keyfile="$pki/apiserver-client.key"
    --kubelet-preferred-address-types=Hostname --kubelet-certificate-authority="$pki/ca.crt"
    --kubelet-client-certificate="$pki/apiserver-client.crt" --kubelet-client-key="$pki/apiserver-client.key"
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/service-accounts.key"
    --service-account-signing-key-file="$pki/service-accounts.key"
    --service-cluster-ip-range=10.96.0.0/16 --allow-privileged=true
    # It listens on the loopback device alone, so pods do not reach it, and the service `kubernetes` has no endpoint.
    --endpoint-reconciler-type=none
  )
  ensure_running kube-apiserver "$(tool_path kube-apiserver)" "${flags[@]}"
}

start_controller_manager() {
  ensure_running kube-controller-manager "$(tool_path kube-controller-manager)" \
    --kubeconfig="$pki/kube-controller-manager.kubeconfig" --bind-address=127.0.0.1 \
    --secure-port="$controller_manager_port" --cert-dir="$run_dir/kube-controller-manager" --leader-elect=false \
    --use-service-account-credentials --service-account-private-key-file="$pki/service-accounts.key" \
    --root-ca-file="$pki/ca.crt" --flex-volume-plugin-dir="$cluster_dir/kubelet/volume-plugins"
}

start_scheduler() {
  ensure_running kube-scheduler "$(tool_path kube-scheduler)" --kubeconfig="$pki/kube-scheduler.kubeconfig" \
    --bind-address=127.0.0.1 --secure-port="$scheduler_port" --cert-dir="$run_dir/kube-scheduler" --leader-elect=false
}

start_kube_proxy() {
  # The zeros leave the kernel's settings for connection tracking as they are.
  ensure_running kube-proxy "$(tool_path kube-proxy)" --kubeconfig="$pki/kube-proxy.kubeconfig" \
    --hostname-override=localhost --proxy-mode=iptables --cluster-cidr="$pod_network" --nodeport-addresses=127.0.0.0/8 \
    --healthz-bind-address="127.0.0.1:$kube_proxy_health_port" \
    --metrics-bind-address="127.0.0.1:$kube_proxy_metrics_port" --oom-score-adj=0 \
    --conntrack-max-per-core=0 --conntrack-min=0 --conntrack-tcp-timeout-established=0 \
    --conntrack-tcp-timeout-close-wait=0
}

start_containerd() {
  [[ -e $cluster_dir/containerd.toml ]] || write_containerd_config
  ensure_running containerd /usr/bin/containerd --config "$cluster_dir/containerd.toml"
}

write_containerd_config() {
  local snapshotter
  snapshotter=$(choose_snapshotter)
  mkdir -p "$cluster_dir/cni"
  cat >"$cluster_dir/cni/10-orthid.conflist" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "$cni_network",
  "plugins": [
    {
      "type": "ptp",
      "ipam": {
        "type": "host-local",
        "dataDir": "$cluster_dir/cni/addresses",
        "ranges": [[{ "subnet": "$pod_network", "gateway": "$gateway" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    }
  ]
}
JSON
  cat >"$cluster_dir/containerd.toml.new" <<TOML
version = 2
root = "$cluster_dir/containerd"
state = "$run_dir/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "$containerd_socket"

[plugins."io.containerd.internal.v1.opt"]
  path = "$cluster_dir/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause_image"
  # Lowering a score takes CAP_SYS_RESOURCE, which root does not have in every sandbox.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "$cluster_dir/cni"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "$snapshotter"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "/usr/sbin/runc"
  Root = "$run_dir/runc"
TOML
  mv "$cluster_dir/containerd.toml.new" "$cluster_dir/containerd.toml"
}

start_kubelet() {
  mkdir -p "$cluster_dir/kubelet"
  write_kubelet_config
  ensure_running kubelet "$(tool_path kubelet)" --config="$cluster_dir/kubelet.yaml" \
    --kubeconfig="$pki/kubelet.kubeconfig" --root-dir="$cluster_dir/kubelet" --cert-dir="$run_dir/kubelet" \
    --hostname-override=localhost --node-ip="$gateway"
}

write_kubelet_config() {
  cat >"$cluster_dir/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
port: $kubelet_port
readOnlyPort: 0
healthzBindAddress: 127.0.0.1
healthzPort: $kubelet_health_port
tlsCertFile: $pki/kubelet-server.crt
tlsPrivateKeyFile: $pki/kubelet-server.key
authentication:
  anonymous: { enabled: false }
  webhook: { enabled: true }
  x509: { clientCAFile: $pki/ca.crt }
authorization: { mode: Webhook }
containerRuntimeEndpoint: unix://$containerd_socket
podLogsDir: $log_dir/pods
volumePluginDir: $cluster_dir/kubelet/volume-plugins
staticPodPath: ""
oomScoreAdj: 0
failSwapOn: false
# Both kinds of cgroups will do. Accounting by pod would need the right to set up cgroups of the host's own.
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
# Images can't be pulled again, and a full disk of the host is not for this node to tidy.
imageGCHighThresholdPercent: 100
evictionHard:
  memory.available: "0%"
  nodefs.available: "0%"
  nodefs.inodesFree: "0%"
  imagefs.available: "0%"
  imagefs.inodesFree: "0%"
shutdownGracePeriod: 0s
YAML
}

# The image of the container that holds a pod's namespaces: one static program in an image of one file.
import_pause_image() {
  local folder=$cluster_dir/pause
  containerd_has_image "$pause_image" && return
  need_program cc "A C compiler builds the program that holds a pod's namespaces (Debian: gcc and libc6-dev)."
  rm -rf "$folder"
  mkdir -p "$folder/rootfs"
  cc -Os -static -s -o "$folder/rootfs/pause" "$here/pause.c" || die "pause.c did not compile; the messages are above"
  make_archive "$folder/pause.tar" "$folder/rootfs" "$pause_image" --entrypoint /pause
  import_archive "$folder/pause.tar"
  rm -rf "$folder"
}

as_admin() { "$(tool_path kubectl)" --kubeconfig="$pki/admin.kubeconfig" --request-timeout=5s "$@"; }

# A proxy named by the environment is not for this machine's own addresses.
get() { curl -sf --noproxy '*' --max-time 2 "$@"; }

get_by_certificate() {
  get --cacert "$pki/ca.crt" --cert "$pki/apiserver-client.crt" --key "$pki/apiserver-client.key" "$1"
}

etcd_answers() { get_by_certificate "https://127.0.0.1:$etcd_port/health" >/dev/null; }
apiserver_answers() { get_by_certificate "https://127.0.0.1:$apiserver_port/readyz" >/dev/null; }

containerd_answers() { ctr_in_cluster version >/dev/null 2>&1; }

# Their certificates are self-signed, made at their start; nothing but a health is read.
controller_manager_answers() { get --insecure "https://127.0.0.1:$controller_manager_port/healthz" >/dev/null; }
scheduler_answers() { get --insecure "https://127.0.0.1:$scheduler_port/healthz" >/dev/null; }
kube_proxy_answers() { get "http://127.0.0.1:$kube_proxy_health_port/healthz" >/dev/null; }
kubelet_answers() { get "http://127.0.0.1:$kubelet_health_port/healthz" >/dev/null; }

node_is_ready() {
  local kubelet_since node
  node=$(as_admin get node localhost -o \
    'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].lastHeartbeatTime}' \
    2>/dev/null) || return 1
  [[ ${node%% *} == True ]] || return 1
  # After a restart the node's last word is from the kubelet before.
  kubelet_since=$(stat -c %Y "$run_dir/kubelet.pid") && (($(date -d "${node#* }" +%s) >= kubelet_since))
}

# A kubelet that has just started is told of its pods after it is ready; until then it refuses an exec into them.
kubelet_knows_its_pods() {
  local pods known pod
  pods=$(as_admin get pods --all-namespaces --field-selector=spec.nodeName=localhost \
    -o 'jsonpath={.items[*].metadata.uid}' 2>/dev/null) || return 1
  known=$(get_by_certificate "https://127.0.0.1:$kubelet_port/pods") || return 1
  for pod in $pods; do [[ $known == *"$pod"* ]] || return 1; done
}

default_service_account_exists() { as_admin get serviceaccount default -o name >/dev/null 2>&1; }
