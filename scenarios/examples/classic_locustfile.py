"""A classic locustfile. Its port to Greylag is classic.rs, beside it."""

from locust import HttpUser, between, task


class Visitor(HttpUser):
    weight = 3
    wait_time = between(1, 3)

    def on_start(self):
        self.client.post("/login", data={"username": "ada", "password": "lovelace"})

    @task(3)
    def index(self):
        self.client.get("/")

    @task(2)
    def article(self):
        for article in range(1, 4):
            self.client.get(f"/articles/{article}", name="/articles/[id]")

    @task
    def search(self):
        self.client.get("/search", params={"q": "wild goose", "page": 2})

    @task
    def profile(self):
        with self.client.get("/profile", catch_response=True) as response:
            if response.status_code == 404:
                response.success()

    @task
    def old_page(self):
        self.client.get("/old")

    @task
    def cart(self):
        with self.client.post("/cart", json={"article": 7}, catch_response=True) as response:
            if response.json()["items"] == 0:
                response.failure("the cart is empty")

    def on_stop(self):
        self.client.get("/logout")


class Editor(HttpUser):
    wait_time = between(1, 3)

    @task
    def save(self):
        self.client.put("/articles/7", json={"title": "Greylag"})

    @task
    def remove(self):
        self.client.delete("/articles/8")

    @task
    def broken(self):
        self.client.get("/broken")

    @task
    def statistics(self):
        response = self.client.get("/statistics", headers={"X-Role": "editor"})
        response.json()["views"]
