"""A clock that jumps, ahead or back: work goes on, and nothing is lost."""

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.trees import content
from tests.faults.disks import frozen
from tests.faults.jumping import JumpingDaemon

DAY = 86_400.0


@pytest.mark.parametrize("jump", [-400 * DAY, -3600.0, 3600.0, 400 * DAY])
def test_changes_and_conflicts_across_a_jump(jump: float):
    """What is made before, during and after it arrives; differing edits are kept."""
    with JumpingDaemon("A", "B") as daemon:
        daemon.write("A", "edited", b"one")
        daemon.write("A", "deleted", b"one")
        daemon.converged()

        daemon.jump(jump)
        daemon.write("A", "edited", b"two, later")
        daemon.path("B", "deleted").unlink()
        daemon.write("B", "made", b"new")
        daemon.converged()
        assert daemon.read("B", "edited") == b"two, later"
        assert daemon.read("A", "deleted") is None

        daemon.stop_entry("B")
        daemon.write("A", "edited", b"A's edit")
        daemon.write("B", "edited", b"and B's edit")
        daemon.jump(0)
        daemon.start_entry("B")
        daemon.converged()
        assert {b"A's edit", b"and B's edit"} <= set(daemon.contents("A"))
        daemon.jump(jump)
        daemon.restart()
        daemon.write("B", "afterwards")
        daemon.arrives("A", "afterwards")
        daemon.converged()


def test_what_waits_to_be_tried_again_does_not_wait_for_the_clock():
    """Set back by a year: what failed shortly before is tried again soon."""
    with JumpingDaemon("A", "B") as daemon:
        daemon.write("A", "closed/first", b"old")
        daemon.converged()
        daemon.tolerated += ["closed/"]
        with frozen(daemon.path("B", "closed")):
            daemon.write("A", "closed/first", content(100))
            wait_for(lambda: daemon.file("closed/first").get("state") == "blocked")
            daemon.jump(-400 * DAY)

        daemon.arrives("B", "closed/first", content(100), within=60)
        daemon.converged()
