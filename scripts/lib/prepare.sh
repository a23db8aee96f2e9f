# Brings the programs that a fresh machine does not have. The scripts in the parent folder source it.
#
# Everything goes to .tools/ in the checkout, so nothing needs root, and nothing of the system changes. Packages come from the machine's own
# package sources; no server name is written here. For each thing there is has_THING, and ensure_THING, which does nothing when it is there.
# `prepare THING…` says first what is missing and how much that is, and then brings it. A step that fails returns 1 and leaves no mark,
# so the next run tries again.

LS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LS_TOOLS="$LS_ROOT/.tools"
export PATH="$LS_TOOLS/bin:$PATH"

# The oldest supported versions.
LS_NODE_MAJOR=24
LS_NPM_MAJOR=10
LS_CLANG_MAJOR=19
LS_GDB_MAJOR=16
LS_QEMU_MAJOR=10
LS_IASL_VERSION=20221020

. "$LS_ROOT/scripts/lib/steps.sh"
. "$LS_ROOT/scripts/lib/debian.sh"
. "$LS_ROOT/scripts/lib/node.sh"
. "$LS_ROOT/scripts/lib/programs.sh"
. "$LS_ROOT/scripts/lib/fuzzer.sh"
. "$LS_ROOT/scripts/lib/linux.sh"
. "$LS_ROOT/scripts/lib/rust.sh"
. "$LS_ROOT/scripts/lib/builds.sh"
. "$LS_ROOT/scripts/lib/plan.sh"

mkdir -p "$LS_TOOLS/bin" || die "$LS_TOOLS cannot be made: work in a folder that you may write to"
