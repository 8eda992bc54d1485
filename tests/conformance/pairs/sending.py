"""What a request looks like on the wire."""

from locust import FastHttpUser, HttpUser, task
from locust.exception import StopUser


def send_all(user):
    name = type(user).__name__
    client = user.client
    client.get(f"/{name}/get")
    client.get(f"/{name}/own-headers", headers={"X-Own": "1", "Accept": "text/html"})
    client.post(f"/{name}/json", json={"a": 1, "b": ["x", None, True]})
    client.post(f"/{name}/form", data={"user": "ada", "word": "a b&c=d/ü~"})
    client.post(f"/{name}/text", data="plain")
    client.post(f"/{name}/typed", data="<a/>", headers={"Content-Type": "application/xml"})
    client.post(f"/{name}/nothing")
    client.put(f"/{name}/nothing")
    client.patch(f"/{name}/text", data="plain")
    client.delete(f"/{name}/delete")
    client.head(f"/{name}/head")
    client.options(f"/{name}/options")
    client.get(f"/{name}/basic", auth=("ada", "love:lace"))
    client.get(f"/{name}/query", params={"q": "wild goose", "and": "a&b=ü~"})
    client.get(f"/{name}/query?page=1", params={"q": "x"})
    raise StopUser()


class SendingHttp(HttpUser):
    @task
    def once(self):
        send_all(self)


class SendingFast(FastHttpUser):
    @task
    def once(self):
        send_all(self)
