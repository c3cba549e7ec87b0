"""A DBOS workflow of steps that do nothing, one after the other.

Usage: dbos_steps.py URL STEPS ROUNDS. Prints, a line a round, the seconds that its steps took.
"""

import logging
import sys
import time

from dbos import DBOS, DBOSConfig

url, steps, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

config: DBOSConfig = {
    "name": "bench",
    "system_database_url": url,
    "run_admin_server": False,
    "log_level": "ERROR",
}
DBOS(config=config)
logging.disable(logging.WARNING)


@DBOS.step()
def step(number: int) -> int:
    return number


@DBOS.workflow()
def workflow(count: int) -> float:
    started = time.perf_counter()
    for number in range(count):
        step(number)
    return time.perf_counter() - started


DBOS.launch()
workflow(10)
for _ in range(rounds):
    print(workflow(steps), flush=True)
DBOS.destroy()
