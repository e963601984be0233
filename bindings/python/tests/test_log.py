"""Messages of the store: to the logging module, to a function, or to nobody."""

import logging
import sys

import pytest

import estore


def torn(path):
    """A store whose log ends in bytes that are no part of it: appending to it keeps them aside, and says so."""
    with estore.open(path, log=None) as store:
        store.append([(1, b"whole")])
    (log,) = path.glob("*.estore")
    with open(log, "ab") as file:
        file.write(b"torn" * 100)


def test_by_default_to_the_logger_estore(path, caplog):
    torn(path)
    with estore.open(path) as store, caplog.at_level(logging.INFO, "estore"):
        store.append([(2, b"x"), (10**18, b"y")])
        store.delete_before(10**17)
    assert ("estore", logging.WARNING) in [(record.name, record.levelno) for record in caplog.records]
    assert any(record.levelno == logging.INFO and "deleted" in record.getMessage() for record in caplog.records)


def test_to_a_logger_of_your_own(path, caplog):
    torn(path)
    with caplog.at_level(logging.WARNING, "mine"):
        with estore.open(path, log=logging.getLogger("mine")) as store:
            store.append([(2, b"x")])
    assert {record.name for record in caplog.records} == {"mine"}


def test_to_a_function(path):
    torn(path)
    messages = []
    with estore.open(path, log=lambda level, text: messages.append((level, text))) as store:
        store.append([(2, b"x")])
    assert any(level == logging.WARNING and "0-0.estore" in text for level, text in messages)
    assert all(type(level) is int and type(text) is str for level, text in messages)


def test_to_nobody(path, caplog):
    torn(path)
    with caplog.at_level(logging.DEBUG):
        with estore.open(path, log=None) as store:
            store.append([(2, b"x")])
    assert caplog.records == []


def test_what_a_log_function_raises_stays_outside_of_the_library(path, monkeypatch):
    torn(path)
    ignored = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: ignored.append(told.exc_type))

    def log(level, text):
        raise LookupError

    with estore.open(path, log=log) as store:
        store.append([(2, b"x")])
        assert store.count() == 2
    assert ignored and set(ignored) == {LookupError}


def test_a_log_function_must_not_use_its_own_store(path):
    torn(path)
    errors = []

    def log(level, text):
        for use in (store.count, store.close, lambda: store.append([(3, b"x")])):
            with pytest.raises(estore.InvalidError) as raised:
                use()
            errors.append(str(raised.value))

    with estore.open(path, log=log) as store:
        store.append([(2, b"x")])
        assert store.count() == 2
    assert len(errors) == 3 and "log function" in errors[0]


def test_another_store_may_be_used_as_a_log(path, tmp_path):
    torn(path)
    with estore.open(tmp_path / "log") as log:
        with estore.open(path, log=lambda level, text: log.append(estore.Event.now(text.encode()))) as store:
            store.append([(2, b"x")])
        assert log.count() > 0
