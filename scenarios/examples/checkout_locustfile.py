"""Customers from a file, who buy step by step: a sequence with a nested look around the shop.

Its port to Greylag is checkout.rs, beside it.
"""

import csv
import itertools
import pathlib

from locust import HttpUser, SequentialTaskSet, TaskSet, constant, constant_pacing, tag, task

with open(pathlib.Path(__file__).parent / "checkout_customers.csv", encoding="utf-8") as file:
    customers = itertools.cycle(list(csv.DictReader(file)))


class Checkout(SequentialTaskSet):
    def on_start(self):
        self.basket = []
        self.client.get("/shop")

    @task
    class LookAround(TaskSet):
        wait_time = constant(0.1)

        @tag("browse")
        @task(3)
        def product(self):
            with self.client.get("/products/next", catch_response=True) as response:
                self.parent.basket.append(response.json()["id"])

        @tag("browse")
        @task
        def enough(self):
            if self.parent.basket:
                self.interrupt()

    @tag("payment")
    @task
    def address(self):
        self.client.put("/address", json={"name": self.user.customer["name"], "country": self.user.customer["country"]})

    @tag("payment")
    @task
    def pay(self):
        with self.client.post(
            "/orders",
            json={"products": self.basket, "card": self.user.customer["card"]},
            catch_response=True,
        ) as response:
            if response.status_code == 402 and not self.user.customer["card"]:
                response.success()

    @tag("payment")
    @task
    def receipt(self):
        self.client.get(f"/orders/of/{self.user.customer['name']}", name="/orders/of/[customer]")
        self.basket.clear()


class Customer(HttpUser):
    wait_time = constant_pacing(0.5)
    tasks = [Checkout]

    def on_start(self):
        self.customer = next(customers)
        self.client.post("/session", data={"name": self.customer["name"]})

    def on_stop(self):
        self.client.delete("/session")
