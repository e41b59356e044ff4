from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aura_lake.contracts.problems import Problems
from aura_lake.contracts.yaml_source import Document, read_document


def read(folder: Path, text: str | bytes) -> tuple[Document | None, list[str]]:
    file = folder / "x.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = Problems()
    document = read_document(file, problems)
    return document, [f"{p.line}: {p.what} {p.fix}" for p in problems.found]


def data(folder: Path, text: str) -> Any:
    document, problems = read(folder, text)
    assert problems == []
    assert document is not None
    return document.data


def test_values_are_what_yaml_1_2_says(tmp_path: Path) -> None:
    text = "a: yes\nb: 2020-01-01\nc: 12:30\nd: 007\ne: 1.5\nf: ~\ng: True\nh: '1'\ni: 1e3\nj:\nk: on\n"
    assert data(tmp_path, text) == {
        "a": "yes",
        "b": "2020-01-01",
        "c": "12:30",
        "d": 7,
        "e": 1.5,
        "f": None,
        "g": True,
        "h": "1",
        "i": 1000.0,
        "j": None,
        "k": "on",
    }


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    document, _ = read(
        tmp_path, "# note\nschema:\n  - name: a\n    properties:\n      - name: b\n        required: true\n"
    )
    assert document is not None
    assert document.line(("schema", 0, "properties", 0, "required")) == 6
    assert document.line(("schema", 0, "properties", 0)) == 5
    assert document.line(("schema", 0, "quality", 3, "name")) == 3


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    document, problems = read(tmp_path, b"\xef\xbb\xbfid: x\n")
    assert problems == []
    assert document is not None
    assert document.data == {"id": "x"}


def test_an_alias_repeats_a_value(tmp_path: Path) -> None:
    assert data(tmp_path, "a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


def bomb() -> str:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for name, before in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 5)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (bomb(), "6: the file holds more than 20,000 values, aliases counted in full. Split it"),
        ("a: &a 1\n" + "\n".join(f"b{i}: *a" for i in range(60)), "52: there are more than 50 aliases."),
        ("[" * 100_000, "1: the file is nested more than 40 levels deep."),
        ("a: !!python/object/apply:os.system ['true']", "1: the tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("a: !env X", "1: the tag '!env' is not read. Write a plain value."),
        ("a: 1\nb: 2\na: 3\n", "3: the key 'a' stands twice here. Keep one of the two."),
        ("a: 1\n---\nb: 2\n", "2: a second document begins."),
        ("a:\n  b: 'x\nc: 1\n", "4: this is not YAML: found unexpected end of stream"),
        ("a: [1, 2\nb: 3\n", "2: this is not YAML"),
        ("a: b: c\n", "1: this is not YAML: mapping values are not allowed"),
        ("? [a, b]\n: c\n", "1: a key is not a plain word."),
        ("a: *nowhere\n", "1: the alias *nowhere has no anchor."),
        (b"a: \xff\n", "1: byte 3 is not UTF-8. Save the file as UTF-8."),
        (b"a: \x00\n", "1: "),
        ("a: " + "x" * (1 << 20), "1: the file has 1,048,579 bytes; 1,048,576 is the most a contract may have."),
    ],
    ids=[
        "alias bomb", "many aliases", "depth", "python tag", "own tag", "repeated key", "two documents", "open quote",
        "open list", "colon", "list as key", "unknown alias", "not utf-8", "control character", "size",
    ],
)  # fmt: skip
def test_case_113_what_could_harm_or_mislead_is_refused(tmp_path: Path, text: str | bytes, problem: str) -> None:
    _, found = read(tmp_path, text)
    assert any(line.startswith(problem) for line in found), found


def test_a_missing_file_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    problems = Problems()
    assert read_document(tmp_path / "none.yaml", problems) is None
    assert problems.found[0].what == "the file cannot be read (No such file or directory)."
