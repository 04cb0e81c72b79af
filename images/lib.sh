# Shared by the recipes: sourced by images/NAME/build, which runs with the work folder as its current folder.
# A recipe takes every package of Debian's release $DEBIAN (images.lock says which) from the Debian sources that this
# machine is configured with, or from those that the user names in LABRUN_DEBIAN, and names none itself.
# shellcheck shell=sh

# say NOTE tells the user what happens now; everything else on stdout is log.
say() { printf '» %s\n' "$*"; }

# cannot REASON ends the recipe: this image cannot be had on this machine (EX_TEMPFAIL; the next source is tried).
cannot() { printf '%s\n' "$*" >&2; exit 75; }

# need COMMAND=PACKAGE… names every missing tool at once, not one per attempt.
need() {
  missing=
  for tool in "$@"; do command -v "${tool%=*}" >/dev/null || missing="$missing ${tool#*=}"; done
  [ -z "$missing" ] || cannot "tools are missing: run apt-get install$missing"
}

os_release=/etc/os-release

# ordinary users find mke2fs only here
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022
export LC_ALL=C

# become_root re-runs the recipe under fakeroot unless it is root, so that files in the image belong to root either way.
become_root() { [ "$(id -u)" = 0 ] || exec fakeroot -- sh "$0"; }

# The guest's architecture as Debian calls it, if it is another than this machine's: foreign.sh sets it.
guest=

# debian_sources makes a private apt: its own lists and cache (so no root, and no stale lists), and only what Debian
# signed for release $DEBIAN, whatever runs here. Every later apt command uses it through APT_CONFIG.
debian_sources() {
  { command -v apt-get && command -v dpkg-deb; } >/dev/null || cannot 'images are made with apt-get and dpkg, and this machine lacks them'
  [ "$(dpkg --print-architecture)" = amd64 ] || cannot 'the images are for amd64, and this machine is not'
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -s $keyring ] || cannot "Debian's keys are missing: run apt-get install debian-archive-keyring"

  apt=$PWD/apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/parts"
  : >"$apt/status"
  debian_archives | while read -r archive; do
    for suite in ${archive% *}; do echo "deb [arch=amd64${guest:+,$guest} signed-by=$keyring] ${archive##* } $suite main"; done
  done >"$apt/sources.list"
  [ -s "$apt/sources.list" ] ||
    cannot "no source of Debian's packages is configured on this machine: set LABRUN_DEBIAN to the URL of a Debian mirror that has $DEBIAN"

  # the machine's ways to reach its sources (proxies, certificates), but none of its hooks
  { apt-config dump | grep '^Acquire::' || :; cat <<EOF
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
EOF
  } >"$apt/options"
  { cat "$apt/options"; cat <<EOF
APT::Architecture "amd64";
APT::Architectures { "amd64"; ${guest:+"$guest";} };
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Etc::parts "$apt/parts";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/parts";
EOF
  } >"$apt/conf"
  use_debian_sources

  # another vendor's source for a release of that name fails here: it lacks Debian's signature
  apt-get update 2>"$apt/complaints" || :
  cat "$apt/complaints"
  # shellcheck disable=SC2016 # the fields are apt's
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian' |
    sort -u | awk -v release="$DEBIAN" -v options="arch=amd64${guest:+,$guest} signed-by=$keyring" 'index($4, release) == 1 {
      print "deb [" options "]", $1, $2, $3 }' >"$apt/sources.list.new"
  mv "$apt/sources.list.new" "$apt/sources.list"
  [ -n "$(apt-cache madison dpkg)" ] && return
  if grep -q -E 'does not have a Release file|is not signed|404' "$apt/complaints"; then
    cannot "the Debian mirror of this machine does not have $DEBIAN with Debian's signature: set LABRUN_DEBIAN to the URL of one that has it"
  fi
  cannot "Debian's package sources could not be read (is there a network?): $(sed -n 's/^[A-Za-z]*: //p' "$apt/complaints" | head -n 1)"
}

# debian_archives prints the archives of Debian's that this machine is configured with, for whatever release: each as its
# URI after the suites that $DEBIAN has there. Security updates may be in an archive of their own.
debian_archives() {
  for uri in ${LABRUN_DEBIAN:-}; do echo "$DEBIAN $DEBIAN-updates $DEBIAN-security $uri"; done
  [ -z "${LABRUN_DEBIAN:-}" ] || return 0
  names=$(. "$os_release"; [ "$ID" != debian ] || echo "|$VERSION_CODENAME|(old)*stable|testing|unstable|sid")
  # shellcheck disable=SC2016 # the fields are apt's
  apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(ARCHITECTURE) $(REPO_URI)' 'Created-By: Packages' |
    awk -v release="$DEBIAN" -v names="^($DEBIAN$names)([-/].*)?$" '
      $1 ~ names && $2 == "main" && $3 == "amd64" && $4 !~ /^cdrom:/ {
        print ($1 ~ /-security/ ? release "-security" : release " " release "-updates"), $4
      }' | sort -u
}

# use_debian_sources takes up the apt that debian_sources made, in another process of the same recipe too.
use_debian_sources() {
  apt=$PWD/apt
  export APT_CONFIG="$apt/conf"
}

# unpack FOLDER PACKAGE… downloads the packages with all they depend on and unpacks them, without configuring any.
# Whether a release keeps a file in / or in /usr, it is found in FOLDER/usr.
unpack() {
  folder=$1; shift
  rm -f "$apt"/archives/*.deb
  apt-get install --yes --download-only "$@" || cannot "could not download $* from this machine's package sources"
  for name in bin sbin lib lib64; do
    mkdir -p "$folder/usr/$name"
    ln -s "usr/$name" "$folder/$name"
  done
  for deb in "$apt"/archives/*.deb; do
    made_of "$deb"
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$folder"
  done
}

# made_of DEB… notes packages in the list that is kept with the image: a line «name version» for each.
made_of() { for deb in "$@"; do dpkg-deb --show --showformat='${Package} ${Version}\n' "$deb"; done | keep_list; }
keep_list() {
  touch "$OUT/packages"
  sort -u -o "$OUT/packages" - "$OUT/packages"
}

# kernel FLAVOUR unpacks Debian's current kernel of that flavour into kernel/, sets $release, and installs OUT/vmlinuz.
kernel() {
  package=$(apt-cache depends --important "linux-image-$1${guest:+:$guest}" | awk '$1 == "Depends:" { print $2; exit }')
  [ -n "$package" ] || cannot "the package linux-image-$1${guest:+ for $guest} is not in this machine's package sources"
  mkdir -p kernel
  (cd kernel && apt-get download "$package") || cannot "could not download $package"
  made_of kernel/*.deb
  dpkg-deb --extract kernel/*.deb kernel
  rm kernel/*.deb
  [ -d kernel/lib ] || mv kernel/usr/lib kernel/lib
  release=${package#linux-image-} release=${release%:*}
  depmod_in kernel
  [ -z "$guest" ] || { cp kernel/boot/vmlinu?-"$release" "$OUT/vmlinuz"; return; } # QEMU loads these as they are
  uncompressed kernel/boot/vmlinuz-"$release" "$OUT/vmlinuz" || cp kernel/boot/vmlinuz-"$release" "$OUT/vmlinuz"
}

# depmod_in ROOT makes the module index of ROOT/lib/modules/$release.
depmod_in() { tool depmod bin/kmod --basedir "$PWD/$1" "$release"; }

# uncompressed BZIMAGE ELF takes the kernel proper out of a bzImage that is compressed with xz or lz4. Unpacking xz in an
# emulated CPU takes seconds at every boot, lz4 half a second; QEMU boots the ELF file directly (PVH), and machines share
# its pages. Fails if the kernel is packed in another way.
uncompressed() {
  number() { od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }
  # the boot protocol's header says where the payload is; its last four bytes are the unpacked size, no part of the stream
  offset=$((($(number "$1" 497 1) + 1) * 512 + $(number "$1" 584 4)))
  size=$(($(number "$1" 588 4) - 4))
  case $(tail -c +$((offset + 1)) "$1" | head -c 4 | od -An -t x1 | tr -d ' ') in
    fd377a58) packer='xz bin/xz' ;;
    02214c18) packer='lz4 bin/lz4' ;;
    *) return 1 ;;
  esac
  # shellcheck disable=SC2086 # two words
  tail -c +$((offset + 1)) "$1" | head -c $size | tool $packer --decompress >"$2" || return 1
  [ "$(head -c 4 "$2" | od -An -t x1 | tr -d ' ')" = 7f454c46 ]
}

# tools PACKAGE… unpacks what the recipes run here and a minimal machine lacks: xz, lz4, depmod, and Debian's static BusyBox
# for its cpio; BusyBox is also the user land of the initramfs and of the small images. Sets $busybox.
tools() {
  unpack tools busybox-static xz-utils lz4 kmod "$@"
  busybox=$PWD/tools/usr/bin/busybox
}

# The loader of an unpacked tree. Its usual name, in lib64, may be a link to the loader of the machine that follows it.
loader=usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2

# tool NAME FILE ARGUMENT… runs a program from tools/ under that name, with the loader and libraries it was unpacked
# with; fakeroot's is not among them, and not needed.
tool() {
  name=$1 file=$PWD/tools/usr/$2; shift 2
  LD_PRELOAD='' "$PWD/tools/$loader" --argv0 "$name" \
    --library-path "$PWD/tools/usr/lib/x86_64-linux-gnu" "$file" "$@"
}

# modules ROOT NAME… copies kernel modules and what they depend on, from kernel/ to ROOT; a built-in one is skipped.
modules() {
  root=$1; shift
  base=lib/modules/$release
  mkdir -p "$root/$base"
  for name in "$@"; do
    awk -v name="$name" -F'[: ]+' '{
      file = $1; sub(/.*\//, "", file); sub(/\.ko.*/, "", file); gsub(/-/, "_", file)
      if (file == name) for (i = 1; i <= NF; i++) if ($i != "") print $i }' "kernel/$base/modules.dep"
  done | sort -u | (cd "kernel/$base" && xargs cp --parents -t "$OLDPWD/$root/$base")
  # newer releases pack each module; unpack it once, here
  find "$root/$base" -name '*.ko.xz' | while read -r module; do tool xz bin/xz --decompress "$PWD/$module"; done
  cp "kernel/$base"/modules.order "kernel/$base"/modules.builtin* "$root/$base/"
  depmod_in "$root"
}

# initrd writes OUT/initrd: the drivers of a labrun machine and nothing else. Left uncompressed: it is small, and
# unpacking costs the guest more than reading.
drivers='virtio_pci virtio_blk virtio_net virtio_rng ext4 crc32c_generic crc32c_intel button evdev'
initrd() {
  mkdir -p initrd/bin initrd/dev initrd/proc initrd/sys initrd/root
  install -m 755 "$busybox" initrd/bin/busybox
  install -m 755 "$RECIPES/common/initrd-init" initrd/init
  # shellcheck disable=SC2086 # a list of words
  modules initrd $drivers
  (cd initrd && find . | "$busybox" cpio -o -H newc) >"$OUT/initrd"
}

# disk FOLDER SIZE writes OUT/disk.img: a sparse ext4 root file system of that size from the folder.
# Fixed identifiers keep it the same from build to build, and features that newer tools turn on stay off; the tables are
# written now, not by the guest at first mount.
disk() {
  mke2fs -q -t ext4 -O ^orphan_file,^metadata_csum_seed -d "$1" -L root -m 0 -J size=8 -U 5255b2a7-7c9b-4d4e-9e6f-0a2540000001 \
    -E hash_seed=5255b2a7-7c9b-4d4e-9e6f-0a2540000002,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 "$OUT/disk.img" "$2"
  fallocate --dig-holes "$OUT/disk.img" || : # only saves space
}

# busybox_root ROOT makes a root file system of BusyBox alone, with the accounts a machine needs.
busybox_root() {
  mkdir -p "$1"
  (cd "$1" && mkdir -p bin dev etc home lib mnt opt proc root run sbin srv sys tmp usr/bin usr/sbin var/log var/lib var/tmp)
  chmod 700 "$1/root"
  chmod 1777 "$1/tmp" "$1/var/tmp"
  install -m 755 "$busybox" "$1/bin/busybox"
  "$busybox" --list-full | while read -r applet; do
    mkdir -p "$1/${applet%/*}"
    [ -e "$1/$applet" ] || ln -s /bin/busybox "$1/$applet"
  done
  ln -s /run "$1/var/run"
  install -m 644 "$RECIPES/common/passwd" "$1/etc/passwd"
  install -m 644 "$RECIPES/common/group" "$1/etc/group"
  install -m 644 "$RECIPES/common/profile" "$1/etc/profile"
  : >"$1/etc/shadow"
  chmod 600 "$1/etc/shadow"
  echo localhost >"$1/etc/hostname"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$1/etc/hosts"
}

# small ROOT adds what every small image has on top of its user land: boot, network, console, control channel.
small() {
  install -m 755 "$RECIPES/common/rcS" -D "$1/etc/init.d/rcS"
  install -m 755 "$RECIPES/common/nic" "$1/etc/nic"
  install -m 755 "$RECIPES/common/udhcpc" "$1/sbin/udhcpc-script"
  install -m 644 "$RECIPES/common/mdev.conf" "$RECIPES/common/inittab" "$1/etc/"
  install -m 755 "$RECIPES/common/control" "$1/sbin/labrun-control"
  install -m 755 "$RECIPES/common/power-button" "$1/sbin/power-button"
  set_password "$1/etc/shadow"
}

# programs FOLDER ROOT PROGRAM… copies programs from unpacked packages into ROOT, with the shared libraries they load:
# at Debian's own paths, so beside another C library they find their loader and libraries, and disturb nothing.
programs() {
  folder=$PWD/$1 root=$2; shift 2
  for program in "$@"; do
    mkdir -p "$root/${program%/*}"
    cp "$folder$program" "$root$program"
    LD_PRELOAD='' "$folder/$loader" --library-path "$folder/usr/lib/x86_64-linux-gnu" --list "$folder$program" |
      awk -v folder="$folder/" 'index($3, folder) == 1 { print substr($3, length(folder) + 1) }'
  done | sort -u | while read -r library; do
    mkdir -p "$root/${library%/*}"
    cp -L "$folder/$library" "$root/$library"
  done
  mkdir -p "$root/lib64"
  cp "$folder/$loader" "$root/lib64/ld-linux-x86-64.so.2"
}

# set_password SHADOW makes root's password root. Its hash takes few rounds: everybody knows it, and each login and ssh
# of an emulated CPU would be felt.
set_password() {
  sed -i '/^root:/d' "$1"
  # shellcheck disable=SC2016 # a hash, no variables
  echo 'root:$6$rounds=1000$labrun$mXy4gpZ.Cgj5rowB8pOSBKnrgYrqN6otvrL9/PGOhZCUTFzNgAezjA1bUD5FZMCAjtw2Dg9QrLb5yM7ZXbX13/:20000:0:::::' >>"$1"
}
