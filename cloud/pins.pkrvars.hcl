// What images hold beside Ubuntu's packages and the agent, whose pin GitHub itself gives (`virtci images inputs`).
// The checksum is kubernetes-sigs/kubespray's, roles/kubespray_defaults/vars/main/checksums.yml, 2026-08-21; Kubernetes
// publishes the same beside the binary: https://dl.k8s.io/release/v1.34.11/bin/linux/amd64/kubectl.sha256
// Vagrant has no pin: who chooses the part gives vagrant_version and vagrant_sha256 (releases.hashicorp.com, SHA256SUMS).

kubectl_version = "1.34.11"
kubectl_sha256  = "8efbb9435132a190920eb65a47a8c1ecf755ad85ab57a600c9bedbab460bb7a8"
