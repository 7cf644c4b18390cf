"""One use case per function, for every dialect alike: limits, defaults, cursors and the filter language over the store.

No vendor names, no SQL, no status codes here. Everything is synchronous; the store is the first argument.
"""
