"""Talk JSON with the API server: get, create, replace, apply, watch, lease. Independent of injection.

The only room that uses kubernetes-asyncio, and of it configuration, authentication and HTTP session only. Its
models drop unknown fields, its watch loses events and its election loses leaders; we have our own. Importing
``injector.kube.client`` takes a third of a second; nothing imports it before it is needed.
"""
