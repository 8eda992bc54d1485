"""Redirects: what is sent to where, and with what."""

from urllib.parse import quote

from locust import FastHttpUser, HttpUser, task
from locust.exception import StopUser

CODES = [301, 302, 303, 307, 308]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# Locations as the server writes them; HERE and ELSEWHERE are the same server under two names.
LOCATIONS = [
    "landed",
    "../landed",
    "?only=query",
    "/absolute/path#fragment",
    "HERE/whole/url",
    "ELSEWHERE/other/host",
    "//HOST/without/scheme",
    "/with%20escapes/%C3%A4",
    "/with space",
]
HEADERS = {"Authorization": "Bearer secret", "Content-Type": "text/plain"}


def follow_all(user):
    name = type(user).__name__
    headers = {**HEADERS, "X-User": name}
    for code in CODES:
        for method in METHODS:
            body = "body" if method in ("POST", "PUT", "PATCH") else None
            url = f"/{name}/{code}?to=/{name}/landed/{code}/{method}"
            user.client.request(method, url, data=body, headers=headers, name=f"/{name}/{code}", allow_redirects=True)
    for location in LOCATIONS:
        url = f"/{name}/302/from/here?to={quote(location, safe='')}"
        user.client.get(url, headers=headers, name=f"/{name}/to {location}")
    for code in [300, 304, 305, 306]:
        user.client.get(f"/{name}/{code}?to=/{name}/never", name=f"/{name}/{code}")
    user.client.get(f"/{name}/302?to=/{name}/never", name=f"/{name}/not followed", allow_redirects=False)
    user.client.head(f"/{name}/302?to=/{name}/never", name=f"/{name}/not followed")
    user.client.get(f"/{name}/chain/5", name=f"/{name}/chain")
    user.client.get(f"/{name}/loop", name=f"/{name}/loop")
    user.client.get(f"/{name}/302?to=/{name}/status/500", name=f"/{name}/to an error")
    user.client.get(f"/{name}/302?to=/{name}/close/before", name=f"/{name}/to nothing")
    raise StopUser()


class RedirectsHttp(HttpUser):
    @task
    def once(self):
        follow_all(self)


class RedirectsFast(FastHttpUser):
    @task
    def once(self):
        follow_all(self)
