"""Prints what Locust's two clients make of targets, as `scenarios/src/client/target/golden.tsv` has it.

Each line: the path as a locustfile writes it, the name that HttpUser gives it and asks for, and what FastHttpUser asks for; all three
as JSON, so that every character can be in them. A dash stands where the client raises instead.

    target/tmp/locust/bin/python tests/conformance/targets.py > scenarios/src/client/target/golden.tsv
"""

import json
import random

from geventhttpclient.url import URL
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.util.url import _encode_target

HOST = "http://127.0.0.1:8000"

# Every printable ASCII character and some others, each in path and query.
CHARACTERS = [chr(code) for code in range(0x01, 0x80)] + list("äé€日😀\u00a0\u2028ÿ")
# What real applications ask for.
REAL = [
    "/",
    "",
    "/?",
    "?x=1",
    "/concepts?ecl=<250637003|Plasma level|",
    '/?filter={"a":1}',
    "/items?ids[]=1&ids[]=2",
    "/items?filter[name]=x&sort=-age",
    "/odata/Users(1)?$filter=name eq 'Ada'&$select=Id,Name",
    "/search?q=C++ & C#",
    "/search?q=100%",
    "/search?q=100%25",
    "/search?q=100% sure",
    "/search?q=100%&page=%20",
    "/search?q=100%zz",
    "/search?q=a%2fb%2Fc",
    "/search?q=%7e%7Euser%41",
    "/~user/*.txt",
    "/path;v=1/sub;w=2?x;y",
    "/a%20b/c d",
    "/a%20b/100%",
    "/%E4%e4/ä",
    "/Straße/日本語?q=日本",
    "/@me/users/o'neil",
    "/a:b/c,d/e=f&g!h$i(j)k*l+m",
    "/win\\path\\x?y=a\\b",
    "/graphql?query={user(id:1){name,friends{id}}}",
    "/render?target=movingAverage(a.b.{c,d},5)&from=-1h",
    "/^caret/`tick`?x=^`",
    '/"quoted"?x="y"',
    "/frag?x=1#part",
    "/frag#part?x=1",
    "/x?a=1?b=2",
    "/x??",
    "/x?#",
    "/x/?/y/../z",
    "/a/../b",
    "/a/./b",
    "/a/b/..",
    "/a/b/.",
    "/a/b/../",
    "/..",
    "/../../x",
    "/a/..//b",
    "/a//b",
    "/a/.../b",
    "/.hidden/..hidden/x..",
    "/a/%2e%2e/b",
    "/a/%2E/b",
    "/a%2F..%2Fb",
    "/tab\there",
    "/line\nbreak",
    "/x?y=\t\n",
    "/x ",
    "/x?y ",
    "/x?y= ",
    "/x#",
    "/%",
    "/%%",
    "/%%20",
    "/%2",
    "/%2?x=%2",
    "/%zz",
    "/%zz?x=%20",
    "/%20?x=%zz",
    "/%é",
    "/x?next=http://other/path?a=b&c=d",
    "/x?next=http%3A%2F%2Fother%2F",
    "/http://other/",
    "/x?time=12:00:00+01:00",
    "/x?email=a@b.example",
    "/x?a=b;c=d",
    "/x?=&&=",
]
# Pieces of which random targets are made.
PIECES = "/ / / a b ~ . .. ./ ../ % %2 %20 %41 %7e %7E %c3%a4 %C3%A4 %2F %25 %zz ? & = ; : @ ! $ ' ( ) * + , [ ] { } | < > \" ^ ` \\ # ä € 😀".split() + [" "]


def targets():
    yield from REAL
    for character in CHARACTERS:
        yield f"/x{character}y"
        yield f"/x?q={character}y"
    draw = random.Random(6265)
    for _ in range(400):
        yield "/" + "".join(draw.choices(PIECES, k=draw.randint(1, 9)))


def http_user(path):
    request = PreparedRequest()
    try:
        request.prepare_url(HOST + path, None)
        asked = HTTPAdapter().request_url(request, {})
        asked = _encode_target(asked)
    except Exception:
        return "-"
    # An adapter does away with slashes at the start that could be taken for a host; the name keeps them.
    assert asked.lstrip("/") == request.path_url.lstrip("/"), (path, asked, request.path_url)
    return json.dumps(request.path_url)


def fast_http_user(path):
    try:
        asked = URL(HOST + path).quoted_uri
    except Exception:
        return "-"
    return json.dumps(asked if asked.startswith("/") else "/" + asked)


print("# Made by tests/conformance/targets.py from requests 2.34.2, urllib3 2.8.0 and geventhttpclient 2.6.1.")
for path in dict.fromkeys(targets()):
    print(json.dumps(path), http_user(path), fast_http_user(path), sep="\t")
