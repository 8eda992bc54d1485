"""Given to Locust beside a locustfile: writes what Locust itself counted, as JSON, to the file named in
LOCUST_REPORT. (Its CSV files miss the last second, and its JSON has no error texts.)

With LOCUST_ENDS_WHEN_IDLE the run is over as soon as every user has ended by itself.
"""

import json
import os

import gevent
from locust import events

# A run begins with no users; it is idle only after it had some.
LOOK_EVERY_S = 0.05


@events.init.add_listener
def on_init(environment, **_):
    users_started = []
    environment.events.spawning_complete.add_listener(lambda **_: users_started.append(True))

    def end_when_idle():
        while not users_started or environment.runner.user_count > 0:
            gevent.sleep(LOOK_EVERY_S)
        environment.runner.quit()

    if "LOCUST_ENDS_WHEN_IDLE" in os.environ:
        gevent.spawn(end_when_idle)

    def write(exit_code, **_):
        runner = environment.runner
        report = {
            "exit_code": exit_code,
            "endpoints": [
                {"method": entry.method, "name": entry.name, "requests": entry.num_requests, "failures": entry.num_failures}
                for entry in runner.stats.entries.values()
            ],
            "errors": [
                {"method": error.method, "name": error.name, "error": error.to_dict()["error"], "occurrences": error.occurrences}
                for error in runner.stats.errors.values()
            ],
            "exceptions": [
                {"message": exception["msg"], "count": exception["count"]} for exception in runner.exceptions.values()
            ],
        }
        with open(os.environ["LOCUST_REPORT"], "w", encoding="utf-8") as file:
            json.dump(report, file)

    environment.events.quit.add_listener(write)
