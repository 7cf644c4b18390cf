"""The client: what runs inside a training. It imports nothing of the server, and nothing but the standard library.

Python 3.10 and later. `stepwell` itself gives the public names.
"""
