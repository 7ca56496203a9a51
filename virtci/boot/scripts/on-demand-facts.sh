#!/bin/bash
# Asks the metadata service for what the scripts need to know of this machine. What its tags say of its end goes before
# what it was made with: a machine that was kept comes back for another while, and for people alone.
set -euo pipefail
. "${0%/*}/lib.sh"

facts=$(find_facts)
deadline=$(own_tag deadline)
kept=$(own_tag keep-until)
if [ -n "$deadline" ]; then date --utc --date "$deadline" +%s >"$RUN/deadline" || rm -f "$RUN/deadline"; fi
printf '%s\nkept=%s\n' "$facts" "$kept" >"$FACTS"
