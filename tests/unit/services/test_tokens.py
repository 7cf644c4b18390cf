"""Tokens: what this key signed is read, all else is nothing."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.services import tokens
from stepwell.services.sealing import ServerKey, new_key

KEY = ServerKey(new_key())
NOW = 1_700_000_000_000_000


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_names_its_credential_and_its_end():
    token = tokens.issue(KEY, credential_id="cr_a", now=NOW)
    assert tokens.read(KEY, token) == tokens.Claims(credential_id="cr_a", expires_at=NOW + 43_199 * 10**6)
    header, claims, _ = (base64.urlsafe_b64decode(each + "==") for each in token.split("."))
    assert json.loads(header) == {"alg": "HS256", "typ": "JWT"}
    said = json.loads(claims)
    assert (said["sub"], said["iat"], said["exp"]) == ("cr_a", 1_700_000_000, 1_700_043_199)
    assert token != tokens.issue(KEY, credential_id="cr_a", now=NOW)


def test_another_key_reads_nothing():
    assert tokens.read(ServerKey(new_key()), tokens.issue(KEY, credential_id="cr_a", now=NOW)) is None


@given(st.data())
def test_a_changed_token_is_nothing(data: st.DataObject):
    token = tokens.issue(KEY, credential_id="cr_a", now=NOW)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda letter: letter != token[place]))
    assert tokens.read(KEY, token[:place] + other + token[place + 1 :]) is None
    assert tokens.read(KEY, token[:place]) is None
    assert tokens.read(KEY, token + other) is None


@pytest.mark.parametrize("algorithm", ["none", "HS384", "RS256", ""])
def test_another_algorithm_is_nothing(algorithm: str):
    claims = part({"sub": "cr_a", "exp": 2**40})
    assert tokens.read(KEY, f"{part({'alg': algorithm, 'typ': 'JWT'})}.{claims}.") is None
    assert tokens.read(KEY, f"{part({'alg': algorithm, 'typ': 'JWT'})}.{claims}.{part('x')}") is None


@given(st.text())
def test_any_text_is_nothing(text: str):
    assert tokens.read(KEY, text) is None
