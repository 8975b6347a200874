"""A Flask application with a light and a heavy route, for gunicorn."""

from flask import Flask

from loopstall.servers import handshake

__all__ = ["app"]

app = Flask(__name__)
_work = handshake.read().job()


@app.get("/light")
def light() -> str:
    """Answers at once."""
    return "done"


@app.get("/heavy")
def heavy() -> str:
    """Does a job."""
    from flask import request

    _work(int(request.args["seed"]))
    return "done"


handshake.ready()
