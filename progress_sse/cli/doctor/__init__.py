"""`progress-sse doctor`: what the way from a browser to the server does to streams and polls, in words.

`examination` and `network` make the requests and fill `observations`. Each check is a pure function from these to a
finding; `checks` has the table. `proxies` knows which setting of which proxy is behind a fault.
"""
