"""Our entry at the API server: which CA it trusts, where it comes from, and keeping it so. Knows no pod.

What decides (`plan`, `self_signed`, `webhook_configuration`) has neither cluster nor clock; the loops
have both.
"""
