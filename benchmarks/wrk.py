"""wrk, a load generator in C: it takes a small part of the time that any of the services takes for a request.

apt install wrk
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

_SCRIPT = """\
local paths, at = {}, 0
for path in io.lines("%s") do paths[#paths + 1] = path end
math.randomseed(%d)
at = math.random(#paths)
request = function()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at])
end
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("measured %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed))
end
"""


@dataclass(frozen=True)
class Wrk:
    """One period of load. `rate`: replies per second. `p50`, `p99`: milliseconds. `failed`: not 2xx, or no reply."""

    n_requests: int
    rate: float
    p50: float
    p99: float
    failed: int


def saturate(
    port: int, paths: Sequence[str], *, seconds: float, connections: int, core: int | None = None, seed: int = 1
) -> Wrk:
    """As many of `paths` as are answered, from a random one on. Raises RuntimeError if wrk is missing or fails."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is not installed; expected it on PATH: apt install wrk")
    with TemporaryDirectory() as folder:
        listed, script = Path(folder) / "paths", Path(folder) / "paths.lua"
        listed.write_text("\n".join(paths))
        script.write_text(_SCRIPT % (listed, seed))
        pin = [] if core is None else ["taskset", "-c", str(core)]
        how = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(script)]
        said = subprocess.run([*pin, *how, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=False)
    found = re.search(r"^measured (\d+) (\d+) (\d+) (\d+) (\d+)$", said.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk failed: {said.stdout}{said.stderr}")
    n, microseconds, p50, p99, failed = map(int, found.groups())
    return Wrk(n, 1e6 * n / microseconds, p50 / 1e3, p99 / 1e3, failed)
