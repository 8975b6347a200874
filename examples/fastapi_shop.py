"""A shop with a login, on FastAPI. The trap: every login hashes a password on the event loop.

    loopstall watch examples/fastapi_shop.py

starts it, sends it a few visitors and ends. With --serve it runs until Ctrl-C.
"""

import hashlib
import secrets

from fastapi import FastAPI
from pydantic import BaseModel
from visitors import serve

app = FastAPI()
PRICES = {"tea": 3.5, "coffee": 4.0, "cake": 5.25}


def hash_password(password: str, rounds: int = 800_000) -> bytes:
    """Hashes a password, slowly on purpose: so does anybody who wants to guess it."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), b"a salt of its own", rounds)


STORED = hash_password("open sesame")


class Login(BaseModel):
    """What the login form sends."""

    password: str


@app.get("/prices")
async def prices() -> dict[str, float]:
    """Answers at once, unless somebody logs in at the same time."""
    return PRICES


@app.post("/login")
async def login(form: Login) -> dict[str, bool]:
    """Says whether the password is right."""
    given = hash_password(form.password)  # the trap: nobody else is served until it is hashed
    return {"welcome": secrets.compare_digest(given, STORED)}


if __name__ == "__main__":
    serve(app, ("/prices", b""), ("/login", b'{"password": "open sesame"}'))
