#!/bin/sh
# Keeps the command line, then becomes the program. A power cut ends everything, this program too, before it runs.
IFS=SEPARATOR
line="NAME$IFS$*$IFS"
printf '%s\036\n' "$line" >>/sandbox/commands
if [ -s /sandbox/power-cut ]; then
  read -r pattern </sandbox/power-cut || true
  case $line in *"$pattern"*)
    : >/sandbox/power-cut
    kill -9 -1
    kill -9 $$
    ;;
  esac
fi
exec TARGET "$@"
