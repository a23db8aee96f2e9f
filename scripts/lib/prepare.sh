# Brings the programs that a fresh Debian machine does not have. The scripts in the parent folder source it.
#
# Everything goes to .tools/ in the checkout, or comes from the package sources of the machine;
# no server name is written here. Each ensure_* function does nothing when its tool exists.

LS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LS_TOOLS="$LS_ROOT/.tools"
mkdir -p "$LS_TOOLS/bin"
export PATH="$LS_TOOLS/bin:$PATH"

# The oldest supported versions.
LS_NODE_MAJOR=24
LS_CLANG_MAJOR=19
LS_GDB_MAJOR=16
LS_QEMU_MAJOR=10
LS_IASL_VERSION=20221020

# Dim on a terminal, plain elsewhere and with NO_COLOR.
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then LS_PREFIX=$'\033[2m[prepare]\033[0m'; else LS_PREFIX='[prepare]'; fi
say() { printf '%s %s\n' "$LS_PREFIX" "$*" >&2; }
die() {
  printf 'loongscope: %s\n' "$*" >&2
  exit 1
}

# run_step LABEL COMMAND…: runs quietly, with a dot every two seconds; on failure shows the whole output.
run_step() {
  local label=$1 log start pid
  shift
  log=$(mktemp)
  start=$SECONDS
  printf '%s %s ' "$LS_PREFIX" "$label" >&2
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    [ $(((SECONDS - start) % 2)) = 0 ] && printf '.' >&2
  done
  if wait "$pid"; then
    printf ' done (%ss)\n' $((SECONDS - start)) >&2
    rm -f "$log"
  else
    printf ' failed\n' >&2
    tail -n 30 "$log" >&2
    rm -f "$log"
    die "$label failed: see the last lines above"
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    die "'$*' needs root: run as root or install sudo"
  fi
}

apt_install() {
  run_step "refreshing Debian's package lists" as_root apt-get update
  run_step "installing $*" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# Node's options for src/cli/sandbox.ts: everything is granted, and dropped before the guest runs.
LS_SANDBOX_FLAGS=(--disable-warning=SecurityWarning --permission --no-experimental-sqlite "--allow-fs-read=$LS_ROOT/build/cli/*" --allow-fs-read=/ --allow-fs-write=/
  --allow-child-process --allow-worker)

# node_major NODE: its major version; 0 when it cannot drop permissions, which the sandbox needs (src/cli/sandbox.ts).
node_major() { "$1" --permission -p 'process.permission.drop ? process.versions.node.split(".")[0] : 0' 2>/dev/null || echo 0; }

# Node 24 or later: the machine's own, or the npm package with the program for this platform, under .tools/node. The package
# `node` itself would only link to it, in an install script; no package's scripts run here.
ensure_node() {
  local platform own major
  major=$(node_major node)
  if [ "$major" -ge "$LS_NODE_MAJOR" ]; then
    LS_NODE=$(command -v node)
  else
    platform="node-$(uname -s | tr 'A-Z' 'a-z')-$(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')"
    own="$LS_TOOLS/node/node_modules/$platform/bin/node"
    if [ "$(node_major "$own")" -lt "$LS_NODE_MAJOR" ]; then
      command -v npm >/dev/null || apt_install nodejs npm
      mkdir -p "$LS_TOOLS/node"
      [ -e "$LS_TOOLS/node/package.json" ] || echo '{"private":true}' >"$LS_TOOLS/node/package.json"
      run_step "bringing Node $LS_NODE_MAJOR (npm package '$platform')" \
        npm install --ignore-scripts --prefix "$LS_TOOLS/node" --no-audit --no-fund "$platform@$LS_NODE_MAJOR"
    fi
    major=$(node_major "$own")
    [ "$major" -ge "$LS_NODE_MAJOR" ] || die "no Node $LS_NODE_MAJOR with permissions: install one or check the npm registry"
    LS_NODE=$own
    ln -sf "$own" "$LS_TOOLS/bin/node"
  fi
  # From version 25 on, networks need a permission, too, also the ports for gdb.
  [ "$major" -lt 25 ] || LS_SANDBOX_FLAGS+=(--allow-net)
}

# The packages of package-lock.json, again whenever the lock file changes.
ensure_npm_packages() {
  command -v npm >/dev/null || apt_install npm
  local stamp="$LS_ROOT/node_modules/.loongscope-stamp"
  if ! cmp -s "$LS_ROOT/package-lock.json" "$stamp"; then
    # Not `npm ci`: it refuses a lock file that lacks the optional packages of other platforms, which registries may not carry.
    run_step "installing npm packages" npm install --ignore-scripts --no-save --prefix "$LS_ROOT" --no-audit --no-fund
    cp "$LS_ROOT/package-lock.json" "$stamp"
  fi
}

# A second thread that optimizes JavaScript costs short runs a tenth of their time. Long runs gain nothing: they spend their time in
# WebAssembly, which has its own compiler threads.
LS_NODE_FLAGS=(--no-concurrent-recompilation)

# Bundles the program into a few files under build/cli when a source is newer: it then starts in two thirds of the time.
ensure_bundle() {
  local out="$LS_ROOT/build/cli"
  [ -e "$out/main.js" ] && [ -z "$(find "$LS_ROOT/src" "$LS_ROOT/package.json" -newer "$out/main.js" -type f -print -quit)" ] && return
  bundle() {
    (cd "$LS_ROOT" && "$LS_NODE" node_modules/rolldown/bin/cli.mjs src/cli/main.ts src/cli/library.ts src/cli/cpu-worker.ts src/cli/explore-worker.ts src/cli/file-thread.ts src/cli/nbd-thread.ts --dir "$out" --format esm --platform node --minify=false) &&
      "$LS_NODE" --disable-warning=ExperimentalWarning "$LS_ROOT/scripts/emit-interpreter.ts" "$out" &&
      cp -r "$LS_ROOT/src/hv/awareness/descriptors" "$LS_ROOT"/src/hv/*.h "$out/" && touch "$out/main.js"
  }
  rm -rf "$out"
  mkdir -p "$out"
  run_step "bundling the program" bundle
}

# find_llvm_tool NAME: the newest NAME-N (N >= 19), or a plain NAME that is new enough.
find_llvm_tool() {
  local n
  for n in 24 23 22 21 20 19; do
    [ "$n" -ge "$LS_CLANG_MAJOR" ] && command -v "$1-$n" && return 0
  done
  command -v "$1" >/dev/null || return 1
  n=$("$1" --version 2>/dev/null | grep -oE '(version|LLD) [0-9]+' | grep -oE '[0-9]+' | head -n 1)
  [ "${n:-0}" -ge "$LS_CLANG_MAJOR" ] && command -v "$1"
}

# clang and lld 19 or later build the hypervisor and the guests.
ensure_clang() {
  if ! find_llvm_tool clang >/dev/null || ! find_llvm_tool ld.lld >/dev/null; then
    apt_install "clang-$LS_CLANG_MAJOR" "lld-$LS_CLANG_MAJOR"
  fi
  LS_CLANG=$(find_llvm_tool clang) || die "no clang $LS_CLANG_MAJOR or later: install clang-$LS_CLANG_MAJOR"
  LS_LLD=$(find_llvm_tool ld.lld) || die "no lld $LS_CLANG_MAJOR or later: install lld-$LS_CLANG_MAJOR"
  export LS_CLANG LS_LLD
}

# llvm-mc and llvm-objdump 19 are the oracle of the instruction-table tests.
ensure_llvm_oracle() {
  command -v "llvm-mc-$LS_CLANG_MAJOR" >/dev/null && command -v "llvm-objdump-$LS_CLANG_MAJOR" >/dev/null && return
  apt_install "llvm-$LS_CLANG_MAJOR"
}

# gdb_serves GDB: true when GDB supports LoongArch and is new enough.
gdb_serves() {
  local major
  command -v "$1" >/dev/null || return 1
  major=$("$1" --version 2>/dev/null | head -n 1 | grep -oE '[0-9]+\.[0-9]+' | tail -n 1 | cut -d. -f1)
  [ "${major:-0}" -ge "$LS_GDB_MAJOR" ] || return 1
  "$1" -nx -batch -ex 'set architecture Loongarch64' 2>&1 | grep -q 'set to "Loongarch64"'
}

# find_gdb: sets LS_GDB to the first gdb that serves.
find_gdb() {
  local candidate
  for candidate in "$LS_TOOLS/bin/gdb-multiarch" gdb-multiarch loongarch64-linux-gnu-gdb loongarch64-unknown-elf-gdb gdb; do
    if gdb_serves "$candidate"; then
      LS_GDB=$(command -v "$candidate")
      export LS_GDB
      return 0
    fi
  done
  return 1
}

# distribution_gdb_major: the major version of gdb-multiarch that the machine's own sources offer; 0 when none.
distribution_gdb_major() {
  local version
  version=$(apt-cache policy gdb-multiarch 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9]*\).*/\1/p')
  printf '%s' "${version:-0}"
}

# A gdb with LoongArch, 16 or newer: gdb-multiarch of the distribution, else one unpacked beside the system.
ensure_gdb() {
  local suite
  find_gdb && return
  if [ "$(distribution_gdb_major)" -ge "$LS_GDB_MAJOR" ]; then
    apt_install gdb-multiarch
    find_gdb && return
  fi
  for suite in forky trixie sid; do
    if unpack_from_suite "$suite" gdb-multiarch; then
      write_wrapper "$suite" gdb-multiarch "$LS_TOOLS/bin/gdb-multiarch"
      find_gdb && return
    fi
  done
  die "no gdb $LS_GDB_MAJOR or newer with LoongArch could be brought: install gdb-multiarch from a later Debian suite"
}

# The oldest gdb that is served, for the tests: `.tools/bin/gdb-oldest`. Sets LS_GDB_OLDEST; fails quietly.
ensure_oldest_gdb() {
  LS_GDB_OLDEST="$LS_TOOLS/bin/gdb-oldest"
  export LS_GDB_OLDEST
  gdb_serves "$LS_GDB_OLDEST" && return
  unpack_from_suite trixie gdb-multiarch && write_wrapper trixie gdb-multiarch "$LS_GDB_OLDEST" && gdb_serves "$LS_GDB_OLDEST"
}

# debian_uri: the first URI of the machine's own Debian sources (both file formats).
debian_uri() {
  local uri
  # A missing file is not an error: a machine has one of the two formats.
  uri=$( (sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null || true) | head -n 1)
  [ -n "$uri" ] || uri=$( (sed -n 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\?\([^[:space:]]*\).*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true) | head -n 1)
  printf '%s' "$uri"
}

# debian_keyring: the file of Debian's keys. Every package that is unpacked is in a list that one of these keys has signed.
debian_keyring() {
  local file
  for file in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
    [ -e "$file" ] && printf '%s' "$file" && return
  done
  die "Debian's keys are missing, so nothing can be checked: install debian-archive-keyring"
}

# suite_lists SUITE [ARCHITECTURE]: sets LS_SUITE to a folder with the package lists of a Debian suite and an apt
# configuration that sees an empty dpkg status, so nothing of the machine is touched.
suite_lists() {
  local suite=$1 architecture=${2:-} uri keyring
  LS_SUITE="$LS_TOOLS/$suite${architecture:+-$architecture}"
  [ -e "$LS_SUITE/lists.done" ] && return
  uri=$(debian_uri)
  [ -n "$uri" ] || die "no Debian package source found in the apt configuration"
  keyring=$(debian_keyring) || exit 1
  mkdir -p "$LS_SUITE"/{lists/partial,cache/archives/partial,root,etc}
  : >"$LS_SUITE/status"
  echo "deb [signed-by=$keyring] $uri $suite main" >"$LS_SUITE/etc/sources.list"
  cat >"$LS_SUITE/apt.conf" <<CONF
Dir::State "$LS_SUITE";
Dir::State::Lists "$LS_SUITE/lists";
Dir::State::Status "$LS_SUITE/status";
Dir::Cache "$LS_SUITE/cache";
Dir::Etc::SourceList "$LS_SUITE/etc/sources.list";
Dir::Etc::SourceParts "/nonexistent";
Dir::Etc::Preferences "/nonexistent";
Dir::Etc::PreferencesParts "/nonexistent";
APT::Install-Recommends "false";
APT::Sandbox::User "";
# Lists of testing are valid for a week, and mirrors are late. A limit of a year protects against replayed old lists.
Acquire::Min-ValidTime "31536000";
Acquire::Languages "none";
Debug::NoLocking "true";
CONF
  [ -z "$architecture" ] || cat >>"$LS_SUITE/apt.conf" <<CONF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
CONF
  run_step "reading the package lists of Debian $suite${architecture:+ for $architecture}" \
    env APT_CONFIG="$LS_SUITE/apt.conf" apt-get update
  touch "$LS_SUITE/lists.done"
}

# unpack_from_suite SUITE PACKAGE: PACKAGE with its whole dependency closure into .tools/SUITE/root.
unpack_from_suite() {
  local suite=$1 package=$2 deb
  suite_lists "$suite"
  run_step "downloading $package and its libraries from Debian $suite" \
    env APT_CONFIG="$LS_SUITE/apt.conf" apt-get install -y --download-only "$package"
  unpack_all() {
    for deb in "$LS_SUITE"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$LS_SUITE/root" || return 1; done
  }
  run_step "unpacking $package" unpack_all
  rm -f "$LS_SUITE"/cache/archives/*.deb
}

# ensure_loong64_package PACKAGE: Debian's PACKAGE for loong64, alone, unpacked into .tools/SUITE-loong64/root.
ensure_loong64_package() {
  local package=$1 suite
  for suite in forky sid; do
    suite_lists "$suite" loong64
    [ -e "$LS_SUITE/$package.done" ] && return
    (cd "$LS_SUITE/cache" && run_step "downloading $package for loong64 from Debian $suite" \
      env APT_CONFIG="$LS_SUITE/apt.conf" apt-get download "$package") || continue
    dpkg-deb -x "$LS_SUITE"/cache/"$package"_*.deb "$LS_SUITE/root"
    touch "$LS_SUITE/$package.done"
    return
  done
  die "Debian's $package for loong64 could not be brought: check the machine's package sources"
}

# ensure_linux: Debian's newest kernel for loong64, busybox, and the kernel's modules unpacked, in .tools/linux. The version is
# in the current package lists; apt verifies its downloads with them.
ensure_linux() {
  local out="$LS_TOOLS/linux" suite version package modules
  [ -e "$out/vmlinuz" ] && [ -e "$out/busybox" ] && { ensure_linux_sata; return; }
  for suite in forky sid; do
    suite_lists "$suite" loong64
    version=$(APT_CONFIG="$LS_SUITE/apt.conf" apt-cache depends linux-image-loong64 2>/dev/null | sed -n 's/.*Depends: linux-image-\([0-9].*\)$/\1/p' | head -n 1)
    [ -n "$version" ] && break
  done
  [ -n "$version" ] || die "Debian's kernel for loong64 could not be found: check the machine's package sources"
  command -v xz >/dev/null || apt_install xz-utils
  download() {
    cd "$LS_SUITE/cache" || return 1
    for package in "linux-binary-$version" "linux-modules-$version" busybox-static; do
      env APT_CONFIG="$LS_SUITE/apt.conf" apt-get download "$package" || return 1
      dpkg-deb -x "$package"_*.deb "$LS_SUITE/root" || return 1
      rm -f "$package"_*.deb
    done
  }
  run_step "downloading Debian's kernel $version and busybox" download
  rm -rf "$out"
  mkdir -p "$out/modules"
  modules="$LS_SUITE/root/usr/lib/modules/$version"
  unpack_modules() {
    local file
    for file in drivers/block/virtio_blk drivers/char/hw_random/virtio-rng drivers/net/virtio_net drivers/net/net_failover net/core/failover \
      drivers/virtio/virtio_mmio fs/ext4/ext4 fs/jbd2/jbd2 fs/mbcache lib/crc/crc16 fs/9p/9p net/9p/9pnet net/9p/9pnet_virtio fs/netfs/netfs; do
      # A missing module is built into the kernel.
      [ ! -e "$modules/kernel/$file.ko.xz" ] || xz -dc "$modules/kernel/$file.ko.xz" >"$out/modules/$(basename "$file").ko" || return 1
    done
    cp "$LS_SUITE/root/usr/bin/busybox" "$out/busybox" && cp "$modules/vmlinuz" "$out/vmlinuz" &&
      echo "$version" >"$out/version" && echo "$suite" >"$out/suite"
  }
  run_step "unpacking the kernel's modules" unpack_modules
  ensure_linux_sata
}

# ensure_linux_sata: the kernel's modules for Serial ATA disks, beside the others. The package is unpacked already.
ensure_linux_sata() {
  local out="$LS_TOOLS/linux" file modules
  [ -e "$out/modules/sd_mod.ko" ] && return
  modules="$LS_TOOLS/$(cat "$out/suite")-loong64/root/usr/lib/modules/$(cat "$out/version")/kernel"
  for file in drivers/ata/ahci drivers/ata/libahci drivers/ata/libata drivers/scsi/scsi_common drivers/scsi/scsi_mod drivers/scsi/sd_mod; do
    [ ! -e "$modules/$file.ko.xz" ] || xz -dc "$modules/$file.ko.xz" >"$out/modules/$(basename "$file").ko"
  done
}

# ensure_qemu_loong64: Debian's QEMU for loong64 with its libraries, .tools/linux/qemu: it runs inside, as the VMM of scripts/kvm.
ensure_qemu_loong64() {
  local out="$LS_TOOLS/linux/qemu" suite archives
  ensure_linux
  [ -e "$out/usr/bin/qemu-system-loongarch64" ] && return
  for suite in forky sid; do
    suite_lists "$suite" loong64
    archives="$LS_SUITE/qemu-archives"
    mkdir -p "$archives/partial"
    (run_step "downloading QEMU for loong64 and its libraries from Debian $suite" \
      env APT_CONFIG="$LS_SUITE/apt.conf" apt-get install -y --download-only -o "Dir::Cache::archives=$archives" qemu-system-misc) || continue
    unpack_qemu() {
      local deb
      for deb in "$archives"/*.deb; do dpkg-deb -x "$deb" "$LS_SUITE/qemu-root" || return 1; done
      mkdir -p "$out.part/usr/bin" "$out.part/usr/lib" && cp "$LS_SUITE/qemu-root/usr/bin/qemu-system-loongarch64" "$out.part/usr/bin/" &&
        cp -P "$LS_SUITE"/qemu-root/usr/lib/loongarch64-linux-gnu/*.so* "$out.part/usr/lib/" && mv "$out.part" "$out"
    }
    rm -rf "$out" "$out.part" "$LS_SUITE/qemu-root"
    run_step "unpacking QEMU" unpack_qemu
    rm -rf "$archives" "$LS_SUITE/qemu-root"
    return
  done
  die "Debian's QEMU for loong64 could not be brought: check the machine's package sources"
}

# ensure_linux_symbols: the kernel's symbols and lines, .tools/linux/vmlinux, out of a package of a gigabyte.
ensure_linux_symbols() {
  local suite version out="$LS_TOOLS/linux"
  ensure_linux
  [ -e "$out/vmlinux" ] && return
  version=$(cat "$out/version")
  suite=$(cat "$out/suite")
  suite_lists "$suite" loong64
  symbols() {
    cd "$LS_SUITE/cache" &&
      env APT_CONFIG="$LS_SUITE/apt.conf" apt-get download "linux-image-$version-dbg" &&
      dpkg-deb --fsys-tarfile "linux-image-$version-dbg"_*.deb | tar -xO -f - "./usr/lib/debug/lib/modules/$version/vmlinux" >"$out/vmlinux.part" &&
      rm -f "linux-image-$version-dbg"_*.deb && mv "$out/vmlinux.part" "$out/vmlinux"
  }
  run_step "downloading the kernel's symbols (1 GB)" symbols
}

# ensure_firmware: Debian's UEFI firmware for LoongArch boards, .tools/firmware.fd.
ensure_firmware() {
  local suite package=qemu-efi-loongarch64
  [ -e "$LS_TOOLS/firmware.fd" ] && return
  for suite in forky sid; do
    suite_lists "$suite"
    (cd "$LS_SUITE/cache" && run_step "downloading $package" env APT_CONFIG="$LS_SUITE/apt.conf" apt-get download "$package") || continue
    dpkg-deb --fsys-tarfile "$LS_SUITE"/cache/"$package"_*.deb | tar -xO -f - ./usr/share/qemu-efi-loongarch64/QEMU_EFI.fd >"$LS_TOOLS/firmware.part" || continue
    mv "$LS_TOOLS/firmware.part" "$LS_TOOLS/firmware.fd"
    return
  done
  die "Debian's $package could not be brought: check the machine's package sources"
}

# iasl_serves: true when iasl knows LoongArch's entries of the ACPI tables.
iasl_serves() {
  local version
  version=$(iasl -v 2>/dev/null | sed -n 's/.*version \([0-9]\{8\}\).*/\1/p')
  [ "${version:-0}" -ge "$LS_IASL_VERSION" ]
}

# Checkers for the tables of guests, for the tests: dtc, and an iasl that supports LoongArch. Fails quietly.
ensure_table_judges() {
  local suite
  command -v dtc >/dev/null || apt_install device-tree-compiler
  iasl_serves && return
  for suite in forky trixie sid; do
    unpack_from_suite "$suite" acpica-tools && write_wrapper "$suite" iasl "$LS_TOOLS/bin/iasl" && iasl_serves && return
  done
  return 1
}

# write_wrapper SUITE PROGRAM WRAPPER: starts PROGRAM of .tools/SUITE/root with that root's own loader and libraries.
write_wrapper() {
  local root="$LS_TOOLS/$1/root" program=$2 wrapper=$3 loader libs data=''
  loader=$(find "$root" -name 'ld-linux*.so.*' -path '*lib*' -print -quit)
  [ -n "$loader" ] || die "the unpacked $program has no dynamic loader: remove $LS_TOOLS/$1 and run again"
  libs=$(dirname "$loader")
  case $program in
    gdb*) data="--data-directory=$root/usr/share/gdb" ;;
    qemu-system*) data="-L $root/usr/share/qemu" ;;
  esac
  cat >"$wrapper" <<WRAP
#!/bin/sh
# Written by scripts/lib/prepare.sh: $program of a later Debian suite, with its own libraries.
PYTHONHOME="$root/usr" exec "$loader" --library-path "$libs:$root/usr/lib" "$root/usr/bin/$program" \\
  $data "\$@"
WRAP
  chmod +x "$wrapper"
}

# find_qemu: sets LS_QEMU to the first qemu-system-loongarch64 of version 10 or later; earlier ones have another board.
find_qemu() {
  local candidate major
  for candidate in "$LS_TOOLS/bin/qemu-system-loongarch64" qemu-system-loongarch64; do
    command -v "$candidate" >/dev/null || continue
    major=$("$candidate" --version 2>/dev/null | sed -n '1s/.*version \([0-9]*\).*/\1/p')
    if [ "${major:-0}" -ge "$LS_QEMU_MAJOR" ]; then
      LS_QEMU=$(command -v "$candidate")
      export LS_QEMU
      return 0
    fi
  done
  return 1
}

# QEMU is the oracle of the CPU and the reference in measurements. Only scripts that call this need it.
ensure_qemu() {
  local suite
  find_qemu && return
  for suite in forky trixie sid; do
    if unpack_from_suite "$suite" qemu-system-misc; then
      write_wrapper "$suite" qemu-system-loongarch64 "$LS_TOOLS/bin/qemu-system-loongarch64"
      find_qemu && return
    fi
  done
  die "no qemu-system-loongarch64 $LS_QEMU_MAJOR or newer could be brought: install qemu-system-misc from a later Debian suite"
}

# The networks of this computer for guests (`--net user`), for the tests: a passt that knows --fd. Fails quietly.
ensure_passt() {
  local suite
  command -v passt >/dev/null && passt --help 2>&1 | grep -q -e '--hostname' && return
  for suite in forky trixie sid; do
    unpack_from_suite "$suite" passt && write_wrapper "$suite" passt "$LS_TOOLS/bin/passt" && return
  done
  return 1
}

# A server for disk images, .tools/bin/qemu-nbd, and .tools/bin/qemu-img, which makes them, for the tests. Fails quietly.
ensure_qemu_nbd() {
  local suite
  [ -e "$LS_TOOLS/bin/qemu-nbd" ] && [ -e "$LS_TOOLS/bin/qemu-img" ] && return
  for suite in forky trixie sid; do
    unpack_from_suite "$suite" qemu-utils && write_wrapper "$suite" qemu-nbd "$LS_TOOLS/bin/qemu-nbd" &&
      write_wrapper "$suite" qemu-img "$LS_TOOLS/bin/qemu-img" && return
  done
  return 1
}

# The fuzzer, .tools/fuzz: Jazzer.js with its library ready made; no script of a package runs. Exports LS_JAZZER, its program, and
# LS_FUZZ_NODE, how Node is started for it, a word a line: the library wants a C library that Debian 12 has not, and then Node
# runs with those of a later suite, unpacked beside the system.
ensure_fuzzer() {
  local out="$LS_TOOLS/fuzz" addon suite loader libs
  if ! cmp -s "$LS_ROOT/test/fuzz/package-lock.json" "$out/.stamp"; then
    mkdir -p "$out"
    cp "$LS_ROOT"/test/fuzz/package.json "$LS_ROOT"/test/fuzz/package-lock.json "$out/"
    run_step "bringing the fuzzer (npm package '@jazzer.js/core')" \
      npm install --prefix "$out" --no-save --ignore-scripts --no-audit --no-fund
    cp "$LS_ROOT/test/fuzz/package-lock.json" "$out/.stamp"
  fi
  addon="$out/node_modules/@jazzer.js/fuzzer"
  LS_JAZZER="$out/node_modules/@jazzer.js/core/dist/cli.js"
  LS_FUZZ_NODE=$LS_NODE
  if ! "$LS_NODE" -e 'require(process.argv[1])' "$addon" 2>/dev/null; then
    for suite in forky trixie sid; do
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

# ensure_chromium: a browser for the tests of the page, and for scripts/measure --web. Fails quietly.
ensure_chromium() {
  [ -x "$LS_TOOLS/bin/chromium" ] || command -v chromium >/dev/null || apt_install chromium
}

# The browser edition: one page, build/web/index.html.
ensure_web() {
  local out="$LS_ROOT/build/web/index.html"
  ensure_guests
  ensure_labs
  [ -e "$out" ] && [ -z "$(find "$LS_ROOT/src" "$LS_ROOT/labs" "$LS_ROOT/guests" "$LS_ROOT"/scripts/*web* "$LS_ROOT/scripts/strip-elf.ts" \
    "$LS_ROOT/build/.guests" "$LS_ROOT/build/.labs" "$LS_ROOT/package.json" -newer "$out" -type f -print -quit)" ] && return
  run_step "building the page" "$LS_NODE" --disable-warning=ExperimentalWarning "$LS_ROOT/scripts/build-web.ts"
}

# rebuild_when_newer STAMP LABEL SCRIPT SOURCE…: runs SCRIPT when a source is newer than its last run.
rebuild_when_newer() {
  local stamp="$LS_ROOT/build/.$1" label=$2 script=$3
  shift 3
  if [ ! -e "$stamp" ] || [ -n "$(find "$@" "$script" -newer "$stamp" -print -quit)" ]; then
    ensure_clang
    run_step "$label" "$script"
    touch "$stamp"
  fi
}

# The hypervisor and the guests.
ensure_guests() {
  rebuild_when_newer guests "building the hypervisor and the guests" "$LS_ROOT/scripts/build-guests" \
    "$LS_ROOT/src/hv" "$LS_ROOT/guests" "$LS_ROOT/examples"
}

# The labs: skeletons, solutions, and their library.
ensure_labs() {
  rebuild_when_newer labs "building the labs" "$LS_ROOT/scripts/build-labs" "$LS_ROOT/labs" "$LS_ROOT/src/labs" \
    "$LS_ROOT/src/cli/labs" "$LS_ROOT/src/hv/csr.h" "$LS_ROOT/scripts/build-labs.ts"
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
