# Debian for loong64: the kernel, QEMU, firmware. Tests, scripts/linux and scripts/kvm use them.

# ensure_loong64_package PACKAGE: Debian's PACKAGE for loong64, alone, unpacked into .tools/SUITE-loong64/root.
ensure_loong64_package() {
  local package=$1 suite
  for suite in forky sid; do
    suite_lists "$suite" loong64 || continue
    [ -e "$LS_SUITE/$package.done" ] && return
    (cd "$LS_SUITE/cache" && run_step "downloading $package for loong64 from Debian $suite" suite_apt download "$package") || continue
    dpkg-deb -x "$LS_SUITE"/cache/"$package"_*.deb "$LS_SUITE/root" || return 1
    touch "$LS_SUITE/$package.done"
    return
  done
  die "Debian's $package for loong64 could not be brought: check the machine's package sources"
}

# has_linux: the kernel, busybox and the modules are there, all of one version.
has_linux() { [ -e "$LS_TOOLS/linux/vmlinuz" ] && [ -e "$LS_TOOLS/linux/busybox" ] && [ -e "$LS_TOOLS/linux/suite" ] && [ -e "$LS_TOOLS/linux/modules/sd_mod.ko" ]; }

# ensure_linux: Debian's newest kernel for loong64, busybox, and the kernel's modules unpacked, in .tools/linux. The version is
# in the current package lists; apt verifies its downloads with them.
ensure_linux() {
  local out="$LS_TOOLS/linux" part="$LS_TOOLS/linux.part" suite version='' package modules
  has_linux && return
  if [ -e "$out/suite" ] && [ -e "$out/vmlinuz" ]; then ensure_linux_sata; return; fi
  can_unpack "apt-get of Debian (its packages for loong64 are the kernel)" || return 1
  for suite in forky sid; do
    suite_lists "$suite" loong64 || continue
    version=$(APT_CONFIG="$LS_SUITE/apt.conf" apt-cache depends linux-image-loong64 2>/dev/null | sed -n 's/.*Depends: linux-image-\([0-9].*\)$/\1/p' | head -n 1) || true
    [ -n "$version" ] && break
  done
  [ -n "$version" ] || die "Debian's kernel for loong64 could not be found: check the machine's package sources"
  command -v xz >/dev/null || { bring_own xz xz-utils && wrap_own xz; } || return 1
  download() {
    cd "$LS_SUITE/cache" || return 1
    for package in "linux-binary-$version" "linux-modules-$version" busybox-static; do
      suite_apt download "$package" || return 1
      dpkg-deb -x "$package"_*.deb "$LS_SUITE/root" || return 1
      rm -f "$package"_*.deb
    done
  }
  run_step "downloading Debian's kernel $version and busybox" download || return 1
  rm -rf "$part" && mkdir -p "$part/modules" || return 1
  modules="$LS_SUITE/root/usr/lib/modules/$version"
  unpack_modules() {
    local file
    for file in drivers/block/virtio_blk drivers/char/hw_random/virtio-rng drivers/net/virtio_net drivers/net/net_failover net/core/failover \
      drivers/virtio/virtio_mmio fs/ext4/ext4 fs/jbd2/jbd2 fs/mbcache lib/crc/crc16 fs/9p/9p net/9p/9pnet net/9p/9pnet_virtio fs/netfs/netfs; do
      # A missing module is built into the kernel.
      [ ! -e "$modules/kernel/$file.ko.xz" ] || xz -dc "$modules/kernel/$file.ko.xz" >"$part/modules/$(basename "$file").ko" || return 1
    done
    cp "$LS_SUITE/root/usr/bin/busybox" "$part/busybox" && cp "$modules/vmlinuz" "$part/vmlinuz" &&
      echo "$version" >"$part/version" && echo "$suite" >"$part/suite"
  }
  run_step "unpacking the kernel's modules" unpack_modules || return 1
  # The disk that scripts/linux has made, and QEMU, stay.
  mkdir -p "$out" && cp -r "$part"/. "$out/" && rm -rf "$part" || return 1
  ensure_linux_sata
}

# ensure_linux_sata: the kernel's modules for Serial ATA disks, beside the others. The package is unpacked already.
ensure_linux_sata() {
  local out="$LS_TOOLS/linux" file modules
  [ -e "$out/modules/sd_mod.ko" ] && return
  modules="$LS_TOOLS/$(cat "$out/suite")-loong64/root/usr/lib/modules/$(cat "$out/version")/kernel"
  for file in drivers/ata/ahci drivers/ata/libahci drivers/ata/libata drivers/scsi/scsi_common drivers/scsi/scsi_mod drivers/scsi/sd_mod; do
    [ -e "$modules/$file.ko.xz" ] || continue
    xz -dc "$modules/$file.ko.xz" >"$out/modules.part" && mv "$out/modules.part" "$out/modules/$(basename "$file").ko" || return 1
  done
}

# ensure_qemu_loong64: Debian's QEMU for loong64 with its libraries, .tools/linux/qemu: it runs inside, as the VMM of scripts/kvm.
ensure_qemu_loong64() {
  local out="$LS_TOOLS/linux/qemu" suite archives
  ensure_linux || return 1
  [ -e "$out/usr/bin/qemu-system-loongarch64" ] && return
  for suite in forky sid; do
    suite_lists "$suite" loong64 || continue
    archives="$LS_SUITE/qemu-archives"
    mkdir -p "$archives/partial"
    run_step "downloading QEMU for loong64 and its libraries from Debian $suite" \
      suite_apt install -y --download-only -o "Dir::Cache::archives=$archives" qemu-system-misc || continue
    unpack_qemu() {
      local deb
      for deb in "$archives"/*.deb; do dpkg-deb -x "$deb" "$LS_SUITE/qemu-root" || return 1; done
      mkdir -p "$out.part/usr/bin" "$out.part/usr/lib" && cp "$LS_SUITE/qemu-root/usr/bin/qemu-system-loongarch64" "$out.part/usr/bin/" &&
        cp -P "$LS_SUITE"/qemu-root/usr/lib/loongarch64-linux-gnu/*.so* "$out.part/usr/lib/" && mv "$out.part" "$out"
    }
    rm -rf "$out" "$out.part" "$LS_SUITE/qemu-root"
    run_step "unpacking QEMU" unpack_qemu || return 1
    rm -rf "$archives" "$LS_SUITE/qemu-root"
    return
  done
  die "Debian's QEMU for loong64 could not be brought: check the machine's package sources"
}

# ensure_linux_symbols: the kernel's symbols and lines, .tools/linux/vmlinux, out of a package of a gigabyte.
ensure_linux_symbols() {
  local suite version out="$LS_TOOLS/linux"
  ensure_linux || return 1
  [ -e "$out/vmlinux" ] && return
  version=$(cat "$out/version")
  suite=$(cat "$out/suite")
  suite_lists "$suite" loong64 || return 1
  symbols() {
    cd "$LS_SUITE/cache" &&
      suite_apt download "linux-image-$version-dbg" &&
      dpkg-deb --fsys-tarfile "linux-image-$version-dbg"_*.deb | tar -xO -f - "./usr/lib/debug/lib/modules/$version/vmlinux" >"$out/vmlinux.part" &&
      rm -f "linux-image-$version-dbg"_*.deb && mv "$out/vmlinux.part" "$out/vmlinux"
  }
  run_step "downloading the kernel's symbols (1 GB)" symbols
}

has_firmware() { [ -e "$LS_TOOLS/firmware.fd" ]; }

# ensure_firmware: Debian's UEFI firmware for LoongArch boards, .tools/firmware.fd.
ensure_firmware() {
  local suite package=qemu-efi-loongarch64
  has_firmware && return
  for suite in forky sid; do
    suite_lists "$suite" || continue
    (cd "$LS_SUITE/cache" && run_step "downloading $package" suite_apt download "$package") || continue
    dpkg-deb --fsys-tarfile "$LS_SUITE"/cache/"$package"_*.deb | tar -xO -f - ./usr/share/qemu-efi-loongarch64/QEMU_EFI.fd >"$LS_TOOLS/firmware.part" || continue
    mv "$LS_TOOLS/firmware.part" "$LS_TOOLS/firmware.fd"
    return
  done
  die "Debian's $package could not be brought: check the machine's package sources"
}
