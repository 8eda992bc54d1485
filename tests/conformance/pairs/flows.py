"""Which task follows which, with how many waits between them. Every request says how often its user has waited."""

from locust import HttpUser, MarkovTaskSet, SequentialTaskSet, TaskSet, task, transition
from locust.exception import RescheduleTask, RescheduleTaskImmediately, StopUser


class Flow(HttpUser):
    abstract = True
    waits = 0
    rounds = 0

    def wait_time(self):
        self.waits += 1
        return 0

    def say(self, what):
        path = f"/{type(self).__name__}/{what}"
        self.client.get(f"{path}?waits={self.waits}", name=path)

    def on_start(self):
        self.say("user-starts")

    def on_stop(self):
        self.say("user-stops")


class SequentialFlow(Flow):
    @task
    class Journey(SequentialTaskSet):
        def on_start(self):
            self.user.say("journey-starts")

        @task
        def first(self):
            self.user.say("first")

        @task(2)
        def twice(self):
            self.user.say("twice")

        @task
        class Stop(SequentialTaskSet):
            def on_start(self):
                self.user.say("stop-starts")

            @task
            def look(self):
                self.user.say("look")

            @task
            def leave(self):
                self.user.say("leave")
                self.interrupt()

            def on_stop(self):
                self.user.say("stop-stops")

        @task
        def last(self):
            self.user.say("last")
            self.user.rounds += 1
            if self.user.rounds == 2:
                raise StopUser()

        def on_stop(self):
            self.user.say("journey-stops")


class InterruptFlow(Flow):
    @task
    class Outer(SequentialTaskSet):
        @task
        class AtOnce(TaskSet):
            @task
            def only(self):
                self.user.say("at-once")
                self.interrupt()

        @task
        def between(self):
            self.user.say("between")

        @task
        class AfterAWait(TaskSet):
            @task
            def only(self):
                self.user.say("after-a-wait")
                self.interrupt(reschedule=False)

        @task
        def last(self):
            self.user.say("last")
            self.user.rounds += 1
            if self.user.rounds == 2:
                self.interrupt()
            if self.user.rounds == 3:
                raise StopUser()


class EndingFlow(Flow):
    """The ways a task can end."""

    @task
    class Ways(SequentialTaskSet):
        @task
        def returns(self):
            self.user.say("returns")

        @task
        def reschedules(self):
            self.user.say("reschedules")
            raise RescheduleTask()

        @task
        def reschedules_at_once(self):
            self.user.say("reschedules-at-once")
            raise RescheduleTaskImmediately()

        @task
        def fails(self):
            self.user.say("fails")
            raise ValueError("a task failed")

        @task
        class FailsToStart(TaskSet):
            def on_start(self):
                self.user.say("set-starts")
                raise ValueError("a task set failed to start")

            @task
            def never(self):
                self.user.say("never")

            def on_stop(self):
                self.user.say("set-stops")

        @task
        def stops(self):
            self.user.say("stops")
            raise StopUser()


class DeepStopFlow(Flow):
    @task
    class Outer(TaskSet):
        @task
        class Inner(TaskSet):
            @task
            def stops(self):
                self.user.say("stops")
                raise StopUser()

            def on_stop(self):
                self.user.say("inner-stops")

        def on_stop(self):
            self.user.say("outer-stops")


class OwnWaitFlow(Flow):
    """A task set with a wait time of its own does not ask its user's."""

    @task
    class Patient(SequentialTaskSet):
        own_waits = 0

        def wait_time(self):
            self.own_waits += 1
            return 0

        @task
        def one(self):
            self.user.say(f"one-{self.own_waits}")

        @task
        def two(self):
            self.user.say(f"two-{self.own_waits}")
            self.user.rounds += 1
            if self.user.rounds == 2:
                self.interrupt(reschedule=False)
            if self.user.rounds == 3:
                raise StopUser()


class MarkovFlow(Flow):
    @task
    class Ring(MarkovTaskSet):
        @transition("middle")
        def entrance(self):
            self.user.say("entrance")

        @transition("end")
        def middle(self):
            self.user.say("middle")

        @transition("entrance")
        def end(self):
            self.user.say("end")
            self.user.rounds += 1
            if self.user.rounds == 2:
                raise StopUser()


class StartFails(Flow):
    def on_start(self):
        self.say("user-starts")
        raise ValueError("a user failed to start")

    @task
    def never(self):
        self.say("never")
        raise StopUser()


class StartStops(Flow):
    def on_start(self):
        self.say("user-starts")
        raise StopUser()

    @task
    def never(self):
        self.say("never")


class StopFails(Flow):
    @task
    def stops(self):
        self.say("stops")
        raise StopUser()

    def on_stop(self):
        self.say("user-stops")
        raise ValueError("a user failed to stop")
