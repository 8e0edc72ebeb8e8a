"""A straightforward webhook, as a process: what the injector is compared with.

Each pod's template is rendered to text, PyYAML's C loader parses it, the pod is copied and merged, and the
jsonpatch library compares. The template is the real one, rendered by our engine, which is faster than Jinja2.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import sys
from pathlib import Path
from typing import Any

import jsonpatch
import orjson
import yaml
from aiohttp import web

from benchlib import configurations
from benchlib.servers import serve_https
from injector.budget import Budget
from injector.injection.inject import request_for
from injector.injection.render import template_data


def answerer() -> Any:
    """Return a function from the bytes of a review to those of its answer."""
    snapshot = configurations.named("istio").load().snapshot
    template = snapshot.templates[snapshot.config.default_templates[0]]

    def answer(body: bytes) -> bytes:
        request = orjson.loads(body)["request"]
        pod = request["object"]
        asked = request_for(pod, request["namespace"], request["namespace"], "/inject", snapshot, Budget())
        data = template_data(asked, snapshot, pod)
        text = template.for_pods(usual=data.usual).render(data.fields).text
        merged = merge(copy.deepcopy(pod), yaml.load(text, yaml.CSafeLoader))
        patch = jsonpatch.make_patch(pod, merged).to_string().encode()
        response = {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch"}
        response["patch"] = base64.b64encode(patch).decode()
        return orjson.dumps({"kind": "AdmissionReview", "response": response})

    return answer


def merge(into: Any, overlay: Any) -> Any:
    """Merge an overlay into a pod, lists of named things by name."""
    for key, value in overlay.items():
        there = into.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            merge(there, value)
        elif isinstance(value, list) and isinstance(there, list):
            named = {item.get("name"): item for item in there if isinstance(item, dict)}
            for item in value:
                same = named.get(item.get("name")) if isinstance(item, dict) else None
                if same is None:
                    there.append(item)
                else:
                    merge(same, item)
        else:
            into[key] = value
    return into


async def main(folder: Path) -> None:
    """Serve until interrupted."""
    answer = answerer()

    async def handle(request: web.BaseRequest) -> web.Response:
        return web.Response(body=answer(await request.read()), content_type="application/json")

    await serve_https(folder, handle)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(Path(sys.argv[1])))
