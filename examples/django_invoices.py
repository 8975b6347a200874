"""A list of invoices, on Django under ASGI. The trap: an async view renders a long page on the event loop.

    loopstall watch examples/django_invoices.py

starts it, sends it a few visitors and ends. With --serve it runs until Ctrl-C. The way out is a plain `def` view, which
Django runs in a thread, and a page of fifty invoices instead of all.
"""

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.urls import path
from visitors import serve

settings.configure(ALLOWED_HOSTS=["localhost"], ROOT_URLCONF=__name__, SECRET_KEY="only an example")  # noqa: S106
django.setup()

PAGE = Engine().from_string(
    "<table>{% for invoice in invoices %}<tr><td>{{ invoice.number }}</td>"
    "<td>{{ invoice.customer|title }}</td><td>{{ invoice.total|floatformat:2 }}</td></tr>{% endfor %}</table>"
)
INVOICES = [{"number": number, "customer": "ann example", "total": number * 1.19} for number in range(10_000)]


async def invoices(_: HttpRequest) -> HttpResponse:
    """Shows all invoices."""
    return HttpResponse(PAGE.render(Context({"invoices": INVOICES})))  # the trap: ten thousand rows, one after another


async def health(_: HttpRequest) -> HttpResponse:
    """Says that the service is well, as fast as the loop lets it."""
    return HttpResponse("ok")


urlpatterns = [path("invoices", invoices), path("health", health)]

if __name__ == "__main__":
    serve(get_asgi_application(), ("/health", b""), ("/invoices", b""))
