import re

import pytest

from novadesk.errors import KnownError, Layer, Reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_belongs_to_a_layer(reason: Reason) -> None:
    assert reason.layer in Layer
    assert re.fullmatch(r"[a-z]+\.[a-z][a-z_]*", reason.value)
    assert reason.value.startswith(f"{reason.layer.value}.")
    assert KnownError(reason, "What.", "Advice.").layer is reason.layer


def test_every_layer_has_a_reason_and_no_value_comes_twice() -> None:
    assert {reason.layer for reason in Reason} == set(Layer)
    assert len({reason.value for reason in Reason}) == len(Reason.__members__)


def test_its_text_is_the_sentence_and_the_next_step() -> None:
    error = KnownError(Reason.TIMED_OUT, "It took too long.", "Try again.")
    assert str(error) == "It took too long. Try again."
    assert str(KnownError(Reason.TIMED_OUT, "It took too long.", "")) == "It took too long."
    assert (error.reason, error.what, error.advice) == (Reason.TIMED_OUT, "It took too long.", "Try again.")
