"""What a template can read and call."""
