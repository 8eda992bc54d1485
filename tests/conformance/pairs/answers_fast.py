"""Every answer of the byte-for-byte server, read by FastHttpUser."""

from answers import TIMEOUT_S, walk
from locust import FastHttpUser, task


class AnswersFast(FastHttpUser):
    network_timeout = TIMEOUT_S

    @task
    def once(self):
        walk(self)
