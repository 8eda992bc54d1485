"""Every status there is, as the server's only answer or (1xx) before it."""

from locust import FastHttpUser, HttpUser, task
from locust.exception import StopUser

FINAL = [*range(200, 600), 600, 799, 999]
INTERIM = [100, 102, 103, 104, 150, 199]


def ask_for_all(user):
    name = type(user).__name__
    for status in FINAL:
        # One name for a hundred, so that there are not more endpoints than a report should have.
        user.client.get(f"/{name}/status/{status}", name=f"/{name}/{status // 100}xx")
    for status in INTERIM:
        user.client.get(f"/{name}/interim/{status}")
    raise StopUser()


class StatusesHttp(HttpUser):
    @task
    def once(self):
        ask_for_all(self)


class StatusesFast(FastHttpUser):
    @task
    def once(self):
        ask_for_all(self)
