# shellcheck shell=bash
# Builds the cluster's programs from the Go module registry, at the versions that tools/*/go.mod pin, and caches them
# by version outside the tree. It must not start anything, nor write anything else.

tools_cache=${XDG_CACHE_HOME:-$HOME/.cache}/orthid/tools

helm_tools=(helm3 helm4 kubectl)
cluster_tools=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy) # and kubectl

# The folder of tools/ that pins a tool.
tool_module() {
  case $1 in
    etcd | helm3 | helm4) echo "$1" ;;
    kube*) echo kubernetes ;;
    *) die "no tool is named '$1'" ;;
  esac
}

# The Go package that is a tool's `main`.
tool_package() {
  case $1 in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    helm3) echo helm.sh/helm/v3/cmd/helm ;;
    helm4) echo helm.sh/helm/v4/cmd/helm ;;
    *) echo "k8s.io/kubernetes/cmd/$1" ;;
  esac
}

# The version that a tool's go.mod requires, without the `v`.
tool_version() {
  local module package
  package=$(tool_package "$1")
  module=${package%/cmd/*}
  sed -nE "s#^(require )?[[:space:]]*${module} v([^ ]+).*#\2#p" "$here/tools/$(tool_module "$1")/go.mod"
}

# Where a built tool lies.
tool_path() {
  local name=$1
  case $name in helm3 | helm4) name=helm ;; esac
  echo "$tools_cache/$name-$(tool_version "$1")/$name"
}

# What the linker writes into a tool so that it knows its own version.
tool_ldflags() {
  local version client major minor package
  version=$(tool_version "$1")
  printf -- '-s -w'
  case $1 in
    etcd) ;;
    helm3)
      client=$(sed -nE 's#^[[:space:]]*k8s.io/client-go v0\.([0-9]+)\..*#\1#p' "$here/tools/helm3/go.mod")
      printf -- ' -X helm.sh/helm/v3/internal/version.version=v%s' "$version"
      for package in chartutil lint/rules; do
        printf -- ' -X helm.sh/helm/v3/pkg/%s.k8sVersionMajor=1' "$package"
        printf -- ' -X helm.sh/helm/v3/pkg/%s.k8sVersionMinor=%s' "$package" "$client"
      done
      ;;
    helm4) printf -- ' -X helm.sh/helm/v4/internal/version.version=v%s' "$version" ;;
    *)
      IFS=. read -r major minor _ <<<"$version"
      for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf -- ' -X %s.gitVersion=v%s' "$package" "$version"
        printf -- ' -X %s.gitMajor=%s -X %s.gitMinor=%s' "$package" "$major" "$package" "$minor"
        printf -- ' -X %s.gitTreeState=clean' "$package"
      done
      ;;
  esac
}

# A digest of everything that decides what is built.
tool_pins() {
  local module
  module=$here/tools/$(tool_module "$1")
  { cat "$module/go.mod" "$module/go.sum" && tool_ldflags "$1"; } | sha256sum | cut -d' ' -f1
}

tool_is_built() {
  local path
  path=$(tool_path "$1")
  [[ -x $path && $(cat "$path.pins" 2>/dev/null) == $(tool_pins "$1") ]]
}

# The tools that share a module and a linker's flags: one `go build` makes them together and compiles what they share once.
tool_group() {
  case $1 in
    kube*) echo kubernetes ;;
    *) echo "$1" ;;
  esac
}

# What `go build` calls the program of a package: the last part of its path that is no version.
built_name() {
  local package
  package=$(tool_package "$1")
  basename "${package%/v[0-9]}"
}

# A debugger's tables would be stripped anyway, and writing them is a tenth of the work; less time goes into collecting
# garbage, for memory.
go_settings=(CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off GOGC=400)
go_flags=(-trimpath -buildvcs=false -gcflags=all=-dwarf=false)

# Says every ten seconds how many packages `go build -v` has named so far.
show_progress() {
  local what=$1 all=$2 built=0 said=$SECONDS package
  while read -r package; do
    [[ $package != go:* ]] || continue # a download
    # Anything but the name of a package is the compiler's own message.
    [[ $package =~ ^[A-Za-z0-9./_~+-]+$ ]] || { printf '%s\n' "$package" >&2; continue; }
    ((++built))
    if ((SECONDS - said >= 10)); then
      said=$SECONDS
      say "$what: $built of at most $all packages compiled"
    fi
  done
}

build_group() {
  local tools=("$@") tool path name staging packages=() names='' all began=$SECONDS
  need_program go "Go 1.26 or newer builds the cluster's programs: https://go.dev/dl/"
  rm -rf "$tools_cache"/.building.* # of a build that was killed; the lock says that none is under way
  staging=$tools_cache/.building.$$
  mkdir -p "$staging"
  for tool in "${tools[@]}"; do
    packages+=("$(tool_package "$tool")")
    names+=" $tool $(tool_version "$tool")"
  done
  say "building$names"
  (
    cd "$here/tools/$(tool_module "${tools[0]}")" || exit
    all=$(env "${go_settings[@]}" go list -deps "${packages[@]}" 2>/dev/null | wc -l)
    set -o pipefail
    env "${go_settings[@]}" go build -v "${go_flags[@]}" -ldflags "$(tool_ldflags "${tools[0]}")" -o "$staging/" \
      "${packages[@]}" 2>&1 | show_progress "$(tool_group "${tools[0]}")" "$all"
  ) || die "$names did not build; the compiler's messages are above"
  for tool in "${tools[@]}"; do
    path=$(tool_path "$tool")
    mkdir -p "${path%/*}"
    # Complete before it has its name; its pins come last, so that an interrupted build is never taken for a finished one.
    rm -f "$path.pins"
    mv "$staging/$(built_name "$tool")" "$path"
    tool_pins "$tool" >"$path.pins"
  done
  rm -rf "$staging"
  say "built$names in $((SECONDS - began)) s"
}

# Builds those of the named tools that the cache lacks. One build at a time: they share Go's own cache.
build_tools() {
  local tool group missing=() together
  for tool in "$@"; do tool_is_built "$tool" || missing+=("$tool"); done
  ((${#missing[@]})) || return 0
  say "to build: ${missing[*]}"
  mkdir -p "$tools_cache"
  (
    flock 9
    for group in $(for tool in "${missing[@]}"; do tool_group "$tool"; done | awk '!seen[$0]++'); do
      together=()
      for tool in "${missing[@]}"; do
        [[ $(tool_group "$tool") != "$group" ]] || tool_is_built "$tool" || together+=("$tool")
      done
      ((${#together[@]} == 0)) || build_group "${together[@]}"
    done
  ) 9>"$tools_cache/.lock"
}
