# shellcheck shell=bash
# The cluster's certificate authority, the certificates it signs, and a kubeconfig for each who calls the API server.
# Made once, for ten years; private keys and kubeconfigs are readable by their owner alone.

pki=$cluster_dir/pki

make_certificates() {
  [[ -e $pki/complete ]] && return
  say "making certificates"
  rm -rf "$pki"
  mkdir -p "$pki"
  (
    umask 077
    make_authority
    openssl ecparam -name prime256v1 -genkey -noout -out "$pki/service-accounts.key"
    sign etcd /CN=etcd IP:127.0.0.1
    sign apiserver /CN=kube-apiserver \
      "IP:127.0.0.1,IP:10.96.0.1,IP:$gateway,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
    sign kubelet-server /CN=localhost "DNS:localhost,IP:127.0.0.1"
    sign apiserver-client /O=system:masters/CN=kube-apiserver
    make_kubeconfig admin /O=system:masters/CN=admin
    make_kubeconfig kubelet "/O=system:nodes/CN=system:node:localhost"
    make_kubeconfig kube-controller-manager /CN=system:kube-controller-manager
    make_kubeconfig kube-scheduler /CN=system:kube-scheduler
    make_kubeconfig kube-proxy /CN=system:kube-proxy
  )
  touch "$pki/complete"
}

make_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -subj /CN=orthid-cluster \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -keyout "$pki/ca.key" -out "$pki/ca.crt" 2>"$pki/openssl.log" ||
    die "openssl could not make a certificate authority: $(tail -n 3 "$pki/openssl.log")"
}

# sign NAME SUBJECT [SUBJECT_ALTERNATIVE_NAMES]: NAME.key and NAME.crt, for clients and servers both.
sign() {
  openssl req -x509 -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
    -days 3650 -subj "$2" -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=clientAuth,serverAuth \
    ${3:+-addext "subjectAltName=$3"} -keyout "$pki/$1.key" -out "$pki/$1.crt" 2>"$pki/openssl.log" ||
    die "openssl could not make the certificate $1: $(tail -n 3 "$pki/openssl.log")"
}

# make_kubeconfig NAME SUBJECT: a certificate, and a kubeconfig that carries it whole.
make_kubeconfig() {
  sign "$1" "$2"
  cat >"$pki/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: orthid
    cluster:
      server: https://127.0.0.1:$apiserver_port
      certificate-authority-data: $(base64 -w0 "$pki/ca.crt")
users:
  - name: $1
    user:
      client-certificate-data: $(base64 -w0 "$pki/$1.crt")
      client-key-data: $(base64 -w0 "$pki/$1.key")
contexts:
  - name: orthid
    context: { cluster: orthid, user: $1 }
current-context: orthid
YAML
}
