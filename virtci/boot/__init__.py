"""What runs on machines."""
