# Packages of Debian and of its relatives, unpacked beside the system. apt checks every one of them against signed lists.

# debian_uri: the first URI of the machine's own sources (both file formats).
debian_uri() {
  local uri
  # A missing file is not an error: a machine has one of the two formats.
  uri=$( (sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources \
    /etc/apt/sources.list.d/*.sources 2>/dev/null || true) | head -n 1)
  [ -n "$uri" ] || uri=$( (sed -n 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\?\([^[:space:]]*\).*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true) | head -n 1)
  printf '%s' "$uri"
}

# on_ubuntu: true on Ubuntu and its relatives, whose mirrors have other suites.
on_ubuntu() { grep -qsiE '^(ID|ID_LIKE)=.*ubuntu' "${LS_OS_RELEASE:-/etc/os-release}"; }

# later_suites: suites of the machine's distribution that have newer programs, the best first.
later_suites() { if on_ubuntu; then echo resolute questing; else echo forky trixie sid; fi; }

# archive_keyring: the file of the distribution's keys. Every package that is unpacked is in a list that one of these keys has signed.
archive_keyring() {
  local file name=debian
  ! on_ubuntu || name=ubuntu
  for file in "/usr/share/keyrings/$name-archive-keyring.gpg" "/usr/share/keyrings/$name-archive-keyring.pgp"; do
    [ -e "$file" ] && printf '%s' "$file" && return
  done
  die "the keys of the distribution are missing, so nothing can be checked: install $name-keyring or $name-archive-keyring"
}

# apt_configuration FOLDER: the lines that make apt work in FOLDER, as any user.
apt_configuration() {
  mkdir -p "$1"/lists/partial "$1"/cache/archives/partial "$1"/root "$1"/etc "$1"/have
  cat <<CONF
Dir::State::Lists "$1/lists";
Dir::Cache "$1/cache";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "2";
Debug::NoLocking "true";
CONF
}

# apt_update: apt-get answers 0 when it could not read a list, and goes on with what it has; here that is an error.
apt_update() {
  local said
  said=$(apt-get update 2>&1) || { printf '%s\n' "$said"; return 1; }
  printf '%s\n' "$said"
  ! printf '%s\n' "$said" | grep -qE '^(E:|Err:|W: Failed to fetch|W: Some index files failed)'
}

# suite_lists SUITE [ARCHITECTURE]: sets LS_SUITE to a folder with the package lists of a suite and an apt
# configuration that sees an empty dpkg status, so nothing of the machine is touched.
suite_lists() {
  local suite=$1 architecture=${2:-} uri keyring components=main
  LS_SUITE="$LS_TOOLS/$suite${architecture:+-$architecture}"
  [ -e "$LS_SUITE/lists.done" ] && return
  uri=$(debian_uri)
  [ -n "$uri" ] || die "no package source found in the configuration of apt: it needs one of Debian or Ubuntu in /etc/apt"
  keyring=$(archive_keyring) || return 1
  ! on_ubuntu || components='main universe'
  mkdir -p "$LS_SUITE" && : >"$LS_SUITE/status" || return 1
  apt_configuration "$LS_SUITE" >"$LS_SUITE/apt.conf" || return 1
  cat >>"$LS_SUITE/apt.conf" <<CONF
Dir::State "$LS_SUITE";
Dir::State::Status "$LS_SUITE/status";
Dir::Etc::SourceList "$LS_SUITE/etc/sources.list";
Dir::Etc::SourceParts "/nonexistent";
Dir::Etc::Preferences "/nonexistent";
Dir::Etc::PreferencesParts "/nonexistent";
# Lists of testing are valid for a week, and mirrors are late. A limit of a year protects against replayed old lists.
Acquire::Min-ValidTime "31536000";
CONF
  [ -z "$architecture" ] || cat >>"$LS_SUITE/apt.conf" <<CONF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
CONF
  echo "deb [signed-by=$keyring] $uri $suite $components" >"$LS_SUITE/etc/sources.list" || return 1
  APT_CONFIG="$LS_SUITE/apt.conf" run_step "reading the package lists of $suite${architecture:+ for $architecture}" apt_update || return 1
  touch "$LS_SUITE/lists.done"
}

# suite_apt ARGS…: apt-get with the configuration of suite_lists.
suite_apt() { APT_CONFIG="$LS_SUITE/apt.conf" apt-get "$@"; }

# unpack_archives ROOT ARCHIVE…: without what a program beside the system does not read.
unpack_archives() {
  local root=$1 deb part
  shift
  for deb in "$@"; do dpkg-deb -x "$deb" "$root" || return 1; done
  for part in usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bash-completion usr/sbin; do rm -rf "${root:?}/$part"; done
  for part in "$root"/usr/lib/*/perl-base "$root"/usr/share/perl "$root"/usr/bin/perl*; do rm -rf "$part"; done
  # Licences stay.
  [ ! -d "$root/usr/share/doc" ] || find "$root/usr/share/doc" -type f ! -name copyright -delete
}

# drop_indexes: what apt has computed from lists; it is large, and computed again in a second.
drop_indexes() { rm -f "$LS_TOOLS"/*/cache/pkgcache.bin "$LS_TOOLS"/*/cache/srcpkgcache.bin; }

# unpack_from_suite SUITE PACKAGE: PACKAGE with its whole dependency closure into .tools/SUITE/root.
unpack_from_suite() {
  local suite=$1 package=$2
  suite_lists "$suite" || return 1
  run_step "downloading $package and its libraries from $suite" suite_apt install -y --download-only "$package" || return 1
  run_step "unpacking $package" unpack_archives "$LS_SUITE/root" "$LS_SUITE"/cache/archives/*.deb || return 1
  rm -f "$LS_SUITE"/cache/archives/*.deb
}

# own_lists: sets LS_OWN to a folder with the lists of the machine's own sources: packages of its own suite, without root.
own_lists() {
  LS_OWN="$LS_TOOLS/own"
  [ -n "${LS_OWN_READ:-}" ] && return
  # Old lists name packages that the mirrors do not have any more.
  if [ -z "$(find "$LS_OWN/lists.done" -mmin -720 2>/dev/null)" ]; then
    mkdir -p "$LS_OWN" && apt_configuration "$LS_OWN" >"$LS_OWN/apt.conf" || return 1
    APT_CONFIG="$LS_OWN/apt.conf" run_step "reading the machine's package lists" own_update || return 1
  fi
  LS_OWN_READ=1
}

# own_update: a source of somebody else may be broken; it is enough that the lists are there for what is wanted. Only whole ones are kept for later.
own_update() {
  if apt_update; then touch "$LS_OWN/lists.done"; else [ -n "$(find "$LS_OWN/lists" -name '*_Packages*' -print -quit)" ]; fi
}

own_apt() { APT_CONFIG="$LS_OWN/apt.conf" "$@"; }

# What compilers depend on, and a compiler for another machine does not use: headers, libraries and tools for programs of this one.
LS_NOT_NEEDED='^(binutils|libbinutils|libgprofng|libctf|libsframe|gcc-|cpp|libgomp|libitm|libatomic|libasan|liblsan|libtsan|libubsan|libhwasan|libquadmath|libgcc-.*-dev|libc6?-dev|linux-libc-dev|libcrypt-dev|rpcsvc|libtirpc|libnsl|libkrb|libk5|libkeyutils|libgssapi|libstdc.*-dev|libgc1|libobjc|libclang1-|llvm-.*-linker-tools|llvm-.*-dev|libllvm.*-dev|libffi-dev|libxml2-dev|libz3-dev|libtinfo-dev|libncurses-dev|icu-devtools|libicu-dev)'

# closure_of PACKAGE…: what the machine lacks for them, by the rules of apt; without those that LS_WITHOUT matches.
closure_of() { own_apt apt-get install -s --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\).*/\1/p' | grep -vE "${LS_WITHOUT:-^$}"; }

# javascript_closure PACKAGE: PACKAGE and the JavaScript packages that it needs. Debian's npm depends on hundreds of others, which it does not use here.
javascript_closure() {
  local next seen=" " queue=$1 p
  while [ -n "$queue" ]; do
    for p in $queue; do seen="$seen$p "; done
    # shellcheck disable=SC2086
    next=$(own_apt apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances $queue |
      sed -n 's/^ *|\{0,1\}Depends: \([a-z0-9.+-]*\)$/\1/p; s/^    \([a-z0-9.+-]*\)$/\1/p' | { grep '^node-' || true; } | sort -u)
    queue=''
    for p in $next; do case $seen in *" $p "*) ;; *) queue="$queue $p" ;; esac; done
  done
  printf '%s\n' $seen
}

# unpack_own LABEL PACKAGE…: exactly these packages of the machine's own suite into .tools/own/root.
unpack_own() {
  local label=$1 package missing=()
  shift
  for package in "$@"; do [ -e "$LS_OWN/have/$package" ] || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  fetch() { cd "$LS_OWN/cache/archives" && own_apt apt-get download "$@"; }
  run_step "downloading $label (${#missing[@]} packages)" fetch "${missing[@]}" || return 1
  run_step "unpacking $label" unpack_archives "$LS_OWN/root" "$LS_OWN"/cache/archives/*.deb || return 1
  rm -f "$LS_OWN"/cache/archives/*.deb
  for package in "${missing[@]}"; do : >"$LS_OWN/have/$package"; done
}

# bring_own LABEL PACKAGE…: the packages with what the machine lacks for them.
bring_own() {
  local label=$1 list
  shift
  own_lists || return 1
  list=$(closure_of "$@") || true
  [ -n "$list" ] || {
    printf 'loongscope: %s: the package sources of this machine do not have %s: see /etc/apt, or install it by hand\n' "$label" "$*" >&2
    return 1
  }
  # shellcheck disable=SC2086
  unpack_own "$label" $list
}

# write_program FILE: stdin as a program, at once whole.
write_program() { cat >"$1.part" && chmod +x "$1.part" && mv "$1.part" "$1"; }

# library_folders ROOT: where libraries are, also those that a library has in a folder of its own and finds by an absolute path.
library_folders() {
  find "$1/usr/lib" "$1/lib" -maxdepth 1 -name '*-linux-gnu*' -type d 2>/dev/null
  find "$1/usr/lib" "$1/lib" -mindepth 3 -maxdepth 3 -path '*-linux-gnu*/*' -name 'lib*.so*' -printf '%h\n' 2>/dev/null | sort -u
}

# wrap_own PROGRAM [NAME]: .tools/bin/NAME starts PROGRAM of .tools/own/root with the libraries that are there.
wrap_own() {
  local program=$1 name=${2:-$1} root="$LS_TOOLS/own/root" libs
  libs=$(library_folders "$root" | tr '\n' ':')
  wrapper_options "$program" "$root"
  printf '#!/bin/sh\n# Written by scripts/lib/debian.sh: %s, unpacked beside the system.\n%sLD_LIBRARY_PATH="%s${LD_LIBRARY_PATH:-}" exec "%s/usr/bin/%s" %s"$@"\n' "$program" "$LS_WRAP_ENV" "$libs" "$root" "$program" "$LS_WRAP_ARGS" |
    write_program "$LS_TOOLS/bin/$name"
}

# write_wrapper SUITE PROGRAM WRAPPER: starts PROGRAM of .tools/SUITE/root with that root's own loader and libraries.
write_wrapper() {
  local root="$LS_TOOLS/$1/root" program=$2 wrapper=$3 loader libs
  loader=$(find "$root" -name 'ld-linux*.so.*' -path '*lib*' -print -quit)
  [ -n "$loader" ] || die "the unpacked $program has no dynamic loader: remove $LS_TOOLS/$1 and run again"
  libs=$(dirname "$loader")
  wrapper_options "$program" "$root"
  printf '#!/bin/sh\n# Written by scripts/lib/debian.sh: %s of a later suite, with its own libraries.\n%sexec "%s" --library-path "%s:%s/usr/lib" "%s/usr/bin/%s" %s"$@"\n' "$program" "$LS_WRAP_ENV" "$loader" "$libs" "$root" "$root" "$program" "$LS_WRAP_ARGS" |
    write_program "$wrapper"
}

# write_fonts ROOT: ROOT/fonts.conf, the fonts of the machine and those of ROOT.
write_fonts() {
  cat >"$1/fonts.conf" <<CONF
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<dir>/usr/share/fonts</dir>
<dir>$1/usr/share/fonts</dir>
<cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
CONF
}

# wrapper_options PROGRAM ROOT: sets LS_WRAP_ENV and LS_WRAP_ARGS: what PROGRAM must be told to find its own files.
wrapper_options() {
  LS_WRAP_ENV='' LS_WRAP_ARGS=''
  case $1 in
    gdb*)
      LS_WRAP_ARGS="--data-directory=\"$2/usr/share/gdb\" "
      # Its Python has its library beside it. The programs that gdb starts have their own.
      if [ -n "$(find "$2/usr/lib" -maxdepth 2 -path '*/python3*/os.py' -print -quit)" ]; then
        LS_WRAP_ENV="PYTHONHOME=\"$2/usr\" "
        LS_WRAP_ARGS="$LS_WRAP_ARGS-iex 'python import os; os.environ.pop(\"PYTHONHOME\", None)' "
      fi
      ;;
    rustc) LS_WRAP_ARGS="--sysroot \"$2/usr\" " ;;
    qemu-system*) LS_WRAP_ARGS="-L \"$2/usr/share/qemu\" " ;;
    *chromium)
      write_fonts "$2"
      LS_WRAP_ENV="FONTCONFIG_FILE=\"$2/fonts.conf\" "
      ;;
  esac
}
