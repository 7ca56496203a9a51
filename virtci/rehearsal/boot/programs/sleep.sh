#!/bin/sh
# Time passes at once, or as fast as the sandbox says: in thousandths of a second for each second.
case $1 in '' | *[!0-9]*)
  echo "sleep: the stand-in takes whole seconds, not $*" >&2
  exit 1
  ;;
esac
echo "$1" >>/sandbox/slept
if [ -e /sandbox/pace ]; then
  read -r pace </sandbox/pace
  thousandths=$(($1 * pace))
  exec /usr/bin/sleep "$((thousandths / 1000)).$(printf %03d $((thousandths % 1000)))"
fi
