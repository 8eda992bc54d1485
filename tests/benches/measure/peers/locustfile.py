"""The users of the comparison. Locust reads every body."""

import os

from locust import FastHttpUser, HttpUser

METHOD, PATH, BODY = (os.environ[name] for name in ("PEERS_METHOD", "PEERS_PATH", "PEERS_BODY"))
HEADERS = {"Content-Type": "application/json"}


def request(user):
    if METHOD == "POST":
        user.client.post(PATH, data=BODY, headers=HEADERS)
    else:
        user.client.get(PATH)


class Fast(FastHttpUser):
    insecure = True
    tasks = [request]


class Full(HttpUser):
    tasks = [request]

    def on_start(self):
        self.client.verify = False
