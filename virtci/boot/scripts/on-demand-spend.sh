#!/bin/bash
# Takes the registration out of the way: the agent has it, and nobody else may.
set -euo pipefail
. "${0%/*}/lib.sh"

spend "$VIRTCI_REGISTRATION_SECRET"
