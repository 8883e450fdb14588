"""Whom tokens stand for, and which stand for nobody."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from pombal.auth.keys import Key, Keys
from pombal.auth.tokens import Tokens
from pombal.config.settings import AuthSettings
from pombal.model.caller import Role
from pombal.model.errors import Kind, PombalError
from tests.auth.making import DAY_S, SECRET, claims, pem, signed

OWN = b"our own secret, of thirty-two bytes or more"
RSA, ED = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
KEYS = {
    "HS256": Key("HS256", SECRET),
    "RS256": Key("RS256", RSA.public_key()),
    "EdDSA": Key("EdDSA", ED.public_key()),
}


def tokens(key: Key | None = KEYS["HS256"], **settings: Any) -> Tokens:
    made = AuthSettings(**settings)
    return Tokens(Keys(OWN, key), lambda: made)


def refusal(check: Callable[[str], object], token: str) -> str:
    with pytest.raises(PombalError) as refused:
        check(token)
    assert refused.value.kind == Kind.UNAUTHORIZED
    assert len(token) < 20 or token not in refused.value.message
    return refused.value.message


def unsigned(header: dict[str, Any], signature: bytes = b"", **changes: Any) -> str:
    """A token by hand: libraries refuse to make some of these."""
    parts = [json.dumps(part).encode() for part in (header, claims(**changes))]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


class TestOperators:
    @pytest.mark.parametrize(
        ("algorithm", "signer"), [("HS256", SECRET), ("RS256", RSA), ("EdDSA", ED)], ids=["HS256", "RS256", "EdDSA"]
    )
    def test_a_good_token(self, algorithm: str, signer: Any) -> None:
        made = claims()
        token = jwt.encode(made, signer, algorithm)
        identity = tokens(KEYS[algorithm], leeway_s=10).authenticate(token)
        assert (identity.caller.owner, identity.caller.role) == ("42", Role.USER)
        assert identity.expires_at_s == made["exp"] + 10

    @pytest.mark.parametrize(
        ("changes", "owner"),
        [
            ({"user_id": 42}, "42"), ({"user_id": None, "sub": "ana"}, "ana"), ({"user_id": "42", "sub": "ana"}, "42"),
            ({"sub": 7}, "42"), ({"token_type": None}, "42"), ({"aud": "anybody", "iss": "somebody"}, "42"),
        ],
    )  # fmt: skip
    def test_its_owner(self, changes: dict[str, Any], owner: str) -> None:
        assert tokens().authenticate(signed(**changes)).caller.owner == owner

    @pytest.mark.parametrize(
        ("granted", "role"),
        [("admin", Role.ADMIN), (True, Role.ADMIN), ("user", Role.USER), ("reader", Role.USER), (1, Role.USER),
         (["admin"], Role.USER), ("ADMIN", Role.USER), (None, Role.USER)],
    )  # fmt: skip
    def test_its_role_is_never_more_than_it_says(self, granted: Any, role: Role) -> None:
        assert tokens().authenticate(signed(role=granted)).caller.role == role

    def test_claims_by_other_names(self) -> None:
        other = tokens(owner_claims=["tenant"], role_claim="is_superuser")
        caller = other.authenticate(signed(tenant="acme", is_superuser=True)).caller
        assert (caller.owner, caller.role) == ("acme", Role.ADMIN)
        assert "tenant" in refusal(other.authenticate, signed())

    def test_audience_and_issuer_where_they_are_asked_for(self) -> None:
        strict = tokens(audience="pombal", issuer="dx")
        strict.authenticate(signed(aud=["pombal", "x"], iss="dx"))
        wrongs: tuple[dict[str, Any], ...] = (
            {"aud": "other", "iss": "dx"},
            {"aud": "pombal", "iss": "other"},
            {"iss": "dx"},
        )
        for wrong in wrongs:
            refusal(strict.authenticate, signed(**wrong))

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"exp": claims()["exp"] - DAY_S - 60}, "expired"), ({"exp": None}, "not valid"),
            ({"iat": claims()["iat"] + DAY_S}, "not valid"), ({"nbf": claims()["iat"] + DAY_S}, "not valid"),
            ({"token_type": "refresh"}, "no access token"), ({"token_type": "sliding"}, "no access token"),
            ({"user_id": None}, "names no owner"), ({"user_id": ""}, "printable"),
            ({"user_id": "a" * 129}, "printable"),
            ({"user_id": True}, "names no owner"), ({"user_id": ["42"]}, "names no owner"),
            ({"user_id": "4\n2"}, "printable"), ({"exp": "soon"}, "not valid"), ({"exp": 1e300}, ""),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, changes: dict[str, Any], says: str) -> None:
        if changes.get("exp") == 1e300:
            assert tokens().authenticate(signed(**changes)).expires_at_s > 1e299
        else:
            assert says in refusal(tokens().authenticate, signed(**changes))

    def test_the_clock_s_leeway(self) -> None:
        now = claims()["iat"]
        lenient = tokens(leeway_s=30)
        lenient.authenticate(signed(exp=now - 10))
        lenient.authenticate(signed(iat=now + 20, nbf=now + 20))
        refusal(tokens(leeway_s=0).authenticate, signed(exp=now - 10))


class TestForgery:
    @pytest.mark.parametrize("name", KEYS)
    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
    @pytest.mark.parametrize("kid", [None, "pombal"])
    def test_none_is_no_algorithm(self, name: str, algorithm: str, kid: str | None) -> None:
        header = {"alg": algorithm, "typ": "JWT"} | ({"kid": kid} if kid else {})
        refusal(tokens(KEYS[name]).authenticate, unsigned(header, role="admin"))

    def test_a_public_key_is_no_secret(self) -> None:
        for name, private in (("RS256", RSA), ("EdDSA", ED)):
            for kid in ({}, {"kid": "pombal"}):
                token = unsigned({"alg": "HS256", "typ": "JWT"} | kid)
                body = token.rpartition(".")[0]
                forged = hmac.digest(pem(private), body.encode(), hashlib.sha256)
                signature = base64.urlsafe_b64encode(forged).rstrip(b"=").decode()
                refusal(tokens(KEYS[name]).authenticate, f"{body}.{signature}")

    def test_another_key(self) -> None:
        refusal(tokens().authenticate, signed(b"another secret of thirty-two bytes or more"))
        refusal(
            tokens(KEYS["RS256"]).authenticate, jwt.encode(claims(), rsa.generate_private_key(65537, 2048), "RS256")
        )

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
    def test_another_algorithm_with_the_right_key(self, algorithm: str) -> None:
        long = Key("HS256", b"k" * 64)
        refusal(tokens(long).authenticate, signed(b"k" * 64, algorithm))

    def test_our_secret_and_the_operators_do_not_stand_in_for_each_other(self) -> None:
        refusal(tokens().authenticate, signed(headers={"kid": "pombal"}))
        refusal(tokens().authenticate, signed(OWN))

    def test_without_a_key_of_the_operators_ours_is_the_only_one(self) -> None:
        """Whoever was given it may sign with it, and is asked for the claims that others' tokens have."""
        assert "no other key" in refusal(tokens(None).authenticate, signed())
        assert "no other key" in refusal(tokens(None).authenticate, jwt.encode(claims(), RSA, "RS256"))
        alone = tokens(None, owner_claims=["tenant"], leeway_s=10)
        made = claims(tenant="acme")
        identity = alone.authenticate(jwt.encode(made, OWN, "HS256"))
        assert (identity.caller.owner, identity.expires_at_s) == ("acme", made["exp"] + 10)
        refusal(alone.authenticate, signed(OWN, tenant="acme", token_type="refresh"))

    @pytest.mark.parametrize(
        "token", ["", ".", "..", "a.b.c", "é.é.é", "a" * 9000, "Bearer x", "\x00", "{}", "eyJhbGciOiJIUzI1NiJ9..x"]
    )
    def test_rubbish(self, token: str) -> None:
        refusal(tokens().authenticate, token)

    def test_a_header_as_deep_as_it_is_long(self) -> None:
        deep = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 5000 + b"]" * 900).decode()
        refusal(tokens().authenticate, f"{deep}.e30.x")

    @given(st.text(max_size=200))
    def test_any_text(self, text: str) -> None:
        refusal(tokens().authenticate, text)


class TestOwn:
    def test_what_create_makes_is_good_whatever_else_is_configured(self) -> None:
        ours = tokens(KEYS["RS256"], owner_claims=["tenant"], role_claim="x", audience="a", issuer="b", leeway_s=0)
        token, expires_at_ms = ours.create("ana", Role.ADMIN, 3600)
        identity = ours.authenticate(token)
        assert (identity.caller.owner, identity.caller.role) == ("ana", Role.ADMIN)
        assert identity.expires_at_s * 1000 == expires_at_ms

    def test_it_ends_when_it_was_said_to(self) -> None:
        """The leeway is for the clocks of others."""
        now = claims()["iat"]
        ours = tokens(leeway_s=30)
        past = signed(OWN, headers={"kid": "pombal"}, exp=now - 1)
        assert "expired" in refusal(ours.authenticate, past)
        token, expires_at_ms = ours.create("ana", Role.USER, 60)
        assert ours.authenticate(token).expires_at_s * 1000 == expires_at_ms

    def test_it_is_good_though_the_clock_was_set_back_since(self) -> None:
        """By an hour: whoever was signed in is so still, on a machine whose clock was wrong."""
        made = Tokens(Keys(OWN, None), AuthSettings, now_s=lambda: claims()["iat"] + 3600.0)
        token, _ = made.create("ana", Role.USER, 60)
        assert tokens().authenticate(token).caller.owner == "ana"

    def test_an_id_tells_tokens_apart_and_one_token_has_one(self) -> None:
        ours = tokens()
        one, other = ours.create("ana", Role.USER, 60)[0], ours.create("ana", Role.USER, 60)[0]
        ids = {ours.authenticate(token).token_id for token in (one, one, other)}
        assert len(ids) == 2

    def test_a_sign_in_code_is_good_once_and_is_no_token(self) -> None:
        ours = tokens()
        code = ours.sign_in_code("ana", Role.USER, 3600)
        assert "no access token" in refusal(ours.authenticate, code)
        token, _ = ours.redeem(code)
        assert ours.authenticate(token).caller.owner == "ana"
        assert "has been used" in refusal(ours.redeem, code)

    def test_only_our_own_codes_sign_in(self) -> None:
        ours = tokens()
        refusal(ours.redeem, ours.create("ana", Role.USER, 60)[0])
        refusal(ours.redeem, signed(token_type="sign_in", lifetime=60))
