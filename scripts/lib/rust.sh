# Rust for the labs: rustc, and Debian's `core` of loong64 for it. Only who builds labs in Rust, and the tests, bring it.

# Debian builds `core` for this target; src/cli/labs/rustc.ts compiles for it.
LS_RUST_TARGET=loongarch64-unknown-linux-gnu

# Beside what no compiler for another machine needs: the libraries of this one, and what only gcc depends on.
LS_RUST_NOT_NEEDED="$LS_NOT_NEEDED|^(libstd-rust-dev|gcc|libgcc-[0-9]|libcc1|libisl|libmpfr|libmpc|libjansson|libasan|libc-|linux-)"

# has_rust: true when a rustc compiles a crate without std for the target: it is new enough, and its `core` is of the same version.
has_rust() {
  local rustc place answer=1
  rustc=$(command -v rustc) && place=$(mktemp -d) || return 1
  # No pipe: with pipefail a compiler that has not read it counts as one that has failed.
  "$rustc" --edition 2024 --target "$LS_RUST_TARGET" --crate-type lib --emit metadata --out-dir "$place" - 2>/dev/null <<<'#![no_std]' && answer=0
  rm -rf "$place"
  # Only one that serves is the one to use.
  [ $answer != 0 ] || export LS_RUSTC="$rustc"
  return $answer
}

# bring_rust SUITE: rustc of SUITE with its libraries, and `core` for loong64 of the same version, into .tools/rust/root.
bring_rust() {
  local suite=$1 place="$LS_TOOLS/rust" version list
  suite_lists "$suite" || return 1
  version=$(APT_CONFIG="$LS_SUITE/apt.conf" apt-cache policy rustc 2>/dev/null | sed -n 's/^ *Candidate: *//p')
  list=$(suite_apt install -s rustc 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p' | grep -vE "$LS_RUST_NOT_NEEDED")
  [ -n "$list" ] || return 1
  rm -rf "$place" && mkdir -p "$place/archives" "$place/root" || return 1
  # shellcheck disable=SC2086
  download() { cd "$place/archives" && suite_apt download "$@"; }
  # shellcheck disable=SC2086
  run_step "downloading rustc ${version%%[+-]*} and its libraries from Debian $suite" download $list || return 1
  suite_lists "$suite" loong64 || return 1
  run_step "downloading Rust's core library for loong64" download "libstd-rust-dev=$version" || return 1
  run_step "unpacking Rust" unpack_rust "$place" || return 1
  rm -rf "$place/archives"
  write_wrapper rust rustc "$LS_TOOLS/bin/rustc"
}

# unpack_rust PLACE: PLACE/archives into PLACE/root; of the libraries for loong64 those that a crate without std needs.
unpack_rust() {
  local place=$1 core
  core=$(echo "$place"/archives/libstd-rust-dev_*.deb)
  dpkg-deb --fsys-tarfile "$core" | tar -x -C "$place/root" --wildcards './usr/lib/rustlib/*/lib/libcore-*' './usr/lib/rustlib/*/lib/libcompiler_builtins-*' './usr/share/doc/*' &&
    rm -f "$core" && unpack_archives "$place/root" "$place"/archives/*.deb && rm -rf "$place"/root/usr/libexec "$place"/root/usr/share/rustc
}

# ensure_rust: such a rustc, .tools/bin/rustc. Old lists name packages that the mirrors do not have any more, or two versions: they are read again.
ensure_rust() {
  local suite
  has_rust && return
  can_unpack "Debian's rustc and its libstd-rust-dev for loong64" || return 1
  for suite in forky sid; do
    bring_rust "$suite" && has_rust && return
    rm -f "$LS_TOOLS/$suite/lists.done" "$LS_TOOLS/$suite-loong64/lists.done"
    bring_rust "$suite" && has_rust && return
  done
  die "no rustc with a core library for loong64 of the same version could be brought: check the machine's package sources, and run again later"
}
