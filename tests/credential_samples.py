"""Texts that carry credentials, and similar ones that carry none."""

from typing import Final

CARRYING: Final = [
    "https://user:hunter2@psa.example",
    "https://hunter2@psa.example/",
    "HTTPS://user:hunter2@psa.example",
    "ftp://user:hunter2@x",
    "postgresql://user:hunter2@/db",
    "redis://:hunter2@x:6379",
    "//user:hunter2@x",
    "https:user:hunter2@x",
    "https:/user:hunter2@x",
    "https:\\\\user:hunter2@x",
    "ht\ttps://user:hunter2@x",
    "https://user:hun\nter2@x",
    "https://user:hun/ter2@x",
    "https://user%3Ahunter2@x",
    "see https://user:hunter2@x for more",
    "user:hunter2@x",
    "jdbc:postgresql://x/db?user=a&password=hunter2",
    "https://x/?api_key=hunter2",
    "https://x/?a=1&access_token=hunter2",
    "https://x/#token=hunter2",
    "https://x/?sv=1&sig=hunter2",
    "https://x/?key=hunter2",
    "Server=x;User Id=u;Password=hunter2;",
    "Endpoint=sb://x/;SharedAccessKey=hunter2",
    "AccountKey=hunter2",
]


INNOCENT: Final = [
    "https://psa.example:8443/api/v1?site=1&page=2",
    "https://x:443/@scope/pkg",
    "https://x/users/a@b.example",
    "https://x/?mail=a@b.example",
    "https://x?at=a@b",
    "a@b.example",
    "mailto:a@b.example",
    "sip:a@b.example",
    "Office: see a@b.example",
    "https://x/?key=&token=&q=1",
    "a=b",
    "monkey=1",
    "C:\\data\\x",
    "@",
    "",
]
