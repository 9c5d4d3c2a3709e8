"""Text is its own value: with this, Schemathesis holds these answers against their schemas too."""

import schemathesis


@schemathesis.deserializer("text/plain", "text/html", "text/csv")
def text(_context, response):
    return response.text
