"""Our entry at the API server: which CA it trusts, where the CA comes from, and keeping it so.

Independent of pods. The modules that decide (`plan`, `self_signed`, `webhook_configuration`) use neither
cluster nor clock; the loops use both.
"""
