# What is built from the tree: the hypervisor, guests, labs, programs of the tests.

# is_fresh STAMP SOURCE…: true when no source is newer than the last build.
is_fresh() {
  local stamp="$LS_ROOT/build/.$1"
  shift
  [ -e "$stamp" ] && [ -z "$(find "$@" -newer "$stamp" -print -quit)" ]
}

# rebuild_when_newer STAMP LABEL SCRIPT SOURCE…: runs SCRIPT when a source is newer than its last run.
rebuild_when_newer() {
  local stamp=$1 label=$2 script=$3
  shift 3
  is_fresh "$stamp" "$script" "$@" && return
  ensure_clang || return 1
  run_step "$label" "$script" || return 1
  touch "$LS_ROOT/build/.$stamp"
}

# The hypervisor and the guests.
LS_GUEST_SOURCES=("$LS_ROOT/scripts/build-guests" "$LS_ROOT/src/hv" "$LS_ROOT/guests" "$LS_ROOT/examples")
has_guests() { is_fresh guests "${LS_GUEST_SOURCES[@]}"; }
ensure_guests() { rebuild_when_newer guests "building the hypervisor and the guests" "${LS_GUEST_SOURCES[@]}"; }

# The labs: skeletons, solutions, and their library.
ensure_labs() {
  rebuild_when_newer labs "building the labs" "$LS_ROOT/scripts/build-labs" "$LS_ROOT/labs" "$LS_ROOT/src/labs" \
    "$LS_ROOT/src/cli/labs" "$LS_ROOT/src/hv/csr.h" "$LS_ROOT/scripts/build-labs.ts"
}

# The browser edition: one page, build/web/index.html.
ensure_web() {
  local out="$LS_ROOT/build/web/index.html"
  { ensure_guests && ensure_labs; } || return 1
  [ -e "$out" ] && [ -z "$(find "$LS_ROOT/src" "$LS_ROOT/labs" "$LS_ROOT/guests" "$LS_ROOT/scripts/build-web.ts" "$LS_ROOT/scripts/web-content.ts" \
    "$LS_ROOT/scripts/strip-elf.ts" "$LS_ROOT/build/.guests" "$LS_ROOT/build/.labs" "$LS_ROOT/package.json" -newer "$out" -type f -print -quit)" ] && return
  run_step "building the page" "$LS_NODE" --disable-warning=ExperimentalWarning "$LS_ROOT/scripts/build-web.ts"
}

# The variants of the hypervisor for tests.
ensure_variants() {
  rebuild_when_newer variants "building variants of the hypervisor" "$LS_ROOT/scripts/build-variants" \
    "$LS_ROOT/src/hv" "$LS_ROOT/test/audit/variants" "$LS_ROOT/test/gdb/variants"
}

# The collection of broken hypervisors.
ensure_broken() {
  rebuild_when_newer broken "building the collection of broken hypervisors" "$LS_ROOT/scripts/build-broken" \
    "$LS_ROOT/src/hv" "$LS_ROOT/test/broken"
}

# The planted races of the tests of explore.
ensure_races() {
  rebuild_when_newer races "building the planted races" "$LS_ROOT/scripts/build-races" \
    "$LS_ROOT/src/hv" "$LS_ROOT/guests/lib" "$LS_ROOT/test/explore/races"
}

# The benchmark kernels.
ensure_bench() {
  rebuild_when_newer bench "building the benchmark kernels" "$LS_ROOT/scripts/build-bench" "$LS_ROOT/guests/bench" \
    "$LS_ROOT/guests/lib"
}

# The conformance programs.
ensure_conformance() {
  rebuild_when_newer conformance "building the conformance programs" "$LS_ROOT/scripts/build-conformance" \
    "$LS_ROOT/test/conformance" "$LS_ROOT/test/lvz" "$LS_ROOT/test/threads" "$LS_ROOT/guests/lib"
}
