# Compilers, gdb, and the programs that tests compare with.

# can_unpack WHAT: true when packages can be had with apt; otherwise says what to install by hand.
can_unpack() {
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null && return
  printf 'loongscope: this system has no apt-get to bring it with: install %s, and run again\n' "$1" >&2
  return 1
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
has_clang() {
  LS_CLANG=$(find_llvm_tool clang) && LS_LLD=$(find_llvm_tool ld.lld) || return 1
  export LS_CLANG LS_LLD
}

ensure_clang() {
  has_clang && return
  can_unpack "clang and lld $LS_CLANG_MAJOR or later" || return 1
  LS_WITHOUT=$LS_NOT_NEEDED bring_own "clang and lld $LS_CLANG_MAJOR" "clang-$LS_CLANG_MAJOR" "lld-$LS_CLANG_MAJOR" || return 1
  wrap_own "clang-$LS_CLANG_MAJOR" && wrap_own "ld.lld-$LS_CLANG_MAJOR" || return 1
  has_clang || die "no clang $LS_CLANG_MAJOR or later came: install clang-$LS_CLANG_MAJOR and lld-$LS_CLANG_MAJOR"
}

# llvm-mc and llvm-objdump 19 are the oracle of the instruction-table tests.
has_llvm_oracle() { command -v "llvm-mc-$LS_CLANG_MAJOR" >/dev/null && command -v "llvm-objdump-$LS_CLANG_MAJOR" >/dev/null; }

ensure_llvm_oracle() {
  local tool
  has_llvm_oracle && return
  can_unpack "llvm $LS_CLANG_MAJOR" || return 1
  LS_WITHOUT=$LS_NOT_NEEDED bring_own "LLVM's tools" "llvm-$LS_CLANG_MAJOR" || return 1
  for tool in llvm-mc llvm-objdump llvm-objcopy llvm-readelf llvm-nm; do
    [ ! -e "$LS_TOOLS/own/root/usr/bin/$tool-$LS_CLANG_MAJOR" ] || wrap_own "$tool-$LS_CLANG_MAJOR" || return 1
  done
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
has_gdb() { find_gdb; }

# own_major PACKAGE: the major version of PACKAGE that the machine's own sources offer; 0 when none.
own_major() {
  local version
  version=$(own_apt apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9]*\).*/\1/p')
  printf '%s' "${version:-0}"
}

# from_later_suite PACKAGE PROGRAM CHECK: PROGRAM out of PACKAGE of the first later suite where CHECK is true with it.
from_later_suite() {
  local package=$1 program=$2 suite
  shift 2
  for suite in $(later_suites); do
    unpack_from_suite "$suite" "$package" && write_wrapper "$suite" "$program" "$LS_TOOLS/bin/$program" && "$@" && return
  done
  return 1
}

# A gdb with LoongArch, 16 or newer: gdb-multiarch of the distribution, or of a later one.
ensure_gdb() {
  has_gdb && return
  can_unpack "a gdb $LS_GDB_MAJOR or later that knows LoongArch (gdb-multiarch, or one built with --enable-targets=all)" || return 1
  own_lists || return 1
  if [ "$(own_major gdb-multiarch)" -ge "$LS_GDB_MAJOR" ]; then
    bring_own gdb gdb-multiarch && wrap_own gdb-multiarch && find_gdb && return
  fi
  if from_later_suite gdb-multiarch gdb-multiarch find_gdb; then
    # The package has one more, for this machine alone.
    rm -f "$LS_SUITE/root/usr/bin/gdb"
    return
  fi
  die "no gdb $LS_GDB_MAJOR or newer with LoongArch could be brought: install gdb-multiarch from a later suite"
}

# The oldest gdb that is served, for the tests: `.tools/bin/gdb-oldest`. Sets LS_GDB_OLDEST; fails quietly.
ensure_oldest_gdb() {
  LS_GDB_OLDEST="$LS_TOOLS/bin/gdb-oldest"
  export LS_GDB_OLDEST
  gdb_serves "$LS_GDB_OLDEST" && return
  unpack_from_suite trixie gdb-multiarch && write_wrapper trixie gdb-multiarch "$LS_GDB_OLDEST" && gdb_serves "$LS_GDB_OLDEST"
}

# iasl_serves: true when iasl knows LoongArch's entries of the ACPI tables.
iasl_serves() {
  local version
  version=$(iasl -v 2>/dev/null | sed -n 's/.*version \([0-9]\{8\}\).*/\1/p')
  [ "${version:-0}" -ge "$LS_IASL_VERSION" ]
}

# Checkers for the tables of guests, for the tests: dtc, and an iasl that supports LoongArch. Fails quietly.
has_table_judges() { command -v dtc >/dev/null && iasl_serves; }

ensure_table_judges() {
  if ! command -v dtc >/dev/null; then
    bring_own dtc device-tree-compiler && wrap_own dtc || return 1
  fi
  iasl_serves || from_later_suite acpica-tools iasl iasl_serves
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
has_qemu() { find_qemu; }

# QEMU is the oracle of the CPU and the reference in measurements. Only scripts that call this need it.
ensure_qemu() {
  has_qemu && return
  from_later_suite qemu-system-misc qemu-system-loongarch64 find_qemu && return
  die "no qemu-system-loongarch64 $LS_QEMU_MAJOR or newer could be brought: install qemu-system-misc from a later suite"
}

# The networks of this computer for guests (`--net user`), for the tests: a passt that knows --fd. Fails quietly.
has_passt() { command -v passt >/dev/null && passt --help 2>&1 | grep -q -e '--hostname'; }
ensure_passt() { has_passt || from_later_suite passt passt has_passt; }

# A server for disk images, .tools/bin/qemu-nbd, and .tools/bin/qemu-img, which makes them, for the tests. Fails quietly.
has_qemu_nbd() { [ -e "$LS_TOOLS/bin/qemu-nbd" ] && [ -e "$LS_TOOLS/bin/qemu-img" ]; }

ensure_qemu_nbd() {
  has_qemu_nbd && return
  # LS_SUITE is the suite that the first one came from.
  from_later_suite qemu-utils qemu-nbd true && write_wrapper "$(basename "$LS_SUITE")" qemu-img "$LS_TOOLS/bin/qemu-img"
}

# A server for the queue of explore, .tools/bin/redis-server, for the tests. Fails quietly.
has_redis() { command -v redis-server >/dev/null || command -v valkey-server >/dev/null; }

ensure_redis() {
  has_redis && return
  can_unpack "redis-server or valkey-server" || return 1
  bring_own Redis redis-server && wrap_own redis-server && has_redis
}

# A browser for the tests of the page, with a font for its Chinese texts, and for scripts/measure --web. Fails quietly.
has_chromium() { { [ -x "$LS_TOOLS/bin/chromium" ] && [ -e "$LS_TOOLS/own/root/fonts.conf" ]; } || command -v chromium >/dev/null; }

ensure_chromium() {
  has_chromium && return
  can_unpack chromium || return 1
  # It starts itself for its processes, so its own file is called, and no script.
  bring_own Chromium chromium fonts-wqy-microhei && wrap_own ../lib/chromium/chromium chromium && has_chromium &&
    "$LS_TOOLS/bin/chromium" --version --no-sandbox >/dev/null
}
