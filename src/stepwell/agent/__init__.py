"""The agent: how much of its machine a task uses. It measures and hands over; sending is the client's.

Python 3.10 and later, the standard library alone, and nothing of Stepwell's other rooms.
"""
