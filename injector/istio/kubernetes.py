"""The minor version of Kubernetes (k8s.io/api) with whose types each minor of Istio was built."""

from __future__ import annotations

from typing import Final

from injector.istio.facts import NEWEST, form, modules, source_in

_locked = source_in("Gopkg.lock")

BUILT_WITH: Final = (
    form(10, 0, 0, _locked("kubernetes-1.10")),
    form(11, 1, 1, _locked("4e7be11eab3ffcfc1876898b8272df53785a9504")),
    form(13, 2, 3, modules(r"k8s.io/api v0.0.0-20190222213804")),
    form(16, 4, 4, modules(r"k8s.io/api v0.0.0-20191003000013")),
    form(17, 5, 5, modules(r"k8s.io/api v0\.17\.")),
    form(18, 6, 7, modules(r"k8s.io/api v0\.18\.")),
    form(19, 8, 8, modules(r"k8s.io/api v0\.19\.")),
    form(20, 9, 10, modules(r"k8s.io/api v0\.20\.")),
    form(21, 11, 11, modules(r"k8s.io/api v0\.21\.")),
    form(22, 12, 12, modules(r"k8s.io/api v0\.22\.")),
    form(24, 13, 15, modules(r"k8s.io/api v0\.24\.")),
    form(25, 16, 16, modules(r"k8s.io/api v0\.25\.")),
    form(26, 17, 17, modules(r"k8s.io/api v0\.26\.")),
    form(27, 18, 18, modules(r"k8s.io/api v0\.27\.")),
    form(28, 19, 20, modules(r"k8s.io/api v0\.28\.")),
    form(29, 21, 21, modules(r"k8s.io/api v0\.29\.")),
    form(30, 22, 23, modules(r"k8s.io/api v0\.30\.")),
    form(31, 24, 24, modules(r"k8s.io/api v0\.31\.")),
    form(32, 25, 25, modules(r"k8s.io/api v0\.32\.")),
    form(33, 26, 27, modules(r"k8s.io/api v0\.33\.")),
    form(34, 28, 28, modules(r"k8s.io/api v0\.34\.")),
    form(35, 29, 30, modules(r"k8s.io/api v0\.35\.")),
    form(36, 31, NEWEST, modules(r"k8s.io/api v0\.36\.")),
)
