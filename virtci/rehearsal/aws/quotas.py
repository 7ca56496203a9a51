"""Service Quotas, of which moto knows those of networks only: here it tells the quota that the instances are held against.

Source: Service Quotas API Reference, GetServiceQuota, as of 2026-08.
"""

import json
from typing import TYPE_CHECKING

from moto.servicequotas.responses import ServiceQuotasResponse

from virtci.rehearsal.aws.hooks import Hooks
from virtci.rehearsal.aws.wire import Asked

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

STANDARD_QUOTA = "L-1216C47A"


class QuotasResponse(ServiceQuotasResponse):  # type: ignore[misc]  # moto's code that has no types
    """Moto's, with the quota of On-Demand Standard instances."""

    def get_service_quota(self) -> str:
        """`GetServiceQuota`."""
        wanted = json.loads(self.body)
        if (wanted["ServiceCode"], wanted["QuotaCode"]) != ("ec2", STANDARD_QUOTA):
            return str(super().get_service_quota())
        limit = self.backend.standard_vcpus
        return json.dumps({"Quota": {**wanted, "Value": float(limit), "Unit": "None", "Adjustable": True}})


def quota(aws: "Aws", asked: Asked) -> Asked:
    """Tells moto what the account is like."""
    aws.backend("servicequotas", asked.region).standard_vcpus = aws.scenario.limit(asked.region)
    return asked


HOOKS = Hooks(before={"servicequotas:GetServiceQuota": quota})
