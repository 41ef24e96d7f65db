"""What people and scripts do at a shell: run a command as a step, report a step, watch a session.

The parts, from the pure to the practical::

    plain      text that comes from elsewhere, made fit for a terminal and for a page
    run        a command as a step: its outcome is the step's
    held       what a reader has of a session, and what has changed in it
    step       one report
    follow     a session by its stream, and by polling where that brings nothing
    watch      what that finds, in the form that was asked for
    terminal   one of these forms, drawn live by rich
    commands   the command line of these, which imports each when it is called

They are clients of the server: nothing in here imports it.
"""
