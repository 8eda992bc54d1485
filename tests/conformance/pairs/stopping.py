"""One user stops the test, another is in the middle of something."""

from locust import HttpUser, constant, task
from locust.exception import StopTest


class Stopper(HttpUser):
    wait_time = constant(0.1)
    turns = 0

    @task
    def stop_at_the_third(self):
        self.turns += 1
        self.client.get(f"/Stopper/{self.turns}")
        if self.turns == 3:
            raise StopTest("three turns are enough")

    def on_stop(self):
        self.client.get("/Stopper/stops")


class Bystander(HttpUser):
    wait_time = constant(30)

    @task
    def once(self):
        self.client.get("/Bystander/waits")

    def on_stop(self):
        self.client.get("/Bystander/stops")
