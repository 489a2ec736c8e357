#!/usr/bin/env bash
# Puts the cellgate that belongs to this commit of the action where later steps find it.
#
#   install.sh choose    says where it comes from: outputs `source` and `key`
#   install.sh install   brings it, checks it, and puts its folder on the PATH: output `version`
#
# Takes VERSION and FEATURES, and for `install` SOURCE and KEY as `choose` gave them, and GH_TOKEN.
# Sources:
#   release     the released static binary; its version and sha256 stand in release.txt beside this
#   build       cargo, from the repository that this file lies in, for commits without a release
#   installed   the one that is on the PATH already, for runners that reach no network
# A file is executable only after its digest was right. There is no way to name another server,
# another digest or another file.
set -euo pipefail

repository=cellgate/cellgate
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
sha256=(sha256sum)
command -v sha256sum > /dev/null || sha256=(shasum -a 256)

# fail TEXT: stops with an annotation.
fail() {
  printf '::error title=cellgate is not installed::%s\n' "${1//[%$'\r'$'\n']/ }"
  exit 1
}

# output NAME VALUE: an output of the step.
output() {
  printf '%s=%s\n' "$1" "$2" >> "$GITHUB_OUTPUT"
}

# digest_of FILE: its sha256.
digest_of() {
  local line
  line=$("${sha256[@]}" "$1")
  printf '%s' "${line%% *}"
}

# released KEY [TARGET]: the value of `version`, or the sha256 of a target, from release.txt.
released() {
  local key first second
  while read -r key first second; do
    case "$key" in
      version) [ "$1" != version ] || printf '%s' "$first" ;;
      sha256) [ "$1" != sha256 ] || [ "$first" != "$2" ] || printf '%s' "$second" ;;
    esac
  done < "$here/release.txt"
}

# target: the name of this machine's release, empty where there is none.
target() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) printf x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) printf aarch64-unknown-linux-musl ;;
    Darwin-arm64) printf aarch64-apple-darwin ;;
  esac
}

# digest_of_sources: one digest over every file of the repository, for the cache of what was built.
digest_of_sources() {
  cd "$root"
  find . \( -path ./.git -o -path ./target \) -prune -o -type f -print0 | LC_ALL=C sort -z \
    | xargs -0 "${sha256[@]}" | "${sha256[@]}" | cut -d ' ' -f 1
}

choose() {
  local asked=${VERSION:-} features=${FEATURES:-} known machine digest
  [[ "$features" =~ ^([a-z-]+(,[a-z-]+)*)?$ ]] || fail "features are names with commas between them, such as train, not ${features//[^A-Za-z0-9._-]/?}"
  asked=${asked#v}
  known=$(released version)
  case "$asked" in
    installed)
      output source installed
      output key installed
      return
      ;;
    source) known= ;;
    '' | "$known") ;;
    *) fail "this commit of the action knows release ${known:-none}, not ${asked//[^A-Za-z0-9._-]/?}: pin the action to the tag of the release that you want, and leave the input version empty" ;;
  esac
  if [ -z "$known" ]; then
    output source build
    output key "$(digest_of_sources)${features:+-${features//,/-}}"
    return
  fi
  case "$features" in
    '' | train) ;;
    *) fail "released binaries have the feature train, not $features: build it with version: source, or put your own build on the runner and take version: installed" ;;
  esac
  machine=$(target)
  digest=$(released sha256 "${machine:-none}")
  [ -n "$digest" ] || fail "there is no released binary for $(uname -s) $(uname -m): use a Linux runner (x86-64, arm64) or macOS (arm64), or build it with version: source"
  [[ "$digest" =~ ^[0-9a-f]{64}$ ]] || fail "release.txt of the action is damaged: the digest for $machine is not a sha256"
  output source release
  output key "$digest"
}

# provenance FILE: whether the release workflow built it, where GitHub's command line can tell.
provenance() {
  if ! command -v gh > /dev/null || [ -z "${GH_TOKEN:-}" ] || ! gh attestation --help > /dev/null 2>&1; then
    echo "sha256 verified; provenance not checked, since gh or a token is missing"
    return
  fi
  local attempt
  for attempt in 1 2 3; do
    if gh attestation verify "$1" --repo "$repository" --signer-workflow "$repository/.github/workflows/release.yml" > /dev/null; then
      echo "sha256 and provenance verified"
      return
    fi
    sleep "$attempt"
  done
  fail "gh could not verify that $repository's release workflow built this binary: see its message above; when GitHub's attestations are down, try again"
}

# is_installed FOLDER: whether an earlier step of this job brought the released file already.
is_installed() {
  [ -x "$1/cellgate" ] && [ "$(digest_of "$1/cellgate")" = "$KEY" ]
}

install_release() {
  local folder=$1 version name file digest
  version=$(released version)
  name=cellgate-v$version-$(target)
  file=$folder/cellgate.download
  if ! curl --proto '=https' --proto-redir '=https' --tlsv1.2 --fail --location --silent --show-error \
    --retry 3 --retry-all-errors --retry-max-time 120 --connect-timeout 20 --max-time 300 --max-filesize 200000000 \
    --output "$file" "https://github.com/$repository/releases/download/v$version/$name"; then
    rm -f "$file"
    fail "$name could not be downloaded: see curl's message above, and try again; a runner without a way to github.com takes version: installed"
  fi
  digest=$(digest_of "$file")
  if [ "$digest" != "$KEY" ]; then
    rm -f "$file"
    fail "$name is not the file that was released: its sha256 is $digest, and release.txt says $KEY; it was deleted and nothing was run"
  fi
  provenance "$file"
  chmod 0755 "$file"
  mv "$file" "$folder/cellgate"
}

install_build() {
  command -v cargo > /dev/null || fail "this commit of the action has no release and is built from source, and cargo is not there: pin the action to a release, or install Rust before"
  cargo build --release --locked --bin cellgate --features "${FEATURES:-}" --manifest-path "$root/Cargo.toml" --target-dir "$RUNNER_TEMP/cellgate-build" \
    || fail "cellgate could not be built: see cargo's message above"
  mv "$RUNNER_TEMP/cellgate-build/release/cellgate" "$1/cellgate"
}

install() {
  local folder
  if [ "$SOURCE" = installed ]; then
    folder=$(command -v cellgate) || fail "version is installed, and there is no cellgate on this runner's PATH"
    folder=$(dirname "$folder")
  else
    folder=$RUNNER_TEMP/cellgate/$KEY
    mkdir -p "$folder"
    case "$SOURCE" in
      release) is_installed "$folder" || install_release "$folder" ;;
      build) [ -x "$folder/cellgate" ] || install_build "$folder" ;;
      *) fail "the step before said nothing of where cellgate comes from" ;;
    esac
    printf '%s\n' "$folder" >> "$GITHUB_PATH"
  fi
  local version
  version=$("$folder/cellgate" --version) || fail "cellgate does not start on this runner"
  output version "${version#cellgate }"
  echo "$version from $SOURCE in $folder"
}

case "${1:-}" in
  choose | install) "$1" ;;
  *) fail "install.sh takes choose or install" ;;
esac
