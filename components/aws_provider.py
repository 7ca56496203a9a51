"""The program's provider for AWS, pinned: what a laptop happens to be logged into is no input."""

import pulumi_aws as aws


def aws_provider(region: str, account: str = "") -> aws.Provider:
    """The provider for a region; with an account, it works in no other one."""
    return aws.Provider("aws", region=region, allowed_account_ids=[account] if account else None)
