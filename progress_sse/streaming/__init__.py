"""From a commit to a stream: the hub hands each change to its subscribers, and a stream writes it."""
