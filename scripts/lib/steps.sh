# Messages and steps of the set-up.

# Dim on a terminal, plain elsewhere and with NO_COLOR.
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then LS_PREFIX=$'\033[2m[prepare]\033[0m'; else LS_PREFIX='[prepare]'; fi
say() { printf '%s %s\n' "$LS_PREFIX" "$*" >&2; }
die() {
  printf 'loongscope: %s\n' "$*" >&2
  exit 1
}

# run_step LABEL COMMAND…: runs quietly, with a dot every two seconds. On failure it shows the end of the output, and returns 1. What fails says
# it in English, which is looked through for the cause; and files have one order everywhere.
run_step() {
  local label=$1 log start pid cause dotted=
  shift
  log=$(mktemp 2>/dev/null) || die "no file can be made in ${TMPDIR:-/tmp}: make room there, or set TMPDIR"
  start=$SECONDS
  printf '%s %s ' "$LS_PREFIX" "$label" >&2
  (export LC_ALL=C && "$@") >"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    [ $(((SECONDS - start) % 2)) = 1 ] && [ "${dotted:-}" != "$SECONDS" ] && printf '.' >&2 && dotted=$SECONDS
  done
  if wait "$pid"; then
    printf ' done (%ss)\n' $((SECONDS - start)) >&2
    rm -f "$log"
    return 0
  fi
  printf ' failed\n' >&2
  tail -n 30 "$log" >&2
  if grep -qiE 'no space left|ENOSPC' "$log"; then
    cause="the disk is full: make room for $LS_TOOLS, and run again"
  elif grep -qiE 'could not resolve|temporary failure|cannot initiate|unable to connect|failed to fetch|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|network' "$log"; then
    cause="a server was not reached: check the network, and run again (what has been brought stays)"
  else
    cause="see the last lines above; nothing of this step is kept, so run again when it is mended"
  fi
  rm -f "$log"
  printf 'loongscope: %s failed: %s\n' "$label" "$cause" >&2
  return 1
}
