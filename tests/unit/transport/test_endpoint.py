import pytest

from novadesk.errors import KnownError, Reason
from novadesk.transport.endpoint import Endpoint, bedrock_endpoint, is_loopback, parse_endpoint, parse_gateway
from novadesk.transport.proxy import Proxy, find_proxy

AWS = bedrock_endpoint("us-east-1")
VARIABLE = "HTTPS_PROXY"


@pytest.mark.parametrize(
    ("text", "endpoint", "uri"),
    [
        ("https://host", Endpoint(host="host", port=443, tls=True), "https://host"),
        ("https://host:8443/", Endpoint(host="host", port=8443, tls=True), "https://host:8443"),
        ("http://127.0.0.1:5", Endpoint(host="127.0.0.1", port=5, tls=False), "http://127.0.0.1:5"),
        ("http://[::1]:5", Endpoint(host="::1", port=5, tls=False), "http://[::1]:5"),
        ("http://localhost", Endpoint(host="localhost", port=80, tls=False), "http://localhost"),
    ],
)
def test_addresses(text: str, endpoint: Endpoint, uri: str) -> None:
    assert parse_endpoint(text) == endpoint
    assert endpoint.uri == uri


@pytest.mark.parametrize(
    "text",
    ["", "host", "ftp://host", "http://example.com", "http://10.0.0.1:80", "https://", "https://h:99999",
     "https://user:pw@host", "https://hö.example", "https://a b", "https://host/path", "http://127.0.0.1.example.com", "https://[::1"],
)  # fmt: skip
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(KnownError) as caught:
        parse_endpoint(text)
    assert caught.value.reason is Reason.BAD_SETTINGS


def test_the_service_of_a_region() -> None:
    assert AWS.uri == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert bedrock_endpoint("cn-north-1").host == "bedrock-runtime.cn-north-1.amazonaws.com.cn"


def test_this_computer() -> None:
    assert all(is_loopback(host) for host in ("localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("localhost.example.com", "10.0.0.1", "::2", "", "127.0.0.1.x"))


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("http://p:3128", Proxy(host="p", port=3128, tls=False)),
        ("p:3128", Proxy(host="p", port=3128, tls=False)),
        ("http://p", Proxy(host="p", port=80, tls=False)),
        ("https://p", Proxy(host="p", port=443, tls=True)),
        ("http://me:s%40crt@p:1", Proxy(host="p", port=1, tls=False, authorization="Basic bWU6c0BjcnQ=")),
    ],
)
def test_the_proxy_of_the_environment(address: str, proxy: Proxy) -> None:
    assert find_proxy(AWS, {VARIABLE: address}) == proxy
    assert find_proxy(AWS, {"https_proxy": address, VARIABLE: "http://other"}) == proxy
    assert find_proxy(AWS, {"ALL_PROXY": address}) == proxy
    assert "s@crt" not in repr(find_proxy(AWS, {VARIABLE: address}))
    assert "bWU6" not in repr(find_proxy(AWS, {VARIABLE: address}))


@pytest.mark.parametrize("address", ["socks5://p:1", "http://", "http://p:x"])
def test_what_is_no_http_proxy(address: str) -> None:
    with pytest.raises(KnownError) as caught:
        find_proxy(AWS, {VARIABLE: address})
    assert caught.value.reason is Reason.PROXY_REFUSED


@pytest.mark.parametrize(
    ("exempt", "direct"),
    [
        ("*", True),
        ("amazonaws.com", True),
        (".amazonaws.com", True),
        ("*.amazonaws.com", True),
        ("example.com, AMAZONAWS.com", True),
        ("bedrock-runtime.us-east-1.amazonaws.com:443", True),
        ("bedrock-runtime.us-east-1.amazonaws.com:444", False),
        ("onaws.com", False),
        ("com.example", False),
        ("10.0.0.0/8", False),
        (",", False),
    ],
)
def test_exempt_addresses(exempt: str, direct: bool) -> None:
    assert (find_proxy(AWS, {VARIABLE: "http://p", "NO_PROXY": exempt}) is None) is direct


def test_networks_and_numbers_can_be_exempt() -> None:
    for host, exempt in (("10.1.2.3", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3"), ("fd00::1", "fd00::/8")):
        endpoint = Endpoint(host=host, port=443, tls=True)
        assert find_proxy(endpoint, {VARIABLE: "http://p", "NO_PROXY": exempt}) is None
        assert find_proxy(endpoint, {VARIABLE: "http://p", "NO_PROXY": "11.0.0.0/8"}) is not None


def test_this_computer_is_always_direct() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        assert find_proxy(Endpoint(host=host, port=443, tls=True), {VARIABLE: "http://p"}) is None


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("wss://voice.example.com", "wss://voice.example.com/ws"),
        (" https://voice.example.com/ ", "wss://voice.example.com/ws"),
        ("wss://voice.example.com:8443/team/", "wss://voice.example.com:8443/team/ws"),
        ("wss://voice.example.com/team/ws", "wss://voice.example.com/team/ws"),
        ("ws://127.0.0.1:8001", "ws://127.0.0.1:8001/ws"),
        ("http://localhost:8001/ws", "ws://localhost:8001/ws"),
        ("ws://[::1]:8001", "ws://[::1]:8001/ws"),
    ],
)
def test_addresses_of_a_gateway(text: str, url: str) -> None:
    assert parse_gateway(text)[1] == url


@pytest.mark.parametrize(
    "text",
    ["", " ", "voice.example.com", "ftp://host", "wss://", "wss://me@host", "wss://host?token=x", "wss://host#x",
     "wss://host:99999", "ws://voice.example.com", "http://voice.example.com", "wss://a b"],
)  # fmt: skip
def test_no_addresses_of_a_gateway(text: str) -> None:
    with pytest.raises(KnownError) as caught:
        parse_gateway(text)
    assert caught.value.reason is Reason.BAD_SETTINGS
    assert "[backend] gateway" in caught.value.advice
