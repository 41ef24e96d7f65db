"""Checks whether a server keeps the protocol, by conversations with it: `progress-sse conformance`.

`vectors` loads the conversations, `player` has one with a server, `open_stream` keeps a stream open meanwhile,
`stream_rules` checks the bytes of streams, `patterns` compares answers, and `report` says which rules hold.
"""
