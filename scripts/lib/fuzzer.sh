# The fuzzer of scripts/fuzz.

# The fuzzer, .tools/fuzz: Jazzer.js with its library ready made; no script of a package runs. Exports LS_JAZZER, its program, and
# LS_FUZZ_NODE, how Node is started for it, a word a line: the library wants a C library that Debian 12 has not, and then Node
# runs with those of a later suite, unpacked beside the system.
ensure_fuzzer() {
  local out="$LS_TOOLS/fuzz" addon suite loader libs
  if ! cmp -s "$LS_ROOT/test/fuzz/package-lock.json" "$out/.stamp"; then
    mkdir -p "$out"
    cp "$LS_ROOT"/test/fuzz/package.json "$LS_ROOT"/test/fuzz/package-lock.json "$out/"
    run_step "bringing the fuzzer (npm package '@jazzer.js/core')" \
      npm install --prefix "$out" --no-save --ignore-scripts --no-audit --no-fund || return 1
    cp "$LS_ROOT/test/fuzz/package-lock.json" "$out/.stamp"
  fi
  addon="$out/node_modules/@jazzer.js/fuzzer"
  LS_JAZZER="$out/node_modules/@jazzer.js/core/dist/cli.js"
  LS_FUZZ_NODE=$LS_NODE
  if ! "$LS_NODE" -e 'require(process.argv[1])' "$addon" 2>/dev/null; then
    for suite in $(later_suites); do
      loader=$(find "$LS_TOOLS/$suite/root" -name 'ld-linux*.so.*' -path '*lib*' -print -quit 2>/dev/null || true)
      libs=$(dirname "${loader:-/nonexistent/x}")
      if [ -z "$loader" ] || [ ! -e "$libs/libstdc++.so.6" ]; then
        unpack_from_suite "$suite" libstdc++6 || continue
        loader=$(find "$LS_TOOLS/$suite/root" -name 'ld-linux*.so.*' -path '*lib*' -print -quit)
        libs=$(dirname "$loader")
      fi
      LS_FUZZ_NODE=$(printf '%s\n' "$loader" --library-path "$libs" "$(readlink -f "$LS_NODE")")
      "$loader" --library-path "$libs" "$(readlink -f "$LS_NODE")" -e 'require(process.argv[1])' "$addon" 2>/dev/null && break
      LS_FUZZ_NODE=
    done
    [ -n "$LS_FUZZ_NODE" ] || die "the fuzzer's library cannot be loaded: install a C library 2.38 or later"
  fi
  export LS_JAZZER LS_FUZZ_NODE
}
