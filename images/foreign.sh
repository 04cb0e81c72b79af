# Images for other processors: sourced by images/NAME/build after lib.sh. Nothing of the guest's can be run here, so its
# user land is Debian's static BusyBox alone; what packs it is this machine's own.
# shellcheck shell=sh

# small_foreign ARCHITECTURE CONSOLE CONTROL makes a small image of Debian's packages for that architecture: a kernel, and
# a root file system that lives in memory, for a machine without a disk. Its serial ports are called CONSOLE and CONTROL.
small_foreign() {
  guest=$1
  say 'reading package lists'
  debian_sources
  say "downloading a kernel and BusyBox for $guest"
  tools
  kernel "$guest"
  (cd kernel && apt-get download "busybox-static:$guest") || cannot "could not download busybox-static for $guest"
  made_of kernel/busybox-static_*.deb
  dpkg-deb --fsys-tarfile kernel/busybox-static_*.deb | tar -x --wildcards --strip-components=2 -C kernel '*bin/busybox'

  say 'packing the initramfs'
  busybox_root root
  small root
  find kernel -name busybox -exec install -m 755 {} root/bin/busybox \;
  sed -i "s/ttyS0/$2/g" root/etc/inittab
  sed -i "s/ttyS1/$3/g" root/sbin/labrun-control
  install -m 755 "$RECIPES/common/memory-init" root/init
  modules root virtio_pci virtio_net virtio_rng gpio_keys evdev
  (cd root && find . | "$busybox" cpio -o -H newc) >"$OUT/initrd"
}
