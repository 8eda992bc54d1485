"""Editors who create, read, change and remove notes through a JSON API.

Its port to Greylag is rest_crud.rs, beside it.
"""

import random

from locust import FastHttpUser, between, task
from locust.exception import RescheduleTask


class Editor(FastHttpUser):
    wait_time = between(0.2, 0.6)
    default_headers = {"X-Client": "editor"}

    def on_start(self):
        self.notes = []
        self.create()

    def any_note(self):
        if not self.notes:
            raise RescheduleTask()
        return random.choice(self.notes)

    @task(4)
    def create(self):
        with self.rest("POST", "/notes", json={"title": "Migration", "pages": 3}) as response:
            if response.status_code != 201:
                response.failure(f"not created: {response.status_code}")
            else:
                self.notes.append(response.js["id"])

    @task(6)
    def read(self):
        note = self.any_note()
        with self.rest("GET", f"/notes/{note}", name="/notes/[id]") as response:
            if response.js and response.js["id"] != note:
                response.failure("another note came back")

    @task(3)
    def change(self):
        # The service answers with a redirect to the note: one sample, judged by where it ends.
        self.client.put(f"/notes/{self.any_note()}", json={"title": "Wintering"}, name="/notes/[id]")

    @task(2)
    def remove(self):
        note = self.any_note()
        self.notes.remove(note)
        self.client.delete(f"/notes/{note}", name="/notes/[id]")
        with self.client.get(f"/notes/{note}", name="/notes/[id] (removed)", catch_response=True) as response:
            if response.status_code == 404:
                response.success()
            else:
                response.failure("a removed note is still there")

    @task(2)
    def search(self):
        with self.rest("GET", "/notes?title=Migration", name="/notes?title=") as response:
            if response.js is not None and not isinstance(response.js, list):
                response.failure("not a list of notes")

    @task
    def missing(self):
        self.client.get("/notes/0")

    @task
    def export(self):
        # Written for people: no JSON, which is a failure for rest().
        with self.rest("GET", "/notes/export"):
            pass
