#!/bin/sh
# Prints what this machine really has, as one JSON document: kernel, CPU, devices that open, QEMU, libvirt, and the
# hypervisor that follows from them. Usage: probe.sh mshv|kvm|emulation (what was declared).
# PROBE_HOST is the name to report, PROBE_ROOT where the machine's root directory is seen (both for pods).
# Needs a POSIX shell, sed, tr and uname; changes nothing; fails only when it cannot be asked that way.
set -eu

declared=${1:?"usage: probe.sh mshv|kvm|emulation"}
root=${PROBE_ROOT:-}

case $declared in
mshv | kvm | emulation) ;;
*)
  echo "probe.sh: $declared is not a hypervisor; one of mshv, kvm, emulation" >&2
  exit 2
  ;;
esac

quoted() {
  printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"
}

quoted_or_null() {
  if [ -n "$1" ]; then quoted "$1"; else printf null; fi
}

quoted_list() {
  separator=
  printf '['
  for item in "$@"; do
    printf '%s' "$separator"
    quoted "$item"
    separator=,
  done
  printf ']'
}

# Why a device is of no use; empty when it opens. It exists long before it works: the driver decides at open().
device_error() {
  if [ ! -e "$root/dev/$1" ]; then
    echo 'no such device'
  elif ! message=$( (: <>"$root/dev/$1") 2>&1); then
    printf '%s' "$message" | sed -n '$s/.*: //p' | tr '[:upper:]' '[:lower:]'
  fi
}

# What is wrong with a device, for a person.
complaint() {
  if [ -e "$root/dev/$1" ]; then echo "/dev/$1 exists but does not open ($2)"; else echo "there is no /dev/$1"; fi
}

device() {
  exists=false
  opens=false
  [ ! -e "$root/dev/$1" ] || exists=true
  [ -n "$2" ] || opens=true
  printf '"%s":{"exists":%s,"opens":%s,"error":%s}' "$1" "$exists" "$opens" "$(quoted "$2")"
}

cpu_flags() {
  flags=$(sed -n '/^flags/{s/.*: //p;q;}' /proc/cpuinfo)
  found=
  for flag in $flags; do
    case $flag in vmx | svm | hypervisor) found="$found $flag" ;; esac
  done
  # shellcheck disable=SC2086  # a list of words
  quoted_list $found
}

qemu() {
  for program in qemu-system-x86_64 /usr/libexec/qemu-kvm; do
    version=$("$program" --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p') || continue
    [ -n "$version" ] || continue
    accelerators=$("$program" -accel help 2>/dev/null | sed -n '/^[a-z0-9]*$/p')
    # shellcheck disable=SC2086  # a list of words
    printf '{"version":"%s","accelerators":%s}' "$version" "$(quoted_list $accelerators)"
    return
  done
  printf null
}

libvirt() {
  for program in libvirtd virtqemud virsh; do
    version=$("$program" --version 2>/dev/null | sed -n '1s/^[^0-9]*\([0-9][0-9.]*\).*/\1/p') || continue
    [ -z "$version" ] || break
  done
  quoted_or_null "$version"
}

kernel=$(uname -r)
mshv_error=$(device_error mshv)
kvm_error=$(device_error kvm)

hypervisor=emulation
[ -n "$kvm_error" ] || hypervisor=kvm
[ -n "$mshv_error" ] || hypervisor=mshv

reason=
if [ "$declared" = mshv ] && [ -n "$mshv_error" ]; then
  case $kernel in
  *mshv*) why="the host exposes no L1VH to this machine" ;;
  *) why="the image is not a dom0qemu image, or the host exposes no L1VH" ;;
  esac
  reason="declared mshv, found $hypervisor: $(complaint mshv "$mshv_error"); $why (kernel $kernel)"
elif [ "$declared" = kvm ] && [ -n "$kvm_error" ]; then
  why="the size has no nested virtualization, or the kernel no KVM"
  reason="declared kvm, found $hypervisor: $(complaint kvm "$kvm_error"); $why (kernel $kernel)"
fi

memory=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)

printf '{"version":1,"host":%s,"kernel":%s,"architecture":%s,"cpuFlags":%s,"memoryMiB":%s,' \
  "$(quoted "${PROBE_HOST:-$(uname -n)}")" "$(quoted "$kernel")" "$(quoted "$(uname -m)")" "$(cpu_flags)" "$((memory / 1024))"
printf '"devices":{%s,%s},' "$(device mshv "$mshv_error")" "$(device kvm "$kvm_error")"
printf '"qemu":%s,"libvirt":%s,' "$(qemu)" "$(libvirt)"
printf '"hypervisor":"%s","declared":"%s","reason":%s}\n' "$hypervisor" "$declared" "$(quoted "$reason")"
