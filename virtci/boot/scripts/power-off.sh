#!/bin/bash
# Powers the machine off, after a last word that gets no more than three minutes. Usage: power-off.sh deadline|ended.
timeout --kill-after=10 180 "${0%/*}/last-word.sh" "$1"
systemctl poweroff
