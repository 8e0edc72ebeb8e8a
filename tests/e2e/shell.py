"""The commands of a page, run as they stand there against an API server without nodes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conftest import PATIENCE, ROOT

KUBECTL = """\
#!/bin/sh
# There are no nodes: nothing can be forwarded, rolled out or read from a container.
case " $* " in
*" port-forward "* | *" rollout status "*) exit 0 ;;
*" logs "*) exec cat {log} ;;
esac
exec {kubectl} "$@"
"""
PROGRAM = """\
#!/bin/sh
PYTHONPATH={root} exec {python} -m injector "$@"
"""


def steps(page: Path) -> dict[str, list[str]]:
    """Return the commands of each section of a page, a block each; those before the first are under ""."""
    found: dict[str, list[str]] = {}
    # What stands between fences is a file's content and no command.
    written = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for section in re.split(r"^## ", f"## \n{written}", flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", text, re.MULTILINE)
        found[title.strip()] = [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks]
    return found


class Shell:
    """bash in ``folder`` with kubectl, sidecar-injector and what else is given on its PATH.

    ``log`` is what `kubectl logs` shows, ``replaced`` what of a page stands for something here.
    """

    def __init__(self, kube: Any, folder: Path, log: Path, programs: Mapping[str, str] | None = None) -> None:
        self.kube = kube
        self.folder = folder
        self.replaced: dict[str, str] = {}
        self._bin = folder / "bin"
        self._bin.mkdir()
        scripts = {
            "kubectl": KUBECTL.format(log=log, kubectl=kube.assets / "kubectl"),
            "sidecar-injector": PROGRAM.format(root=ROOT, python=sys.executable),
            **(programs or {}),
        }
        for name, script in scripts.items():
            (self._bin / name).write_text(script)
            (self._bin / name).chmod(0o755)

    def run(self, block: str) -> str:
        """Return what a block of commands says; the first that fails is an error."""
        for there, here in self.replaced.items():
            block = block.replace(there, here)
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{self._bin}:{os.environ['PATH']}",
                "KUBECONFIG": str(self.kube.kubeconfig),
                "HOME": str(self.folder),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert result.returncode == 0, f"{block}\n{result.stdout}{result.stderr}"
        return result.stdout
