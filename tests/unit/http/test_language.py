import pytest

from stagedoor.http.language import preferred, quality_of


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        (b"", "en"),
        (b"ko", "ko"),
        (b"ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        (b"en-US,en;q=0.9,ko;q=0.8", "en"),
        (b"en;q=0.1, ko;q=0.2", "ko"),
        (b"ko;q=0", "en"),
        (b"fr, ko;q=0.5", "ko"),
        (b"fr, *;q=0.5", "en"),
        (b"KO-kr", "ko"),
        (b"ko;q=nonsense", "en"),
        (b"ko;q=7", "en"),
        (b",;,q=1;;", "en"),
        (b"kok", "en"),
    ],
)
def test_the_language_asked_for_most(header: bytes | None, language: str) -> None:
    assert preferred(header) == language


@pytest.mark.parametrize(("parameters", "quality"), [("", 1.0), ("q=0.5", 0.5), (" Q=0.25 ", 0.25), ("q=nan", 0.0)])
def test_quality(parameters: str, quality: float) -> None:
    assert quality_of(parameters) == quality
