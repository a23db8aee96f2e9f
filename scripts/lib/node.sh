# Node, npm, the npm packages, and the program as a bundle.

# Node's options for src/cli/sandbox.ts: everything is granted, and dropped before the guest runs.
LS_SANDBOX_FLAGS=(--disable-warning=SecurityWarning --permission --no-experimental-sqlite "--allow-fs-read=$LS_ROOT/build/cli/*" --allow-fs-read=/ --allow-fs-write=/
  --allow-child-process --allow-worker)

# A second thread that optimizes JavaScript costs short runs a tenth of their time. Long runs gain nothing: they spend their time in
# WebAssembly, which has its own compiler threads.
LS_NODE_FLAGS=(--no-concurrent-recompilation)

# node_major NODE: its major version; 0 when it cannot drop permissions, which the sandbox needs (src/cli/sandbox.ts).
node_major() { "$1" --permission -p 'process.permission.drop ? process.versions.node.split(".")[0] : 0' 2>/dev/null || echo 0; }

# Node 24 or later: the machine's own, or the npm package with the program for this platform, under .tools/node. The package
# `node` itself would only link to it, in an install script; no package's scripts run here.
has_node() {
  [ "$(node_major node)" -ge "$LS_NODE_MAJOR" ] || return 1
  LS_NODE=$(command -v node)
}

ensure_node() {
  local platform folder="$LS_TOOLS/node"
  if ! has_node; then
    ensure_npm || return 1
    platform="node-$(uname -s | tr 'A-Z' 'a-z')-$(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')"
    mkdir -p "$folder"
    [ -e "$folder/package.json" ] || echo '{"private":true}' >"$folder/package.json"
    run_step "bringing Node $LS_NODE_MAJOR (npm package '$platform')" \
      npm install --ignore-scripts --prefix "$folder" --no-audit --no-fund "$platform@$LS_NODE_MAJOR" || return 1
    # Headers and manuals are for who builds with Node.
    rm -rf "$folder/node_modules/$platform"/{include,share}
    [ "$(node_major "$folder/node_modules/$platform/bin/node")" -ge "$LS_NODE_MAJOR" ] ||
      die "no Node $LS_NODE_MAJOR with permissions came from the npm registry: install Node $LS_NODE_MAJOR.18 or later yourself"
    ln -sf "$folder/node_modules/$platform/bin/node" "$LS_TOOLS/bin/node"
    hash -r
    has_node || die "the Node in $folder does not start: remove $folder and run again"
    drop_first_node
  fi
  # From version 25 on, networks need a permission, too, also the ports for gdb.
  [ "$(node_major "$LS_NODE")" -lt 25 ] || LS_SANDBOX_FLAGS+=(--allow-net)
}

has_npm() { command -v npm >/dev/null; }

# npm where there is none: Debian's, without what it only needs to build native packages, unpacked beside the system. Where there is no
# Node either, Debian's runs it until Node 24 is there.
ensure_npm() {
  local root="$LS_TOOLS/own/root" cli libs
  has_npm && return
  can_unpack "npm, with Node $LS_NODE_MAJOR or later" || return 1
  own_lists || return 1
  # shellcheck disable=SC2046
  unpack_own npm $(javascript_closure npm) || return 1
  cli="$root/usr/share/nodejs/npm/bin/npm-cli.js"
  [ -e "$cli" ] || die "Debian's npm has no npm-cli.js: install npm yourself"
  if ! command -v node >/dev/null; then
    bring_own "the Node that npm needs first" nodejs ca-certificates || return 1
    patch_first_node || return 1
  fi
  libs=$(dirname "$(find "$root/usr/lib" -name 'libnode.so*' -print -quit 2>/dev/null)")
  write_program "$LS_TOOLS/bin/npm" <<NPM
#!/bin/sh
# Written by scripts/lib/node.sh: Debian's npm, unpacked beside the system.
export NODE_PATH="$root/usr/share/nodejs"
if command -v node >/dev/null; then exec node "$cli" "\$@"; fi
[ -e /etc/ssl/certs/ca-certificates.crt ] || export SSL_CERT_FILE="\${SSL_CERT_FILE:-$LS_TOOLS/own/certificates.pem}"
cd "$root" && LD_LIBRARY_PATH="$libs" exec usr/bin/node "$cli" "\$@"
NPM
}

# npm that understands package.json: earlier ones refuse the name of another package under `overrides`.
has_new_npm() {
  local major
  major=$(npm --version 2>/dev/null | grep -oE '^[0-9]+' | head -n 1) || true
  [ "${major:-0}" -ge "$LS_NPM_MAJOR" ]
}

# ensure_new_npm: such an npm, by the one that is there, .tools/npm. It needs a new Node, too.
ensure_new_npm() {
  local folder="$LS_TOOLS/npm"
  has_new_npm && return
  ensure_npm || return 1
  mkdir -p "$folder"
  [ -e "$folder/package.json" ] || echo '{"private":true}' >"$folder/package.json"
  run_step "bringing npm $LS_NPM_MAJOR" \
    npm install --ignore-scripts --prefix "$folder" --no-audit --no-fund "npm@$LS_NPM_MAJOR" || return 1
  write_program "$LS_TOOLS/bin/npm" <<NPM
#!/bin/sh
# Written by scripts/lib/node.sh: an npm of today.
exec node "$folder/node_modules/npm/bin/npm-cli.js" "\$@"
NPM
  hash -r
  has_new_npm || die "the npm in $folder does not start: remove $folder and run again"
}

# patch_first_node: Debian's Node reads parts of itself from /usr/share/nodejs. It is told to look below the folder that it starts in.
patch_first_node() {
  local library
  library=$(find "$LS_TOOLS/own/root/usr/lib" -name 'libnode.so.*' -type f -print -quit)
  [ -n "$library" ] || die "Debian's Node has no libnode here: install Node $LS_NODE_MAJOR or later yourself"
  # Both paths have the same length.
  LC_ALL=C sed -i 's#/usr/share/nodejs/#usr/share/nodejs//#g' "$library" || return 1
  # The certificates that servers are checked with, where the machine has none.
  cat "$LS_TOOLS"/own/root/usr/share/ca-certificates/mozilla/*.crt >"$LS_TOOLS/own/certificates.pem" 2>/dev/null || true
}

# drop_first_node: gives back the space of what only ran npm for the first time.
drop_first_node() {
  local root="$LS_TOOLS/own/root" name
  find "$root/usr/lib" -name 'libnode.so*' -delete 2>/dev/null || true
  for name in "$LS_TOOLS"/own/have/libnode*; do rm -f "$name"; done
}

# The packages of package-lock.json, again whenever the lock file changes: all, or those that the program itself needs.
has_npm_packages() { cmp -s "$LS_ROOT/package-lock.json" "$LS_ROOT/node_modules/.loongscope-stamp"; }
has_program_packages() {
  has_npm_packages || cmp -s "$LS_ROOT/package-lock.json" "$LS_ROOT/node_modules/.loongscope-program-stamp"
}

# Not `npm ci`: it refuses a lock file that lacks the optional packages of other platforms, which registries may not carry.
install_packages() { npm install --ignore-scripts --no-save --prefix "$LS_ROOT" --no-audit --no-fund "$@"; }

ensure_npm_packages() {
  has_npm_packages && return
  ensure_new_npm || return 1
  run_step "installing npm packages" install_packages || return 1
  cp "$LS_ROOT/package-lock.json" "$LS_ROOT/node_modules/.loongscope-stamp"
}

ensure_program_packages() {
  has_program_packages && return
  # Who has the others keeps them.
  [ ! -e "$LS_ROOT/node_modules/.loongscope-stamp" ] || { ensure_npm_packages; return; }
  ensure_new_npm || return 1
  run_step "installing the program's npm packages" install_packages --omit=dev || return 1
  cp "$LS_ROOT/package-lock.json" "$LS_ROOT/node_modules/.loongscope-program-stamp"
}

# Bundles the program into a few files under build/cli when a source is newer: it then starts in two thirds of the time.
has_bundle() {
  local main="$LS_ROOT/build/cli/main.js"
  [ -e "$main" ] && [ -z "$(find "$LS_ROOT/src" "$LS_ROOT/package.json" "$LS_ROOT/scripts/rolldown.config.ts" -newer "$main" -type f -print -quit)" ]
}

bundle() {
  local out=$1
  rm -rf "$out" && mkdir -p "$out" && cd "$LS_ROOT" &&
    "$LS_NODE" --disable-warning=ExperimentalWarning node_modules/rolldown/bin/cli.mjs -c scripts/rolldown.config.ts --dir "$out" &&
    "$LS_NODE" --disable-warning=ExperimentalWarning "$LS_ROOT/scripts/emit-interpreter.ts" "$out" &&
    cp -r "$LS_ROOT/src/hv/awareness/descriptors" "$LS_ROOT"/src/hv/*.h "$out/" && touch "$out/main.js"
}

ensure_bundle() {
  local out="$LS_ROOT/build/cli"
  has_bundle && return
  run_step "bundling the program" bundle "$out.part" || return 1
  rm -rf "$out" && mv "$out.part" "$out"
}
