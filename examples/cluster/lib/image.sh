# shellcheck shell=bash
# Makes images out of folders: a layer, a config for each image, and the manifest.json of `docker save`.

ctr_in_cluster() { ctr --address "$containerd_socket" --namespace k8s.io --timeout 60s "$@"; }

containerd_has_image() { ctr_in_cluster images ls -q "name==$1" 2>/dev/null | grep -qxF "$1"; }

import_archive() {
  local message
  message=$(ctr_in_cluster images import "$1" 2>&1) || die "containerd did not import $1: $message"
}

command_image() {
  local folder archive=''
  [[ $# -ge 2 && $1 != -* && $2 != -* ]] || die "image needs a reference and a folder; see: cluster --help"
  local reference=$1 rest=()
  folder=$2
  shift 2
  while (($#)); do
    case $1 in
      --archive)
        archive=${2:-}
        [[ -n $archive ]] || die "image: --archive needs a file"
        shift 2
        ;;
      *) rest+=("$1") && shift ;;
    esac
  done
  [[ -d $folder ]] || die "there is no folder '$folder' to make an image of"
  if [[ -n $archive ]]; then
    make_archive "$archive" "$folder" "$reference" "${rest[@]}"
    return
  fi
  need_root "importing an image"
  is_running containerd || die "the cluster does not run; start it with: cluster up"
  make_work_folder
  make_archive "$work_folder/image.tar" "$folder" "$reference" "${rest[@]}"
  import_archive "$work_folder/image.tar"
}

# A folder that goes when the script ends, however it ends.
make_work_folder() {
  work_folder=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder's name of now is meant
  trap "rm -rf '$work_folder'" EXIT
}

# make_archive FILE FOLDER REF [--env K=V]... [--entrypoint ARG]... [--also REF [--env K=V]...]...
make_archive() {
  local file=$1 folder=$2 references=() environments=('') entrypoint='' index=0 work layer configs=()
  references[0]=$(checked_reference "$3")
  shift 3
  while (($#)); do
    [[ -n ${2:-} ]] || die "image: '$1' needs a value"
    case $1 in
      --env)
        [[ $2 == ?*=* ]] || die "image: --env takes NAME=VALUE, not '$2'"
        environments[index]+=${environments[index]:+,}$(json_string "$2")
        ;;
      --entrypoint) entrypoint+=${entrypoint:+,}$(json_string "$2") ;;
      --also) index=$((index + 1)) environments[index]='' references[index]=$(checked_reference "$2") ;;
      *) die "image: there is no option '$1'; see: cluster --help" ;;
    esac
    shift 2
  done

  [[ -n ${work_folder:-} ]] || make_work_folder
  work=$(mktemp -d "$work_folder/XXXXXX")
  # The same folder gives the same bytes, so that containerd stores its layer once.
  tar --create --file="$work/layer.tar" --directory="$folder" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  for index in "${!references[@]}"; do
    configs[index]=$(write_config "$work" "$layer" "${environments[index]}" "$entrypoint")
  done
  for index in "${!references[@]}"; do
    printf '%s{"Config":"%s","RepoTags":["%s"],"Layers":["layer.tar"]}' "$([[ $index == 0 ]] && echo '[' || echo ',')" \
      "${configs[index]}" "${references[index]}"
  done >"$work/manifest.json"
  printf ']\n' >>"$work/manifest.json"
  # Images that do not differ share a config.
  mapfile -t configs < <(printf '%s\n' "${configs[@]}" | sort -u)
  tar --create --file="$file.new" --directory="$work" --mtime=@0 --owner=0 --group=0 --numeric-owner \
    manifest.json layer.tar "${configs[@]}"
  mv "$file.new" "$file"
  rm -rf "$work"
}

# write_config FOLDER LAYER ENVIRONMENT ENTRYPOINT: writes it under the name of its own digest, and prints that name.
write_config() {
  local name
  cat >"$1/config.new" <<JSON
{"architecture":"$(image_architecture)","os":"linux","created":"1970-01-01T00:00:00Z",
"config":{"Env":[$3],"Entrypoint":[$4]},
"rootfs":{"type":"layers","diff_ids":["sha256:$2"]}}
JSON
  name=$(sha256sum "$1/config.new" | cut -d' ' -f1).json
  mv "$1/config.new" "$1/$name"
  echo "$name"
}

checked_reference() {
  local pattern='^[a-z0-9][a-z0-9._/:-]*:[A-Za-z0-9_][A-Za-z0-9._-]*$'
  [[ $1 =~ $pattern ]] || die "image: '$1' is no reference of the form NAME:TAG"
  echo "$1"
}

image_architecture() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) die "no image can be made on the architecture $(uname -m)" ;;
  esac
}

json_string() {
  local text=$1
  [[ $text != *[[:cntrl:]]* ]] || die "image: control characters can't be in '$text'"
  text=${text//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}
