# Builds the runner image of one cloud, and looks at a machine made from it. `inputs.pkrvars.json` is made from the stack file.
VIRTCI ?= $(or $(shell command -v virtci),../../.venv/bin/virtci)
STACK ?= kontain
IMAGE_VERSION ?=
PACKER_FLAGS ?=
INPUTS = inputs.pkrvars.json
VAR_FILES = -var-file=../pins.pkrvars.hcl -var-file=$(INPUTS)
PACKER_URL = https://developer.hashicorp.com/packer/install

.PHONY: help L0BaseImage L0-image canary version inputs tools init clean
help:  ## list the targets
	@grep -hE '^[A-Za-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

L0BaseImage: init  ## build a version of the image (IMAGE_VERSION=YYYY.MM.N; default: the next one)
	packer build -color=false -only='image.*' $(VAR_FILES) $(PACKER_FLAGS) .

L0-image: L0BaseImage  ## the same, by its old name

canary: version init  ## make a machine from a version, look at it, delete it; leaves build/seen.json
	packer build -color=false -only='canary.*' $(VAR_FILES) $(PACKER_FLAGS) .

version:
	@test -n "$(IMAGE_VERSION)" || { echo "say which version: make $(MAKECMDGOALS) IMAGE_VERSION=YYYY.MM.N (virtci images list)" >&2; exit 1; }

init: tools inputs
	packer init .

inputs:  ## what the stack file says, as variables of Packer (needs GITHUB_TOKEN: GitHub tells the agent's checksum)
	@test -x "$(VIRTCI)" || { echo "$@: there is no virtci; run: make -C ../.. setup" >&2; exit 1; }
	@"$(VIRTCI)" images inputs $(CLOUD) --stack $(STACK) $(if $(IMAGE_VERSION),--version $(IMAGE_VERSION)) > $(INPUTS).part
	@mv $(INPUTS).part $(INPUTS)

tools:
	@command -v packer > /dev/null || { echo "packer is not on PATH; get it from $(PACKER_URL)" >&2; exit 1; }
	@for program in $(firstword $(LOGIN)) $(PROGRAMS); do command -v $$program > /dev/null \
	  || { echo "$$program is not on PATH; docs/images.md says where it is from" >&2; exit 1; }; done
	@$(LOGIN) > /dev/null || { echo "$(LOGIN_FIX)" >&2; exit 1; }

clean:  ## delete what builds leave here
	rm -rf build $(INPUTS) $(INPUTS).part
