# How everything that runs on the machine is compiled: the hypervisor, its guests, its broken variants.
LS_GUEST_FLAGS=(--target=loongarch64-unknown-linux-gnusf -Xclang -target-feature -Xclang +lvz -march=loongarch64 -msoft-float -mno-lsx -ffreestanding -fno-builtin
  -fno-pic -mcmodel=medium -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Werror -std=gnu17 -fdebug-prefix-map="$LS_ROOT/"= -fdebug-compilation-dir=.)
# Objects are linked in the order of their names, which is the same in every language.
export LC_ALL=C
