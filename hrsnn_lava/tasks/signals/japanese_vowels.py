"""Classification of the speakers of Japanese Vowels."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, Population
from hrsnn_lava.tasks.readers import japanese_vowels
from hrsnn_lava.tasks.readers.base import Labelled


@options
class JapaneseVowels(Classification, japanese_vowels.JapaneseVowels):
    """Nine speakers, five tuned channels for each of twelve cepstra, the set's own split."""

    name: ClassVar[str] = "japanese_vowels"
    train: PartSize = "all"
    validation: NotNegative = 54
    test: PartSize = "all"
    encoder: EncoderOption = Population(channels=5)

    def samples(self) -> Labelled:
        """All utterances."""
        return self.read()
