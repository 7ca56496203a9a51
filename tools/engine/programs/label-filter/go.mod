module virt-ci/tools/engine/programs/label-filter

go 1.25.0

require github.com/onsi/ginkgo/v2 v2.34.0

require github.com/Masterminds/semver/v3 v3.4.0 // indirect
