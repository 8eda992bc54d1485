"""Members sign in, carry a token and a session cookie, and sign out; strangers do not get in.

Its port to Greylag is login_journey.rs, beside it.
"""

import itertools
import random

from locust import FastHttpUser, HttpUser, between, task

members = itertools.count(1)


class Member(HttpUser):
    weight = 3
    wait_time = between(0.5, 1.5)

    def on_start(self):
        self.name = f"member-{next(members)}"
        response = self.client.post("/login", json={"user": self.name, "password": "swordfish"})
        self.carry(response)

    def carry(self, response):
        self.client.headers["Authorization"] = f"Bearer {response.json()['token']}"

    @task(5)
    def timeline(self):
        for page in range(1, 3):
            self.client.get("/timeline", params={"page": page}, name="/timeline")

    @task(3)
    def message(self):
        number = random.randint(1, 50)
        self.client.get(f"/messages/{number}", name="/messages/[id]")

    @task
    def write(self):
        self.client.post("/messages", json={"from": self.name, "text": "See you at the lake"})

    @task
    def renew_token(self):
        self.carry(self.client.post("/token"))

    def on_stop(self):
        self.client.post("/logout")


class Stranger(FastHttpUser):
    wait_time = between(1, 2)

    @task(2)
    def front_page(self):
        self.client.get("/")

    @task
    def wrong_password(self):
        with self.client.post(
            "/login", json={"user": "nobody", "password": "guess"}, name="/login (wrong)", catch_response=True
        ) as response:
            if response.status_code == 401:
                response.success()
            else:
                response.failure(f"let in with a wrong password: {response.status_code}")

    @task
    def members_only(self):
        self.client.get("/timeline", name="/timeline (stranger)")
