# Shared by the scripts in tools/peers: where peers go, and Debian packages of another suite unpacked without touching
# the system's own apt. Sourced, not run.
set -eu
PINS=$(dirname "$0")/../lib/pins.txt
. "$(dirname "$0")/../lib/pins.sh"

PEERS=${HOLDFAST_PEERS:-}
if [ -z "$PEERS" ]; then
  if [ "$(id -u)" = 0 ]; then PEERS=/opt/holdfast/peers; else PEERS=$HOME/.local/share/holdfast/peers; fi
fi
umask 022 # servers that refuse to run as root run as somebody else, and must be able to read this

peer_fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# Scratch space on the same file system, removed at exit.
peer_scratch() {
  mkdir -p "$PEERS/bin" || peer_fail "cannot create $PEERS (set HOLDFAST_PEERS to a folder you may write)"
  SCRATCH=$(mktemp -d "$PEERS/.$(basename "$0").XXXXXX")
  chmod 755 "$SCRATCH"
  trap 'chmod -R u+w "$SCRATCH" 2>/dev/null; rm -rf "$SCRATCH"' EXIT
}

# private_suite SUITE: the package lists of Debian's SUITE for private_apt, in $apt; to it no package is installed yet.
private_suite() {
  apt=$SCRATCH/apt-$1
  [ ! -d "$apt" ] || return 0
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/state" "$apt/etc"
  : >"$apt/state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $1 main" >"$apt/etc/sources.list"
  private_apt "$apt" -qq update >"$apt/log" 2>&1 || peer_fail "cannot read Debian's package list of $1: $(tail -n 2 "$apt/log")"
}

# fetch_debs SUITE ROOT PACKAGE...: unpacks exactly these packages (no dependencies) of Debian's SUITE below ROOT.
fetch_debs() {
  suite=$1 root=$2
  shift 2
  private_suite "$suite"
  mkdir -p "$root"
  (cd "$apt/archives" && private_apt "$apt" -qq download "$@" >"$apt/log" 2>&1) || peer_fail "cannot fetch $* from Debian $suite: $(tail -n 2 "$apt/log")"
  for deb in "$apt"/archives/*.deb; do dpkg -x "$deb" "$root"; done
  rm -f "$apt"/archives/*.deb
}

private_apt() {
  at=$1
  shift
  apt-get -o Dir::Etc::SourceList="$at/etc/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$at/state" \
    -o Dir::State::Lists="$at/lists" -o Dir::State::status="$at/state/status" -o Dir::Cache="$at" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Acquire::Check-Valid-Until=false \
    -o Acquire::Languages=none -o APT::Sandbox::User= -o Acquire::Retries=3 "$@"
}
