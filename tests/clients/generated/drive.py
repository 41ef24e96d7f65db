"""Reports a job by a generated client and follows it: `python drive.py URL`, with the client beside it on the path."""

import sys
from uuid import uuid4

from progress_client import Client
from progress_client.api.sessions import create_session, get_session, report_update
from progress_client.api.streams import follow_session
from progress_client.models import Applied, CreateBody, Problem, Session, UpdateBody, UpdateBodyAction


def main(url: str) -> None:
    client = Client(base_url=url)
    created = create_session.sync("python", client=client, body=CreateBody(total_steps=2))
    assert isinstance(created, Session), created
    for step in (1, 2):
        for action in (UpdateBodyAction.START, UpdateBodyAction.COMPLETE):
            body = UpdateBody(action=action, step=step)
            applied = report_update.sync("python", client=client, body=body, idempotency_key=str(uuid4()))
            assert isinstance(applied, Applied), applied
        session = get_session.sync("python", client=client)
        assert isinstance(session, Session), session
        sys.stdout.write(f"{session.status} {session.percentage} {session.steps[-1].status}\n")
    refused = report_update.sync("python", client=client, body=UpdateBody(action=UpdateBodyAction.BEAT, step=9))
    assert isinstance(refused, Problem), refused
    sys.stdout.write(f"{refused.type_}\n")
    stream = follow_session.sync("python", client=client)
    assert isinstance(stream, str), stream
    sys.stdout.writelines(f"{line}\n" for line in stream.splitlines() if line.startswith("event: "))


if __name__ == "__main__":
    main(sys.argv[1])
