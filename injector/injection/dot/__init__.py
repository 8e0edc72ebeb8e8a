"""What a template can see and call."""
