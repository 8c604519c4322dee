"""How long a page of files takes while changes come in."""

import http.client
import time

from tests.benchmarks.ours import Placed
from tests.benchmarks.plan import Plan, Result, spread
from tests.benchmarks.restarting import stock
from tests.benchmarks.workshop import Workshop
from tests.benchmarks.writer import writing

RATE = 100
"""Changes a second."""
LIMIT = 20
WARM_UP = 5


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return the spread for the first page and for one far behind, by turns."""
    many = stock(workshop, plan)
    requests = plan.pick(1000, 50)
    offsets = (0, many.files * 9 // 10)
    times: dict[int, list[float]] = {offset: [] for offset in offsets}
    with many.running() as daemon:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
        with writing(daemon.folder("A") / "busy", RATE):
            for number in range(WARM_UP + requests):
                for offset in offsets:
                    took = _page(connection, offset)
                    times[offset] += [took] * (number >= WARM_UP)
        connection.close()
        _assert_fed(daemon, many.files)
    return Result(
        f"GET /files?limit={LIMIT} of {many.files:,}, {RATE} changes a second",
        [{"offset": offset, **spread(taken)} for offset, taken in times.items()],
    )


def _page(connection: http.client.HTTPConnection, offset: int) -> float:
    begin = time.perf_counter()
    connection.request("GET", f"/api/v1.0/files?limit={LIMIT}&offset={offset}")
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - begin
    assert answer.status == 200, answer.status
    return took


def _assert_fed(daemon: Placed, before: int) -> None:
    daemon.until_settled()
    assert daemon.status()["files"] > before, "nothing changed meanwhile"
