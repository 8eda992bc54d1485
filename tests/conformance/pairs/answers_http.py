"""Every answer of the byte-for-byte server, read by HttpUser."""

from answers import TIMEOUT_S, walk
from locust import HttpUser, task


class AnswersHttp(HttpUser):
    @task
    def once(self):
        walk(self, timeout=TIMEOUT_S)
