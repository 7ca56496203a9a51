"""A rehearsed Kubernetes: the real control plane and scheduler, with kwok in the place of kubelets."""
