# Which version and bytes of a peer are wanted (pins.txt). Sourced, not run; $PINS is the path of pins.txt.
# versitygw has no hash: it is compiled here, and Go checks its source against the module's published sums.

pinned_version() { awk -v name="$1" '$1 == name { print $2 }' "$PINS"; }

# pin_matches NAME PROGRAM: whether these are the bytes wanted. Elsewhere than on amd64 nothing is known of them.
pin_matches() {
  want=$(awk -v name="$1" '$1 == name { print $3 }' "$PINS")
  [ "$want" = - ] || [ "$(uname -m)" != x86_64 ] || [ "$(sha256sum <"$2" | cut -d ' ' -f 1)" = "$want" ]
}

# accept_pin NAME PROGRAM: says so when they are others; fails where only the pinned ones are allowed.
accept_pin() {
  pin_matches "$1" "$2" && return 0
  echo "$1: not the pinned version $(pinned_version "$1"), or not its bytes: $2" >&2
  [ "${HOLDFAST_PEERS_PINNED:-}" != 1 ]
}
