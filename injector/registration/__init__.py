"""Our entry at the API server: which CA it trusts, where it comes from, and keeping it so. Knows no pod."""
