"""Kinds of sources: how records are pulled, one kind a file. ``base`` says what each offers."""
