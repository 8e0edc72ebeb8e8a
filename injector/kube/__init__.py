"""JSON to and from the API server: get, create, replace, apply, watch, lease. Knows nothing of injection.

The only room that knows kubernetes-asyncio, of which its configuration, authentication and HTTP session are
used. Its models drop unknown fields, its watch loses events and its election loses leaders; those are ours.
Importing ``injector.kube.client`` costs a third of a second; nothing imports it before it is needed.
"""
