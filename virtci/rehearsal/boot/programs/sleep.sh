#!/bin/sh
# Time passes at once.
case $1 in '' | *[!0-9]*)
  echo "sleep: the stand-in takes whole seconds, not $*" >&2
  exit 1
  ;;
esac
echo "$1" >>/sandbox/slept
