"""The rules of the policy pack, each against resources that keep it and resources that break it."""
