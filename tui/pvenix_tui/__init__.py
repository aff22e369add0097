"""The full-screen front end: starts runs as processes, follows their files, holds no engine of its own."""
