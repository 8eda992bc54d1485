"""Tasks in a row, some of them tagged: which are left shows in what is asked."""

from locust import HttpUser, SequentialTaskSet, tag, task
from locust.exception import StopUser

REQUESTS = 12


class Tagged(HttpUser):
    asked = 0

    def say(self, what):
        if self.asked == REQUESTS:
            raise StopUser()
        self.asked += 1
        self.client.get(f"/Tagged/{what}")

    @task
    class Tour(SequentialTaskSet):
        @task
        def plain(self):
            self.user.say("plain")

        @tag("a")
        @task
        def only_a(self):
            self.user.say("a")

        @tag("a", "b")
        @task
        def a_and_b(self):
            self.user.say("a-b")

        @tag("c")
        @task
        class Inner(SequentialTaskSet):
            @task
            def inner(self):
                self.user.say("c")

            @tag("a")
            @task
            def inner_a(self):
                self.user.say("c-a")
                self.interrupt()

        @tag("b")
        @task(2)
        def twice_b(self):
            self.user.say("b")
