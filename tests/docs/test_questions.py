"""docs/why-not-injected.md: every question's command says what the page says it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.docs.running import run

TOPICS: Final = yaml.load(
    (Path(__file__).parent / "questions.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader
)
QUESTIONS: Final = [question for topic in TOPICS for question in topic["questions"]]


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS, ids=[each["question"] for each in QUESTIONS])
def test_a_question_has_the_answer_of_the_page(
    question: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in question["files"].items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    code, out, err = run(question["run"].split(), capfd)
    printed = " ".join(f"{err}\n{out}".split())
    missing = [part for part in question["says"] if part not in printed]
    wrong = [part for part in question.get("lacks", ()) if part in printed]
    assert (code, missing, wrong) == (question.get("exit", 0), [], []), printed


def test_at_least_forty_questions_name_where_they_were_asked() -> None:
    asked = [question["asked"] for question in QUESTIONS if "asked" in question]
    assert len(asked) >= 40
    assert all(sources for sources in asked)
    assert all("#" in source and "/" in source for sources in asked for source in sources)
