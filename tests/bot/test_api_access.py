"""`glimpse serve` over plain HTTP: who may ask, how often, and what strangers are told."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from api_server import KEY, api, png, serving, serving_stand_in, user, wait_until
from engine_stand_in import StandIn

from bot.api.keys import read_keys
from bot.errors import SettingsError
from bot.settings import Settings, WebSettings, load_settings

OTHER_KEY = "sk-test-fedcba9876543210"
HOME, AWAY = ("127.0.0.1", 1), ("192.0.2.7", 1)
CHAT = {"model": "starter", "messages": [user("What color is it?", png("red"))]}


def web(
    *keys: str, client: tuple[str, int] = HOME, base: str = "http://127.0.0.1:8001", **more: Any
) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(api(StandIn(), *keys, **more), client=client)
    return httpx.AsyncClient(transport=transport, base_url=base)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def error(response: httpx.Response) -> tuple[int, Any]:
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    return response.status_code, body["error"]["code"]


async def test_a_key_is_asked_for_everywhere_but_at_the_health() -> None:
    async with web(KEY, OTHER_KEY, client=AWAY, base="http://glimpse.example") as there:
        for path in ("/v1/models", "/v1/models/starter", "/metrics"):
            assert error(await there.get(path)) == (401, None)
            assert (await there.get(path, headers=bearer(OTHER_KEY))).status_code == 200
        refused = await there.post("/v1/chat/completions", json=CHAT, headers=bearer(KEY + "x"))
        assert error(refused) == (401, "invalid_api_key")
        assert refused.headers["www-authenticate"] == "Bearer"
        for wrong in ("", "Bearer", "Bearer ", f"Basic {KEY}", KEY):
            headers = {"authorization": wrong}
            assert error(await there.post("/v1/chat/completions", headers=headers)) == (401, None)
        answered = await there.post("/v1/chat/completions", json=CHAT, headers=bearer(KEY))
        assert answered.json()["choices"][0]["message"]["content"] == "red"
        assert (await there.get("/healthz")).json() == {"status": "ok"}


def test_the_client_tells_a_wrong_key() -> None:
    with (
        serving_stand_in(None, KEY) as running,
        running.client("sk-wrong") as client,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        client.models.list()
    assert refused.value.code == "invalid_api_key"
    assert "sk-wrong" not in refused.value.message


async def test_without_a_key_only_this_computer_is_served() -> None:
    async with web() as here:
        assert (await here.post("/v1/chat/completions", json=CHAT)).status_code == 200
    async with web(client=("::1", 1)) as here:
        assert (await here.get("/v1/models")).status_code == 200
    async with web(client=AWAY) as there:  # through a proxy, say
        assert error(await there.get("/v1/models")) == (403, None)
        assert error(await there.post("/v1/chat/completions", json=CHAT)) == (403, None)


async def test_without_a_key_no_other_site_asks_in_the_users_place() -> None:
    async with web(base="http://rebound.example") as there:
        assert error(await there.get("/v1/models")) == (421, None)
    path = "/v1/chat/completions"
    async with web() as here:
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
            assert error(await here.post(path, json=CHAT, headers=headers)) == (403, None)
        plain = {"content-type": "text/plain"}
        sent = await here.post(path, content=json.dumps(CHAT), headers=plain)
        assert error(sent) == (415, None)


async def test_each_key_has_its_own_rate() -> None:
    path = "/v1/chat/completions"
    async with web(KEY, OTHER_KEY, per_minute=2) as there:
        for _ in range(2):
            assert (await there.post(path, json=CHAT, headers=bearer(KEY))).status_code == 200
        late = await there.post(path, json=CHAT, headers=bearer(KEY))
        assert error(late) == (429, "rate_limit_exceeded")
        assert late.json()["error"]["type"] == "rate_limit_error"
        assert 1 <= int(late.headers["retry-after"]) <= 30
        assert (await there.post(path, json=CHAT, headers=bearer(OTHER_KEY))).status_code == 200


async def test_what_is_not_there_has_the_same_shape() -> None:
    async with web() as here:
        assert error(await here.get("/v1/embeddings")) == (404, "unknown_url")
        assert error(await here.get("/v1/chat/completions")) == (405, "unknown_url")
        assert error(await here.get("/v1/models/gpt-4o")) == (404, "model_not_found")
        headers = {"content-type": "application/json"}
        for body in (b"", b"{", b"[]", b"\xff", b'"a"', b'{"model": "\\ud800"}', b"[" * 10_000):
            sent = await here.post("/v1/chat/completions", content=body, headers=headers)
            assert error(sent)[0] == 400, body


def test_places_are_limited_and_given_back() -> None:
    engine = StandIn(held=True)
    settings = WebSettings(messages_at_once=2)  # of which one key gets one, while it is alone
    with serving(api(engine, KEY, settings=settings)) as running, ThreadPoolExecutor(1) as people:
        first = people.submit(running.ask, *CHAT["messages"])
        wait_until(lambda: bool(engine.queue))
        with pytest.raises(openai.InternalServerError, match="very busy") as busy:
            running.ask(*CHAT["messages"])
        assert busy.value.status_code == 503
        assert busy.value.response.headers["retry-after"]
        engine.held = False
        engine.release()
        for answered in (first.result(), running.ask(*CHAT["messages"])):
            assert answered.choices[0].message.content == "red"


async def test_metrics_count_what_programs_asked() -> None:
    async with web() as here:
        await here.post("/v1/chat/completions", json=CHAT)
        await here.post("/v1/chat/completions", json={**CHAT, "model": "other"})
        told = (await here.get("/metrics")).text
    counted = 'glimpse_answers_total{kind="%s",outcome="%s",platform="api"} 1.0'
    assert counted % ("question", "answered") in told
    assert counted % ("message", "refused") in told
    assert 'stage="whole"' in told


# --- the settings ----------------------------------------------------------------------------


def test_keys_come_from_the_setting_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ann\n{OTHER_KEY}\n\n  {KEY}\n")
    settings = Settings(api_key=KEY, api_keys_file=str(file))
    assert read_keys(settings) == (KEY, OTHER_KEY)
    assert read_keys(Settings()) == ()
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"# nobody\n", "There is no key in"),
        (b"too short\n", "Line 1 of"),
        (b"\xff", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_file_without_keys_opens_the_server_to_nobody(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=sentence) as refused:
        read_keys(Settings(api_keys_file=str(file)))
    assert "too short" not in str(refused.value)


def test_a_short_key_is_none() -> None:
    with pytest.raises(SettingsError, match="GLIMPSE_API_KEY has to be at least 16"):
        load_settings({"GLIMPSE_API_KEY": "secret"})
