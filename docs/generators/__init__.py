"""The generators of the pages that follow from the code, a module for each page, and of `llms.txt`.

A page that another page describes by hand is not among them: the protocol, and the tracker.
"""
