#!/bin/sh
# Brings a machine and this folder to where every npm script works, and does nothing where it is there already.
#
#   sh scripts/setup.sh            programs (by apt, as root), npm packages, compiled JavaScript
#   sh scripts/setup.sh packages   npm packages only: no root needed
#   sh scripts/setup.sh bench      all of the first, and the peer that the benchmark compares with
#   sh scripts/setup.sh test       all of the first, and on Debian Docker, Buildah and Podman, and what the tests' virtual machine takes (SKIP_VM=1: without)
#
# It says what it installs, starts no service, removes no package, and needs no network when nothing is missing.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
PATH="$root/node_modules/.bin:$PATH:/usr/sbin:/sbin"
export PATH

os_release=${GANTRY_OS_RELEASE:-/etc/os-release} # another file only in the test of this script
oldest_node=18                                   # for npm; Gantry itself runs on the Node that npm brings
guard=/usr/sbin/policy-rc.d

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# --- programs ---------------------------------------------------------------------------------------------------

# program, then its package on Debian, Fedora, Arch and openSUSE ("-": that distribution has none)
programs='
crun             crun                        crun                        crun            crun
runc             runc                        runc                        runc            runc
runsc            runsc                       -                           -               -
conmon           conmon                      conmon                      conmon          conmon
cni-plugins      containernetworking-plugins containernetworking-plugins cni-plugins     cni-plugins
iptables         iptables                    iptables-nft                iptables        iptables
ip               iproute2                    iproute                     iproute2        iproute2
catatonit        catatonit                   catatonit                   catatonit       catatonit
criu             criu                        criu                        criu            criu
static-busybox   busybox-static              busybox                     busybox         busybox-static
docker-registry  docker-registry             docker-distribution         -               distribution-registry
openssl          openssl                     openssl                     openssl         openssl
gpg-agent        gnupg                       gnupg2                      gnupg           gpg2
skopeo           skopeo                      skopeo                      skopeo          skopeo
flock            util-linux                  util-linux-core             util-linux      util-linux
'
bench_programs='
containerd       containerd                  containerd                  containerd      containerd
'
# The tests' virtual machine is made of Debian packages, so no other distribution is asked for these; without them it is skipped.
vm_programs='
qemu-system-x86_64 qemu-system-x86
mmdebstrap         mmdebstrap
mke2fs             e2fsprogs
xz                 xz-utils
zstd               zstd
'
# Programs that build the images of one test; without them it is skipped. They share what they need with skopeo: two packages more, 56 MB on disk.
builder_programs='
buildah          buildah                     buildah                     buildah         buildah
podman           podman                      podman                      podman          podman
'
# The Docker Engine that the tests of engine = "docker" start in a folder of their own; without it they are skipped.
docker_programs='
dockerd          docker.io                   moby-engine                 docker          docker
'
# What Debian would start and enable for the packages above.
services='docker.service docker.socket docker-registry.service containerd.service podman.socket podman.service podman-restart.service podman-auto-update.service podman-auto-update.timer'

is_here() {
  case $1 in
    cni-plugins) [ -x /usr/lib/cni/bridge ] || [ -x /opt/cni/bin/bridge ] || [ -x /usr/libexec/cni/bridge ] ;;
    static-busybox) have busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ;;
    docker-registry) have docker-registry || have registry ;;
    *) have "$1" ;;
  esac
}

# The rows of a table whose program is not here.
missing_of() {
  printf '%s\n' "$1" | while read -r program packages; do
    [ -z "$program" ] || is_here "$program" || printf '%s %s\n' "$program" "$packages"
  done
}

column() { awk -v n="$1" '{ print $n }' | tr '\n' ' '; }

distribution() {
  [ -r "$os_release" ] || { echo unknown; return; }
  # shellcheck disable=SC1090
  ( . "$os_release"; for id in "${ID:-}" ${ID_LIKE:-}; do
      case $id in
        debian|ubuntu) echo debian; exit ;;
        fedora|rhel|centos) echo fedora; exit ;;
        arch) echo arch; exit ;;
        suse|opensuse*|sles) echo suse; exit ;;
      esac
    done; echo unknown )
}

explain_missing() { # rows, distribution
  say 'this script installs with apt on Debian only; missing here:'
  case $2 in fedora) n=3 how='dnf install' ;; arch) n=4 how='pacman -S' ;; suse) n=5 how='zypper install' ;; *) n=2 how='' ;; esac
  printf '%s\n' "$1" | awk -v n="$n" '{ printf "  %-16s %s\n", $1, ($n == "-" ? "not packaged: build it from source" : "package " $n) }'
  if [ -n "$how" ]; then
    packages=$(printf '%s\n' "$1" | awk -v n="$n" '$n != "-" { print $n }' | tr '\n' ' ')
    say "install them, then run this again: $how $packages"
  else
    say 'install them (package names as on Debian), then run this again'
  fi
}

# While apt runs, packages must not start their services. Debian asks policy-rc.d before it starts one. Ours says no
# only as long as the setup that wrote it lives, so one that a kill left behind changes nothing.
raise_guard() {
  if [ -e "$guard" ] && grep -q 'gantry setup' "$guard"; then lower_guard; fi
  [ ! -e "$guard" ] || mv "$guard" "$guard.before-gantry"
  cat >"$guard" <<EOF
#!/bin/sh
# gantry setup: no service is started while process $$ installs packages
kill -0 $$ 2>/dev/null && exit 101
[ ! -x "$guard.before-gantry" ] || exec "$guard.before-gantry" "\$@"
exit 0
EOF
  chmod 755 "$guard"
}
lower_guard() {
  rm -f "$guard"
  [ ! -e "$guard.before-gantry" ] || mv "$guard.before-gantry" "$guard"
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install \
    --yes --no-remove --no-upgrade --no-install-recommends "$@" >"$log" 2>&1
}

install_programs() { # packages
  log=$(mktemp)
  trap 'lower_guard; rm -f "$log"' EXIT
  trap 'exit 130' INT TERM HUP
  exec 8</var/lib/dpkg && flock 8 # one setup at a time installs, whatever folder it runs in
  present=' '
  for service in $services; do [ ! -e "/lib/systemd/system/$service" ] || present="$present$service "; done
  raise_guard
  say "installing with apt: $*"
  if ! apt_install "$@"; then
    say 'the package lists are missing or old: apt-get update'
    apt-get -qq -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 || { cat "$log" >&2; die 'apt-get update failed (above)'; }
    apt_install "$@" || { cat "$log" >&2; die "apt could not install $* (above)"; }
  fi
  lower_guard
  rm -f "$log"
  trap - EXIT INT TERM HUP
  exec 8<&-
  for service in $services; do
    case $present in *" $service "*) continue ;; esac
    [ -e "/lib/systemd/system/$service" ] || continue
    deb-systemd-helper disable "$service" >/dev/null 2>&1 || true
    update-rc.d "${service%.*}" disable >/dev/null 2>&1 || true
    say "the unit $service came with its package; it is not started, and disabled"
  done
}

ensure_programs() { # table
  rows=$(missing_of "$1")
  [ -n "$rows" ] || return 0
  found=$(distribution)
  if [ "$found" != debian ] || ! have apt-get; then
    explain_missing "$rows" "$found" >&2
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    die "missing: $(printf '%s\n' "$rows" | column 1)- installing them needs root: sudo sh scripts/setup.sh"
  fi
  # shellcheck disable=SC2046
  install_programs $(printf '%s\n' "$rows" | column 2)
  changed=yes
  rows=$(missing_of "$1")
  [ -z "$rows" ] || die "apt reported success, yet these are still not found: $(printf '%s\n' "$rows" | column 1)"
}

# --- npm packages and compiled JavaScript -----------------------------------------------------------------------

# What node_modules is made from; the stamp is written last, so an interrupted npm ci is seen.
fingerprint() { printf '%s %s\n' "$(cksum <package-lock.json)" "$(uname -m)"; }

ensure_packages() {
  stamp=node_modules/.gantry-stamp
  wanted=$(fingerprint)
  [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ] || return 0
  have npm || die 'npm is not installed: apt-get install npm, or Node.js from your distribution'
  system_node=$(PATH=${PATH#*:} node --version 2>/dev/null | sed 's/^v//') || system_node=
  [ -n "$system_node" ] || die "npm needs a Node.js to run on, version $oldest_node or newer; none is on the PATH"
  [ "${system_node%%.*}" -ge "$oldest_node" ] || die "npm needs Node.js $oldest_node or newer to run on, this is $system_node"
  say 'installing the npm packages of package-lock.json (npm ci)'
  # No install script is needed: the native parts come as prebuilt packages.
  PATH=${PATH#*:} npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
  pinned=$(node_modules/.bin/node --version) ||
    die "the Node.js that npm brought does not run here ($(uname -m)): Gantry needs Linux with glibc on x86-64 or arm64"
  say "Node.js for Gantry: $pinned"
  printf '%s\n' "$wanted" >"$stamp"
  changed=yes
}

compile() {
  [ -x node_modules/.bin/tsc ] || die 'node_modules has no TypeScript: remove node_modules and run this again'
  tsc -b || die 'the sources do not compile (above)'
}

# --- main -------------------------------------------------------------------------------------------------------

[ "$(uname -s)" = Linux ] || die 'Gantry runs on Linux'
changed=no
case ${1:-all} in
  all) ensure_programs "$programs" ;;
  bench) ensure_programs "$programs$bench_programs" ;;
  test)
    ensure_programs "$programs"
    if [ "$(distribution)" = debian ] && [ "$(id -u)" = 0 ]; then
      ( ensure_programs "$docker_programs" ) || say 'the tests of the Docker engine will be skipped'
      ( ensure_programs "$builder_programs" ) || say 'the test of images that Buildah and Podman build will be skipped'
    fi
    if [ -z "${SKIP_VM:-}" ] && [ "$(uname -m)" = x86_64 ] && [ "$(distribution)" = debian ] && [ "$(id -u)" = 0 ]; then
      ( ensure_programs "$vm_programs" ) || say 'the tests that need a virtual machine will be skipped'
    fi
    ;;
  packages) ;;
  *) die "unknown argument $1: give none, packages, bench or test" ;;
esac
if have flock; then exec 9<"$root" && flock 9; fi # two at once in this folder: the second waits
ensure_packages
[ "${1:-all}" = packages ] || compile
[ "$changed" = no ] || say 'ready'
