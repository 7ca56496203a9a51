#!/bin/sh
# The real clock, and what was slept.
slept=0
while read -r seconds; do slept=$((slept + seconds)); done </sandbox/slept
exec /usr/bin/date --date "@$(($(/usr/bin/date +%s) + slept))" "$@"
