"""What people and scripts do at a shell: run a command as a step, report a step, watch a session.

The parts, from the pure to the practical::

    plain      text that comes from elsewhere, made fit for a terminal and for a page
    run        a command as a step: its outcome is the step's
    step       one report
    commands   the command line of these, which imports each when it is called

They are clients of the server: nothing in here imports it.
"""
