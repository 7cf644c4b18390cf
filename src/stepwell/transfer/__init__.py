"""The roads in and out: what other trackers and files hold becomes runs of a server, and runs become files.

All of it goes through the native API of a running server, with the client's connection. Nothing of the server is here.
"""
