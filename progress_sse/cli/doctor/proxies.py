"""The proxies that stand before servers: how their answers show them, and the setting behind each trouble. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.cli.doctor.observations import Headers, values_of

Trouble: TypeAlias = Literal[
    "buffering", "compression", "silence", "caching", "request header", "response header", "query", "methods", "http2"
]
"""Events held back; streams compressed; streams cut while silent; answers stored; a header removed on its way to the
server, or from it; the query removed; methods refused; no HTTP/2."""


class Proxy(NamedTuple):
    """A kind of proxy.

    Attributes:
        signs: Headers, each with a pattern of its value, by which it shows itself. Some show nothing by default.
        silence_s: Seconds without a byte after which it cuts an answer, by default; `None`: no limit.
        settings: What to change; `{header}` stands for the header.
    """

    name: str
    signs: tuple[tuple[str, str], ...]
    silence_s: float | None
    settings: Mapping[Trouble, str]


PROXIES: Final = (
    Proxy(
        "nginx",
        (("server", "nginx|openresty"),),
        60,
        {
            "buffering": "`proxy_buffering off`, or no `proxy_ignore_headers X-Accel-Buffering`",
            "compression": "no `text/event-stream` in `gzip_types` and `brotli_types`",
            "silence": "`proxy_read_timeout` well above the heartbeat",
            "caching": "`proxy_cache off`, and no `proxy_ignore_headers Cache-Control`",
            "request header": "no `proxy_set_header {header}`",
            "response header": "no `proxy_hide_header {header}` and no `add_header {header}`",
            "query": "`$is_args$args` at the end of a `proxy_pass` with variables",
            "methods": "no `limit_except`, or one with all methods",
            "http2": "`http2 on` beside `listen 443 ssl`",
        },
    ),
    Proxy(
        "Caddy",
        (("server", "caddy"), ("via", r"\bcaddy")),
        None,
        {
            "buffering": "`flush_interval -1` in `reverse_proxy`, and no `response_buffers`",
            "compression": "a `match` in `encode` without text/event-stream",
            "silence": "no `read_timeout` in `transport http`, and no `write` in the `timeouts` of `servers`",
            "caching": "a matcher of `cache` without /api/",
            "request header": "no `header_up {header}` and no `request_header {header}`",
            "response header": "no `header_down {header}` and no `header {header}`",
            "query": "`?{{query}}` in the target of `rewrite`",
            "methods": "a matcher of `respond` or `reverse_proxy` with all methods",
            "http2": "`h2` among the `protocols` of `servers`",
        },
    ),
    Proxy(
        "Traefik",
        (("server", "traefik"), ("via", r"\btraefik")),
        None,
        {
            "buffering": "no `buffering` middleware, and a short `responseForwarding.flushInterval` of the service",
            "compression": "text/event-stream among the `excludedContentTypes` of the `compress` middleware",
            "silence": "`respondingTimeouts.writeTimeout: 0` of the entry point",
            "caching": "no plug-in that caches /api/",
            "request header": "no `customRequestHeaders.{header}` in a `headers` middleware",
            "response header": "no `customResponseHeaders.{header}` in a `headers` middleware",
            "query": "a `redirectRegex` that keeps the query",
            "methods": "no `Method(…)` in the router's rule",
            "http2": "`h2` among the `alpnProtocols` of the TLS options",
        },
    ),
    Proxy(
        "HAProxy",
        (("server", "haproxy"), ("via", r"\bhaproxy")),
        None,
        {
            "buffering": "`option http-no-delay`, and no `http-response wait-for-body`",
            "compression": "no `text/event-stream` in `compression type`",
            "silence": "`timeout server` and `timeout client` well above the heartbeat",
            "caching": "no `http-request cache-use` for /api/",
            "request header": "no `http-request del-header {header}`",
            "response header": "no `http-response del-header {header}` and no `http-response add-header {header}`",
            "query": "no `http-request set-query`, and `set-path` in place of `set-uri`",
            "methods": "no `http-request deny` by `method`",
            "http2": "`alpn h2,http/1.1` on the line `bind`",
        },
    ),
    Proxy(
        "Apache",
        (("server", "apache"), ("via", r"\bapache")),
        60,
        {
            "buffering": "`flushpackets=on` at `ProxyPass`, and no `SetOutputFilter BUFFER`",
            "compression": "`SetEnvIf Request_URI /events$ no-gzip`",
            "silence": "`ProxyTimeout` well above the heartbeat",
            "caching": "`CacheDisable` for /api/",
            "request header": "no `RequestHeader unset {header}`",
            "response header": "no `Header unset {header}` and no `Header add {header}`",
            "query": "no `?` at the end of the target of `RewriteRule`",
            "methods": "no `<Limit>`, or one with all methods",
            "http2": "`Protocols h2 http/1.1`",
        },
    ),
    Proxy(
        "Cloudflare",
        (("server", "cloudflare"), ("cf-ray", "")),
        100,
        {
            "buffering": "Response Buffering off, and no feature that rewrites bodies for this path",
            "compression": "a Compression Rule that disables compression for this path",
            "silence": "a `heartbeat_s` of the server well below the 100 s after which it gives up",
            "caching": "a Cache Rule that bypasses the cache for this path",
            "request header": "no Transform Rule that removes the request header {header}",
            "response header": "no Transform Rule that changes the response header {header}",
            "query": "no Transform Rule that rewrites the query",
            "methods": "no WAF rule by method for this path",
            "http2": "HTTP/2 on in the settings of the zone",
        },
    ),
    Proxy(
        "a CDN",
        (("via", r"varnish|cloudfront|\bgoogle|akamai|fastly"), ("x-varnish", ""), ("x-served-by", "cache-")),
        60,
        {
            "buffering": "streaming of responses for this path, as by `beresp.do_stream` of Varnish",
            "compression": "no compression of text/event-stream",
            "silence": "the timeout of its origin well above the heartbeat",
            "caching": "a rule that passes this path to the origin",
            "request header": "{header} among the headers that go to the origin",
            "response header": "no rule that changes the header {header}",
            "query": "the query among the parts of the URL that go to the origin",
            "methods": "all methods among those that go to the origin",
            "http2": "HTTP/2 on for the site",
        },
    ),
)

_OFTEN_SILENT: Final = PROXIES[:5]
"""Those that an answer need not show."""


def proxies_in(headers: Headers) -> list[Proxy]:
    """Return the proxies that show themselves in the headers of an answer."""
    return [proxy for proxy in PROXIES if any(_shows(headers, *sign) for sign in proxy.signs)]


def _shows(headers: Headers, name: str, pattern: str) -> bool:
    return any(re.search(pattern, value, re.IGNORECASE) for value in values_of(headers, name))


def remedy(trouble: Trouble, headers: Headers, header: str = "") -> str:
    """Return the settings to change: those of the proxies that the answer shows, or of all that may be hidden."""
    proxies: Sequence[Proxy] = proxies_in(headers) or _OFTEN_SILENT
    return "; ".join(f"{proxy.name}: {proxy.settings[trouble].format(header=header)}" for proxy in proxies) + "."
