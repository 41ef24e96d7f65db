"""What a session tells its reader, in the words of the server's page: pure functions of its states and of the time.

`observed_session` keeps the facts about earlier states. The sentences about one state are in `headline`, `failures`,
`life_signs`, `step_words` and `links`; `changes` has the lines between two of them. All texts are in plain text.
"""
