"""The other end of `measure`: runs one case in this interpreter and prints its laps as JSON."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict

from benchmarks.stopwatch import Stopwatch


def main() -> None:
    """`python -m benchmarks.child module:function '{"argument": …}'`"""
    target, arguments = sys.argv[1:]
    module, _, name = target.partition(":")
    stopwatch = Stopwatch()
    facts = getattr(importlib.import_module(module), name)(stopwatch, **json.loads(arguments))
    print(json.dumps({"laps": [asdict(lap) for lap in stopwatch.laps], "facts": facts or {}}))


if __name__ == "__main__":
    main()
