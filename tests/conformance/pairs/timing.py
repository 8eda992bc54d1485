"""When tasks begin, and how often each is picked."""

from locust import (
    FastHttpUser,
    HttpUser,
    MarkovTaskSet,
    TaskSet,
    between,
    constant,
    constant_pacing,
    constant_throughput,
    task,
    transitions,
)
from locust.exception import StopUser

# Enough for the mix to mean something, and soon done, so that the paced users have the machine.
PICKS = 1500


class Paced(HttpUser):
    wait_time = constant_pacing(0.5)

    @task
    def beat(self):
        self.client.get("/Paced/beat")


class Overrun(HttpUser):
    """One answer takes longer than two turns."""

    wait_time = constant_pacing(0.5)
    beats = 0

    @task
    def beat(self):
        self.beats += 1
        self.client.get("/Overrun/stalls" if self.beats == 3 else "/Overrun/beat")


class Throughput(HttpUser):
    wait_time = constant_throughput(4)

    @task
    def beat(self):
        self.client.get("/Throughput/beat")


class Constant(HttpUser):
    wait_time = constant(0.3)

    @task
    def beat(self):
        self.client.get("/Constant/beat")


class Between(HttpUser):
    wait_time = between(0.1, 0.4)

    @task
    def beat(self):
        self.client.get("/Between/beat")


class PacedSet(HttpUser):
    wait_time = constant(30)

    @task
    class Set(TaskSet):
        wait_time = constant_pacing(0.4)

        @task
        def beat(self):
            self.client.get("/PacedSet/beat")


class Mix(FastHttpUser):
    picks = 0

    def pick(self, what):
        if self.picks == PICKS:
            raise StopUser()
        self.picks += 1
        self.client.get(f"/Mix/{what}")

    @task
    def one(self):
        self.pick("one")

    @task(2)
    def two(self):
        self.pick("two")

    @task(7)
    def seven(self):
        self.pick("seven")


class Walk(FastHttpUser):
    picks = 0

    def pick(self, what):
        if self.picks == PICKS:
            raise StopUser()
        self.picks += 1
        self.client.get(f"/Walk/{what}")

    @task
    class Set(MarkovTaskSet):
        @transitions({"shelf": 3, "till": 1})
        def door(self):
            self.user.pick("door")

        @transitions(["door", ("till", 2)])
        def shelf(self):
            self.user.pick("shelf")

        @transitions(["door"])
        def till(self):
            self.user.pick("till")


class Interrupted(HttpUser):
    """In the middle of a nested task set when the run ends."""

    wait_time = constant(0.2)

    def say(self, what):
        self.client.get(f"/Interrupted/{what}")

    @task
    class Outer(TaskSet):
        @task
        class Inner(TaskSet):
            @task
            def beat(self):
                self.user.say("beat")

            def on_stop(self):
                self.user.say("inner-stops")

        def on_stop(self):
            self.user.say("outer-stops")

    def on_stop(self):
        self.say("user-stops")
