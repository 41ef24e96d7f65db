"""What a reader sees of a session, in the words of the server's page: pure functions of its states and of the time.

`observed_session` keeps the facts about earlier states. The sentences about one state are in `headline`, `time_left`,
`step_words` and `worker_words`; `changes` has the lines between two of them. All texts are in plain text.
"""
