# What a script is about to bring, said before anything is brought.

# THING|what it is|MB to download|MB on the disk|what to install by hand where there is no apt. The figures are those of Debian 12.
LS_THINGS='node|Node 24|85|175|Node 24 with npm
npm_packages|the npm packages|60|225|
program_packages|the npm packages of the program|10|46|
clang|clang and lld 19|60|270|clang and lld 19 or later
gdb|a gdb that knows LoongArch|45|140|gdb 16 or later with LoongArch
llvm_oracle|the tools of LLVM 19|30|130|llvm 19
table_judges|dtc and iasl|5|15|
linux|the kernel of Debian for loong64|80|330|
firmware|UEFI firmware|10|16|
passt|passt|2|10|
qemu_nbd|qemu-nbd|15|60|
redis|Redis|2|7|
chromium|Chromium|130|450|
rust|Rust for the labs|100|370|rustc with the core library of loongarch64-unknown-linux-gnu
qemu|QEMU|60|300|'

# Megabytes in a second that a usual line brings, and seconds for what is built.
LS_USUAL_SPEED=8
LS_BUILD_SECONDS=15

# announce THING…: says what of these is missing, how much it is, and about how long it takes. Returns 1 when it cannot be had.
announce() {
  local thing row label download disk hand names='' downloads=0 disks=0 free by_hand=''
  for thing in "$@"; do
    # What is built needs the compiler.
    [ "$thing" != guests ] || has_guests || thing=clang
    row=$(printf '%s\n' "$LS_THINGS" | grep "^$thing|") || continue
    "has_$thing" >/dev/null 2>&1 && continue
    IFS='|' read -r _ label download disk hand <<<"$row"
    names="$names${names:+, }$label"
    by_hand="$by_hand${hand:+${by_hand:+, }$hand}"
    downloads=$((downloads + download))
    disks=$((disks + disk))
  done
  [ -n "$names" ] || return 0
  say "the first run brings $names"
  say "that is about $downloads MB to download and $disks MB in ${LS_TOOLS/#$HOME/\~} and node_modules, some $((downloads / LS_USUAL_SPEED + LS_BUILD_SECONDS)) seconds on a usual line; nothing else of this system changes"
  free=$(df -Pm "$LS_TOOLS" 2>/dev/null | awk 'NR == 2 { print $4 }')
  [ "${free:-$disks}" -ge "$disks" ] || die "$free MB are free in $LS_TOOLS, and $disks MB are needed: make room, or clone to another disk"
  command -v apt-get >/dev/null || [ -z "$by_hand" ] || has_all_by_npm "$@" ||
    die "this system has no apt-get to bring programs with: install $by_hand, and run again"
}

# has_all_by_npm THING…: true when npm alone brings what is missing.
has_all_by_npm() {
  local thing
  has_npm || return 1
  for thing in "$@"; do
    case $thing in node | npm_packages | program_packages) ;; *) "has_$thing" >/dev/null 2>&1 || return 1 ;; esac
  done
}

# prepare THING…: says what is missing, and brings it in this order.
prepare() {
  local thing
  announce "$@"
  for thing in "$@"; do "ensure_$thing"; done
  drop_indexes
}
