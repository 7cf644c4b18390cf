"""The client under the interfaces of training libraries. Each file imports its library, and none is imported here."""
