"""Paths behind a host that has a path, a user and a password of its own."""

from locust import FastHttpUser, HttpUser, task
from locust.exception import StopUser


class JoiningHttp(HttpUser):
    @task
    def once(self):
        for path in ["/JoiningHttp/rooted", "JoiningHttp/bare", "?JoiningHttp=query", ""]:
            self.client.get(path, name=f"JoiningHttp {path}")
        raise StopUser()


class JoiningFast(FastHttpUser):
    @task
    def once(self):
        for path in ["/JoiningFast/rooted", "JoiningFast/bare", "?JoiningFast=query", ""]:
            self.client.get(path, name=f"JoiningFast {path}")
        raise StopUser()
