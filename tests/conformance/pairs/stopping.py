"""One user stops the test, another is in the middle of something."""

import gevent
from locust import HttpUser, constant, task


class Stopper(HttpUser):
    wait_time = constant(0.1)
    turns = 0

    @task
    def stop_at_the_third(self):
        self.turns += 1
        self.client.get(f"/Stopper/{self.turns}")
        if self.turns == 3:
            # `raise StopTest` ends no more than this user in Locust 2.47.
            gevent.spawn(self.environment.runner.quit)
            # Until the stop has reached this user, so that no further turn begins.
            gevent.sleep(2)

    def on_stop(self):
        self.client.get("/Stopper/stops")


class Bystander(HttpUser):
    wait_time = constant(30)

    @task
    def once(self):
        self.client.get("/Bystander/waits")

    def on_stop(self):
        self.client.get("/Bystander/stops")
