"""How long `import qsc` takes over bare Python, and `qsc --help`.

python benchmarks/startup.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from measure import wall_seconds


def main() -> None:
    bare = wall_seconds([sys.executable, "-c", "pass"])
    package = wall_seconds([sys.executable, "-c", "import qsc"])
    command = wall_seconds([str(Path(sys.executable).with_name("qsc")), "--help"])
    print(f"bare python      {bare * 1e3:7.1f} ms")
    print(f"import qsc       {(package - bare) * 1e3:7.1f} ms over bare python   (limit 50)")
    print(f"qsc --help       {command * 1e3:7.1f} ms                    (limit 250)")


if __name__ == "__main__":
    main()
