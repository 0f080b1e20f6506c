"""What the service answers instead of doing as asked: status, error name and text as AWS words them."""

import json


class Refusal(Exception):
    """A request or stream turned down in the service's own words.

    Args:
        status: HTTP status, used while no response has begun.
        code: error name as in `x-amzn-errortype`, such as "ValidationException".
        message: the text for the client; never holds transcript text, keys or signatures.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def exception_type(self) -> str:
        """Return the name of the in-stream exception: the error name with a small first letter."""
        return self.code[:1].lower() + self.code[1:]

    def body(self) -> bytes:
        """Return the JSON body of the HTTP error."""
        return json.dumps({"message": self.message}).encode()

    def headers(self, request_id: str) -> list[tuple[str, str]]:
        """Return the headers of the HTTP error, apart from the status."""
        return [
            ("content-type", "application/json"),
            ("content-length", str(len(self.body()))),
            ("x-amzn-requestid", request_id),
            ("x-amzn-errortype", self.code),
        ]


def validation(message: str) -> Refusal:
    """Return a ValidationException (HTTP 400)."""
    return Refusal(400, "ValidationException", message)
