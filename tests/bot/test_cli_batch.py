"""`glimpse batch`: one line out for each line in, in order, whatever the lines hold."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from cli_runner import CliRunner, FakeEngine, Outcome
from engine_stand_in import Said, picture

from bot.assistant.types import ModelAnswer
from bot.cli import main
from bot.cli.batch import (
    MAX_LINE,
    BatchAnswer,
    BatchRunner,
    PictureCache,
    _file_size,
    counting,
    read_lines,
)
from bot.cli.context import AppContext
from data.errors import ImageRefused
from data.images.open import Picture, read_picture
from model.requests import NO_CONTEXT, Capabilities, ChatContext, DetectedObject


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parity("many pictures in a file, confidences for scripts", "command line")
def test_answers_and_captions_in_the_agreed_form(cli: CliRunner) -> None:
    cli.engine.answer = lambda _picture, question: Said(f"to {question}", 0.5, 0.25)
    red = cli.photo("red")
    outcome = cli.run(
        "batch",
        stdin=lines(
            {"id": "a", "image": red, "question": None},
            {"id": 2, "image": red, "question": "What colour is it?", "more": "ignored"},
            {"image": red},
        ),
    )
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.rows == [
        {"id": "a", "answer": "to None", "confidence": 0.5, "seconds": 0.25},
        {"id": 2, "answer": "to What colour is it?", "confidence": 0.5, "seconds": 0.25},
        {"id": None, "answer": "to None", "confidence": 0.5, "seconds": 0.25},
    ]
    assert cli.engine.closed


@pytest.mark.parametrize(
    ("languages", "question", "asked"),
    [
        (("en", "de"), "Wieso glänzt das Fell vom Hund eigentlich so komisch?", None),
        (("en", "de"), "Welche Farbe hat es?", "What color is it?"),
        (("en",), "Wieso glänzt das Fell vom Hund eigentlich so komisch?", ""),  # refused
    ],
)
def test_a_chat_model_gets_german_as_it_was_written(
    languages: tuple[str, ...], question: str, asked: str | None
) -> None:
    able = Capabilities(chat=True, languages=languages)
    line = json.dumps({"image": "red", "question": question}).encode() + b"\n"
    [row] = BatchRunner(engine := FakeEngine(), open_colour, able=able).answers([(line, 0)])
    assert row.failed is (asked == "")
    if not row.failed:
        assert engine.asked == [("red", asked or question)]
        assert engine.contexts[0].asked == question


def test_objects_are_listed_on_request_only(cli: CliRunner) -> None:
    seen = DetectedObject("dog", 0.93456, (0.1, 0.2, 0.5, 0.9))
    cli.engine.answer = lambda _picture, question: Said("a", objects=() if question else (seen,))
    red = cli.photo("red")
    given = lines({"image": red}, {"image": red, "question": "Why?"}, {"image": "missing.png"})
    plain, listed = (cli.run("batch", *flags, stdin=given).rows for flags in ((), ("--objects",)))
    assert [set(row) for row in plain] == [{"id", *FIELDS}, {"id", *FIELDS}, {"id", "error"}]
    assert [row.get("objects") for row in listed] == [
        [{"name": "dog", "score": 0.935, "box": [0.1, 0.2, 0.5, 0.9]}], [], None,
    ]  # fmt: skip


@pytest.mark.parametrize("id", [None, 0, -1.5, True, "ü\ud800\n", ["a", {"b": []}], 10**40])
def test_any_id_comes_back(cli: CliRunner, id: object) -> None:
    outcome = cli.run("batch", stdin=lines({"id": id, "image": cli.photo("red")}))
    assert outcome.status == 0
    assert outcome.rows[0]["id"] == id


def test_nothing_in_gives_nothing_out(cli: CliRunner) -> None:
    assert cli.run("batch") == Outcome(0, "", "")


BAD = [
    (b"", "This line is empty."),
    (b"   ", "This line is empty."),
    (b"{", "This line is not valid JSON."),
    (b"\xff\xfe{}", "This line is not valid JSON."),
    (b'{"id": NaN, "image": "x"}', "This line is not valid JSON."),
    (b'{"id": 1e999, "image": "x"}', "This line is not valid JSON."),
    (b'{"id": %s}' % (b"9" * 5000), "This line is not valid JSON."),
    (b'{"id": ' + b"[" * 100_000, "This line is not valid JSON."),
    (b"[1]", "This line is not a JSON object"),
    (b"null", "This line is not a JSON object"),
    (b'"' + b"x" * MAX_LINE * 3 + b'"', "This line is longer than 1,000,000 bytes."),
]
BAD_WITH_ID = [
    (b'"question": null', '"image" has to be'),
    (b'"image": 5', '"image" has to be'),
    (b'"image": ""', '"image" has to be'),
    (b'"image": "red.png", "question": 5', '"question" has to be'),
    (b'"image": "red.png", "question": ""', "What would you like to know?"),
    (b'"image": "red.png", "question": "%s"' % (b"x " * 1000), "at most 300 characters"),
    (b'"image": "missing.png"', "There is no such file. Please check its name."),
    (b'"image": "."', "This is a folder. Please name a picture file."),
    (b'"image": "a\\u0000b"', "There is no such file."),
    (b'"image": "\\ud800"', "There is no such file"),
    (b'"image": "broken.jpg"', "This"),
]


def test_bad_lines_say_why_and_stop_nothing(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cli.folder)
    cli.photo("red")
    (cli.folder / "broken.jpg").write_bytes(b"<html>")
    good = lines({"id": 1, "image": "red.png"})
    given, wanted = [good], [(1, "")]
    for line, sentence in BAD:
        given += [line + b"\n", good]
        wanted += [(None, sentence), (1, "")]
    for line, sentence in BAD_WITH_ID:
        given += [b'{"id": 7, ' + line + b"}\r\n", good]
        wanted += [(7, sentence), (1, "")]
    given.append(b'{"id": 9, "image": "red.png"}')  # the last line may lack its end
    wanted.append((9, ""))
    outcome = cli.run("batch", stdin=b"".join(given))
    assert len(outcome.rows) == len(wanted)
    for row, (id, sentence) in zip(outcome.rows, wanted, strict=True):
        assert row["id"] == id
        assert ("error" in row) == bool(sentence)
        assert set(row) == ({"id", "error"} if sentence else {"id", *FIELDS})
        assert row.get("error", "").startswith(sentence) or sentence in row["error"]
    count = len(BAD) + len(BAD_WITH_ID)
    assert outcome.status == 1
    assert outcome.err == f"{count} lines were not answered; each says why under its id.\n"


FIELDS = ("answer", "confidence", "seconds")


def test_a_failing_model_costs_one_line_and_tells_the_cause_to_the_log_only(cli: CliRunner) -> None:
    def see(_picture: Picture, question: str | None) -> Said | Exception:
        return RuntimeError("secret") if question else Said("fine")

    cli.engine.answer = see
    red = cli.photo("red")
    given = lines({"id": 1, "image": red, "question": "Why is it?"}, {"id": 2, "image": red})
    outcome = cli.run("batch", stdin=given)
    assert outcome.status == 1
    assert "secret" not in outcome.out + outcome.err
    assert outcome.rows[0]["error"].startswith("Something went wrong")
    assert outcome.rows[1]["answer"] == "fine"
    assert "1 line was not answered" in outcome.err
    assert "RuntimeError: secret" in cli.run("batch", "-v", stdin=given).err


def test_a_byte_order_mark_is_no_mistake(cli: CliRunner) -> None:
    given = b"\xef\xbb\xbf" + lines({"id": 1, "image": cli.photo("red")})
    assert cli.run("batch", stdin=given).status == 0


def test_decorated_questions_are_asked_as_the_chat_would(cli: CliRunner) -> None:
    red = cli.photo("red")
    asked = ["hi, what colour is it, please 🎉", "describe the picture"]
    cli.run("batch", stdin=lines(*({"image": red, "question": q} for q in asked)))
    assert sorted(cli.engine.asked, key=str) == [("red", "what colour is it"), ("red", None)]


# --- the pipeline ----------------------------------------------------------------------------


def numbered(count: int) -> Iterator[tuple[bytes, int]]:
    for number in range(count):
        yield json.dumps({"id": number, "image": "red"}).encode(), 10


def open_colour(path: str) -> Picture:
    return picture(path)


class Backwards(FakeEngine):
    """Answers only when `size` requests wait, the last one first; and never takes more."""

    def __init__(self, size: int) -> None:
        super().__init__(held=True, room=size)
        self.most = 0
        self.refused = 0
        self._lock = threading.Lock()

    def submit(
        self,
        picture: Picture,
        question: str | None,
        rank: int = 0,
        context: ChatContext = NO_CONTEXT,
    ) -> Future[ModelAnswer]:
        with self._lock:
            try:
                future = super().submit(picture, question, rank, context)
            except RuntimeError:
                self.refused += 1
                raise
            self.most = max(self.most, len(self.queue))
            if len(self.queue) == self.room:
                self.queue.reverse()
                threading.Timer(0.05, self.release_all).start()
            return future

    def release_all(self) -> None:
        with self._lock:
            self.release()


def test_many_are_under_way_at_once_and_come_back_in_order() -> None:
    engine = Backwards(16)
    rows = list(BatchRunner(engine, open_colour, ahead=100).answers(numbered(64)))
    assert [row.values["id"] for row in rows] == list(range(64))
    assert not any(row.failed for row in rows)
    assert sum(row.size for row in rows) == 640
    assert engine.most == 16  # so that the engine could compute 16 together
    assert engine.refused > 0  # and its full queue made the batch wait, not fail


def test_an_answer_does_not_wait_for_the_next_line() -> None:
    asked = threading.Event()

    def talk() -> Iterator[tuple[bytes, int]]:
        yield from numbered(1)
        assert asked.wait(10)
        yield from numbered(1)

    rows = BatchRunner(FakeEngine(), open_colour).answers(talk())
    assert next(rows).values["id"] == 0
    asked.set()
    assert len(list(rows)) == 1


def test_reading_ahead_has_an_end() -> None:
    taken = 0

    def endless() -> Iterator[tuple[bytes, int]]:
        nonlocal taken
        for line in numbered(1_000_000):
            taken += 1
            yield line

    engine = FakeEngine(held=True)
    rows = BatchRunner(engine, open_colour, ahead=8).answers(endless())
    done: list[BatchAnswer] = []
    waiting = threading.Thread(target=lambda: done.append(next(rows)))
    waiting.start()
    time.sleep(0.5)
    assert len(engine.asked) <= taken <= 8 + 2  # one waited for, one waiting for room
    engine.held = False
    engine.release()
    waiting.join(10)
    held = [future for future, *_ in engine.queue]
    engine.held = True
    time.sleep(0.2)
    held = [future for future, *_ in engine.queue]
    rows.close()
    assert all(future.cancelled() for future in held)  # nobody waits for them any more
    assert done[0].values["id"] == 0


def test_lines_that_cannot_be_read_end_the_batch() -> None:
    def broken() -> Iterator[tuple[bytes, int]]:
        yield from numbered(1)
        raise OSError("gone")

    rows = BatchRunner(FakeEngine(), open_colour).answers(broken())
    assert next(rows).values["id"] == 0
    with pytest.raises(OSError, match="gone"):
        next(rows)


def test_of_a_long_line_only_the_beginning_is_kept() -> None:
    long = b"x" * (2 * MAX_LINE + 7)
    found = list(read_lines(io.BytesIO(b"a\n" + long + b"\nb\n" + long)))
    assert [size for _, size in found] == [2, len(long) + 1, 2, len(long)]
    assert [line for line, _ in found][::2] == [b"a\n", b"b\n"]
    assert all(len(line) <= MAX_LINE + 1 for line, _ in found)
    exact = b"x" * MAX_LINE + b"\n"
    assert list(read_lines(io.BytesIO(exact + b"b\n"))) == [(exact, len(exact)), (b"b\n", 2)]


# --- the picture cache -----------------------------------------------------------------------


def test_a_file_is_opened_once_until_it_changes(tmp_path: Path, cli: CliRunner) -> None:
    opened: list[str] = []

    def open_file(path: str) -> Picture:
        opened.append(path)
        time.sleep(0.05)
        return read_picture(path)

    cache = PictureCache(open_file, size=2)
    red = cli.photo("red")
    found: list[Picture] = []
    threads = [threading.Thread(target=lambda: found.append(cache.get(red))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1
    assert len(opened) == 1
    cli.photo("blue", "red.png")
    Path(red).touch()
    assert cache.get(red).image.getpixel((0, 0)) == (0, 0, 255)
    cache.get(cli.photo("green"))
    cache.get(cli.photo("black"))
    opened.clear()
    cache.get(red)  # was put away: there is room for two
    assert opened == [red]


def test_a_refusal_is_told_to_all_and_tried_again_later(tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(b"1")
    tries: list[int] = []

    def refuse(_path: str) -> Picture:
        tries.append(1)
        raise ImageRefused("unavailable", "Not now.")

    cache = PictureCache(refuse)
    for _ in range(2):
        with pytest.raises(ImageRefused, match="Not now"):
            cache.get(str(file))
    assert len(tries) == 2


def test_a_picture_of_many_lines_is_opened_once(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def read(path: str) -> Picture:
        opened.append(path)
        return read_picture(path)

    monkeypatch.setattr("data.images.open.read_picture", read)
    red = cli.photo("red")
    outcome = cli.run("batch", stdin=lines(*({"id": n, "image": red} for n in range(200))))
    assert [row["id"] for row in outcome.rows] == list(range(200))
    assert opened == [red]


# --- what people see -------------------------------------------------------------------------


def test_a_terminal_shows_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    requests = tmp_path / "requests.jsonl"
    requests.write_bytes(b"x" * 40)
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    good, bad = BatchAnswer({"answer": "a"}, 10), BatchAnswer({"error": "e"}, 20)
    for source, expected in ((requests.open("rb"), 40), (io.BytesIO(b"x" * 40), 0)):
        with source:
            assert _file_size(source) == expected
            with counting(source) as count:
                for row in (good, bad, good):
                    count(row)
        assert "2 answered, 1 failed" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)  # answers and a bar would mix
    with counting(io.BytesIO()) as count:
        count(good)
    assert capsys.readouterr() == ("", "")


def test_requests_come_from_the_real_standard_input_or_not_at_all(
    cli: CliRunner,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    requests = tmp_path / "requests.jsonl"
    requests.write_bytes(lines({"id": 5, "image": cli.photo("red")}))
    with requests.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["batch"], AppContext(cli.load, {})) == 0
    assert json.loads(capsys.readouterr().out)["id"] == 5
    monkeypatch.setattr("sys.stdin", None)
    assert main(["batch"], AppContext(cli.load, {})) == 2
    assert "no standard input" in capsys.readouterr().err
