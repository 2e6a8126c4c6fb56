import hypothesis
import pytest


@pytest.fixture
def as_found(monkeypatch):
    """Failures are shown as they were found: to make their inputs small takes most of the time of a broken law."""
    monkeypatch.setattr("structpred.testing.run.PHASES", (hypothesis.Phase.generate,))
