"""The provider of one cluster."""

import pulumi_kubernetes as kubernetes


def cluster_provider(environment: str) -> kubernetes.Provider:
    """The provider for the cluster of the kubeconfig that the environment variable names.

    An empty `kubeconfig` keeps the SDK from writing that variable into inputs and state; the provider reads it itself.
    With an identifier of the cluster, another kubeconfig for it changes nothing. ConfigMaps are changed in place:
    Prometheus takes up other rules by itself, and a replacement would take them away for a moment.
    """
    return kubernetes.Provider("cluster", kubeconfig="", cluster_identifier=environment, enable_config_map_mutable=True)
