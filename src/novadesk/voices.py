"""The voices that each model speaks with. Lists grow: any other name may be written too."""

from collections.abc import Mapping

_NOVA_1 = {
    "tiffany": "en-US", "matthew": "en-US", "amy": "en-GB", "ambre": "fr", "florian": "fr", "beatrice": "it",
    "lorenzo": "it", "greta": "de", "lennart": "de", "lupe": "es", "carlos": "es",
}  # fmt: skip
"""Amazon Nova user guide, "Available voices"."""

_NOVA_2 = {
    "matthew": "en-US", "tiffany": "en-US", "amy": "en-GB", "olivia": "en-AU", "lupe": "es", "carlos": "es",
    "ambre": "fr", "florian": "fr", "tina": "de", "lennart": "de", "beatrice": "it", "lorenzo": "it",
    "carolina": "pt", "leo": "pt", "arjun": "hi", "kiara": "hi",
}  # fmt: skip
"""Amazon Nova 2 user guide, "Language support"; matthew and tiffany speak every language of the model."""

VOICES: Mapping[str, Mapping[str, str]] = {
    "amazon.nova-sonic-v1:0": _NOVA_1,
    "amazon.nova-2-sonic-v1:0": _NOVA_2,
    "amazon.nova-2-5-sonic": _NOVA_2,
}
"""Model ids, and the voices of each with their language; model cards of the Amazon Bedrock user guide."""


def voices_of(model: str) -> Mapping[str, str]:
    """Return the voices of a model with their language; of an unknown one those of the newest."""
    return VOICES.get(model.rpartition("::foundation-model/")[2] or model, _NOVA_2)
