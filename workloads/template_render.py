"""A page that is rendered."""

from functools import lru_cache

import jinja2

from loopstall import workload

_SOURCE = """<table>{% for row in rows %}
<tr><td>{{ row }}</td><td>{{ (row * seed) % 97 }}</td><td>{{ "%05d"|format(row) }}</td></tr>{% endfor %}
</table>{{ seed }}"""


@lru_cache(maxsize=2)
def _template(*, is_async: bool) -> jinja2.Template:
    return jinja2.Environment(autoescape=True, enable_async=is_async).from_string(_SOURCE)


@workload(params={"rows": [2000]}, on_request=True)
def template_render(seed: int, *, rows: int) -> str:
    """A table of HTML from a Jinja2 template.

    Stands for server-side pages, e-mails and reports. It is pure Python: threads do not help. The async version,
    `render_async`, awaits what the template awaits, and this one awaits nothing: it blocks the loop just as long.
    A right answer has every row and the seed.
    """
    return _template(is_async=False).render(rows=range(rows), seed=seed)


@template_render.async_version()
async def _(seed: int, *, rows: int) -> str:
    return await _template(is_async=True).render_async(rows=range(rows), seed=seed)


@template_render.verify
def _(result: object, seed: int, *, rows: int) -> bool:
    text = str(result)
    return text.count("<tr>") == rows and text.endswith(f"</table>{seed}")
