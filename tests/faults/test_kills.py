"""kill -9 in a storm, again and again: trees end equal, and nothing is lost.

How many kills, and of which storm, can be asked for: see "make soak".
"""

import os
import random

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.faults.storm import KEEPS_ALL, Storm, temporary

KILLS = int(os.environ.get("SYNCD_SOAK_KILLS", "30"))
SEED = int(os.environ.get("SYNCD_SOAK_SEED", "0")) or random.randrange(1 << 30)


@pytest.mark.timeout(120 + 10 * KILLS)
def test_killed_again_and_again_in_a_storm():
    """Supervisor, children or all at once, at any moment: nothing that was written
    is lost, no process, descriptor or temporary file stays behind."""
    print(f"SYNCD_SOAK_SEED={SEED} SYNCD_SOAK_KILLS={KILLS}")
    chance = random.Random(SEED)
    settings = {"A": KEEPS_ALL, "B": KEEPS_ALL}
    with Daemon("A", "B", settings=settings) as daemon:
        daemon.tolerated += ["died", "killed", "refused", "vanished", "changed"]
        storm = Storm(daemon, SEED)
        with storm:
            for _ in range(KILLS):
                storm.go_on(chance.randrange(5, 60))
                strike(daemon, chance)
        assert storm.done > 10 * KILLS
        if daemon.process is None:
            daemon.start()

        daemon.converged(within=300)
        assert not storm.lost()
        assert not temporary(daemon)
        before = descriptors(daemon)
        daemon.write("A", "afterwards")
        daemon.arrives("B", "afterwards")
        wait_for(lambda: max(descriptors(daemon).values()) < 100, within=60)
        assert before.keys() == descriptors(daemon).keys()


def strike(daemon: Daemon, chance: random.Random) -> None:
    """Kill something; what was killed as a whole is started again."""
    match chance.randrange(4):
        case 0:
            daemon.kill()
            daemon.start()
        case 1:
            daemon.kill_supervisor()
            daemon.start()
        case _:
            entry = chance.choice(daemon.entries)
            if daemon.has_child(entry):
                daemon.kill_child(entry)
            else:
                daemon.kill_supervisor()
                daemon.start()


def descriptors(daemon: Daemon) -> dict[int, int]:
    """Return how many descriptors each of its processes has."""
    return {process.pid: process.num_fds() for process in daemon.processes()}
