"""Cookies: which the client keeps, and to which addresses it sends them."""

from urllib.parse import quote

from locust import FastHttpUser, HttpUser, task
from locust.exception import StopUser

COOKIES = [
    "everywhere=1; Path=/",
    "deep=2; Path=/BASE/deep",
    "elsewhere=3; Path=/elsewhere",
    "default_path=4",
    "ended=5; Path=/; Max-Age=0",
    "past=6; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "lasting=7; Path=/; Max-Age=3600",
    "secure=8; Path=/; Secure",
    "http_only=9; Path=/; HttpOnly",
    "foreign=10; Path=/; Domain=example.com",
    "equals=a=b; Path=/",
    "strict=11; Path=/; SameSite=Strict",
    "changed=old; Path=/",
    "changed=new; Path=/",
    "removed=12; Path=/",
    "removed=; Path=/; Max-Age=0",
]


def eat_all(user):
    name = type(user).__name__
    for cookie in COOKIES:
        user.client.get(f"/{name}/set/one?cookie={quote(cookie.replace('BASE', name), safe='')}", name=f"/{name}/set")
    for path in ["", "deep", "deep/er", "deeper", "set/two"]:
        user.client.get(f"/{name}/{path}")
    elsewhere = user.host.replace("127.0.0.1", "localhost")
    user.client.get(f"{elsewhere}/{name}/other-host", name=f"/{name}/other-host")
    raise StopUser()


class CookiesHttp(HttpUser):
    @task
    def once(self):
        eat_all(self)


class CookiesFast(FastHttpUser):
    @task
    def once(self):
        eat_all(self)
