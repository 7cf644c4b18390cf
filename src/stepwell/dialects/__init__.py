"""The interfaces of other products and our own: their words, status codes and quirks; no rules, no storage."""
