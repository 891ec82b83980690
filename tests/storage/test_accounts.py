from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from vitrina.errors import ConflictError, InputError, LimitError, NotFoundError, NotSignedInError
from vitrina.storage import accounts, apikeys, audit, sessions
from vitrina.storage.accounts import Invitation
from vitrina.storage.apikeys import ApiKey
from vitrina.storage.database import Database
from vitrina.storage.sessions import SignIn

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"
HERE = "192.0.2.1"


@pytest.fixture
def anna(database: Database) -> str:
    with database.session() as session:
        person = accounts.create_person(session, email="Anna@Example.org", name="Anna", password=PASSWORD, by="test")
        accounts.grant(session, person.person_id, "director", shop="riga", by="test")
        return person.person_id


def sign_in(database: Database, password: str = PASSWORD, *, now: datetime = NOON, address: str = HERE) -> str:
    return accounts.sign_in(database, "anna@example.org ", password, address=address, days=30, now=now)


def test_the_right_password_opens_a_session_for_its_person(database: Database, anna: str) -> None:
    token = sign_in(database)
    with database.reading() as session:
        who = accounts.session_person(session, token, now=NOON)
    assert who is not None
    assert (who.person_id, who.name, who.email) == (anna, "Anna", "anna@example.org")
    assert who.rights.may("shop.edit", "riga")
    assert not who.rights.may("shop.edit", "vilnius")


def test_an_unknown_person_and_a_wrong_password_get_the_same_answer(database: Database, anna: str) -> None:
    with pytest.raises(NotSignedInError) as wrong:
        sign_in(database, "not the password")
    with pytest.raises(NotSignedInError) as unknown:
        accounts.sign_in(database, "nobody@example.org", PASSWORD, address=HERE, days=30, now=NOON)
    assert str(wrong.value) == str(unknown.value)


def test_guessing_is_slowed_down_even_across_failures_and_restarts(database: Database, anna: str) -> None:
    for _ in range(5):
        with pytest.raises(NotSignedInError):
            sign_in(database, "guess guess")
    with pytest.raises(LimitError, match="15 s"):
        sign_in(database)
    with pytest.raises(NotSignedInError):
        sign_in(database, "guess guess", now=NOON + timedelta(seconds=16))
    with pytest.raises(LimitError, match="30 s"):
        sign_in(database, now=NOON + timedelta(seconds=16))
    assert sign_in(database, now=NOON + timedelta(seconds=47))


def test_the_guesses_of_one_address_do_not_lock_the_person_out_elsewhere(database: Database, anna: str) -> None:
    for _ in range(5):
        with pytest.raises(NotSignedInError):
            sign_in(database, "guess guess")
    assert sign_in(database, address="192.0.2.2")


def test_a_success_forgives_the_failures_before_it(database: Database, anna: str) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(NotSignedInError):
                sign_in(database, "guess guess")
        sign_in(database)


def test_a_session_ends_after_its_days_without_use(database: Database, anna: str) -> None:
    token = sign_in(database)
    later = NOON + timedelta(days=29)
    with database.session() as session:
        assert sessions.renewal_due(session, token, now=later)
        sessions.renew_session(session, token, days=30, now=later)
        assert not sessions.renewal_due(session, token, now=later)
        assert accounts.session_person(session, token, now=later + timedelta(days=29)) is not None
        assert accounts.session_person(session, token, now=later + timedelta(days=30)) is None


def test_signing_out_ends_this_session_only(database: Database, anna: str) -> None:
    here, there = sign_in(database), sign_in(database)
    with database.session() as session:
        sessions.end_session(session, here)
        assert accounts.session_person(session, here, now=NOON) is None
        assert accounts.session_person(session, there, now=NOON) is not None


def test_a_new_password_ends_all_sessions_and_the_old_one(database: Database, anna: str) -> None:
    token = sign_in(database)
    with database.session() as session:
        accounts.set_password(session, anna, "another long password", by=anna)
        assert accounts.session_person(session, token, now=NOON) is None
    with pytest.raises(NotSignedInError):
        sign_in(database)
    assert sign_in(database, "another long password")


def test_a_disabled_person_cannot_come_in_by_any_way(database: Database, anna: str) -> None:
    with database.session() as session:
        _, key = apikeys.create_key(session, anna, name="export", scopes=["figures.view"])
        link = accounts.sign_in_link(session, anna, hours=1, by="test")
    token = sign_in(database)
    with database.session() as session:
        accounts.disable_person(session, anna, by="test")
    with database.reading() as session:
        assert accounts.session_person(session, token, now=NOON) is None
        assert apikeys.key_person(session, key) is None
        assert not accounts.may(session, anna, "shop.view", "riga")
    with pytest.raises(NotSignedInError, match="switched off"):
        sign_in(database)
    with pytest.raises(NotSignedInError, match="switched off"), database.session() as session:
        accounts.follow_link(session, link)


def test_an_invitation_makes_one_person_with_its_role_once(database: Database) -> None:
    with database.session() as session:
        token = accounts.invite(session, role="seller", shop="riga", hours=72, by="boss", now=NOON)
    with database.session() as session:
        ben = accounts.accept_invitation(
            session, token, email="ben@example.org", name="Ben", password=PASSWORD, now=NOON + timedelta(hours=71)
        )
        assert accounts.may(session, ben.person_id, "figures.view", "riga")
        assert not accounts.may(session, ben.person_id, "figures.view")
    with pytest.raises(NotFoundError, match="used already"), database.session() as session:
        accounts.accept_invitation(session, token, email="eve@example.org", name="Eve", password=PASSWORD, now=NOON)


def test_an_invitation_that_failed_can_be_tried_again(database: Database, anna: str) -> None:
    with database.session() as session:
        token = accounts.invite(session, role="seller", shop="riga", hours=72, by="boss")
    with pytest.raises(ConflictError, match="already"), database.session() as session:
        accounts.accept_invitation(session, token, email="ANNA@example.org", name="Ben", password=PASSWORD)
    with database.session() as session:
        assert accounts.accept_invitation(session, token, email="ben@example.org", name="Ben", password=PASSWORD)


def test_the_links_that_a_person_made_end_with_their_account(database: Database, anna: str) -> None:
    with database.session() as session:
        token = accounts.invite(session, role="seller", shop="riga", hours=72, by=anna)
        accounts.invite(session, role="seller", shop="riga", hours=72, by="first start")
        accounts.disable_person(session, anna, by="test")
    with database.reading() as session:
        assert [left.invited_by for left in session.scalars(sa.select(Invitation))] == ["first start"]
    with pytest.raises(NotFoundError), database.session() as session:
        accounts.accept_invitation(session, token, email="eve@example.org", name="Eve", password=PASSWORD)


def test_an_invitation_is_worth_what_its_maker_may_still_give(database: Database, anna: str) -> None:
    with database.session() as session:
        token = accounts.invite(session, role="seller", shop="riga", hours=72, by=anna)
        accounts.revoke(session, anna, "director", shop="riga", by="test")
    with pytest.raises(NotFoundError, match="any more"), database.session() as session:
        accounts.accept_invitation(session, token, email="ben@example.org", name="Ben", password=PASSWORD)
    with database.session() as session:
        accounts.grant(session, anna, "director", shop="riga", by="test")
        assert accounts.accept_invitation(session, token, email="ben@example.org", name="Ben", password=PASSWORD)


def test_a_sign_in_link_does_not_grow_with_the_person_it_is_for(database: Database, anna: str) -> None:
    with database.session() as session:
        ben = accounts.create_person(session, email="ben@example.org", name="Ben", by="test").person_id
        accounts.grant(session, ben, "seller", shop="riga", by="test")
        first, second = (accounts.sign_in_link(session, ben, hours=1, by=anna) for _ in range(2))
    with database.session() as session:
        assert accounts.follow_link(session, first).person_id == ben
        accounts.grant(session, ben, "admin", shop=None, by="test")
    with pytest.raises(NotFoundError, match="any more"), database.session() as session:
        accounts.follow_link(session, second)


def test_a_link_that_is_too_old_opens_nothing(database: Database, anna: str) -> None:
    with database.session() as session:
        invitation = accounts.invite(session, role="seller", shop="riga", hours=72, by="boss", now=NOON)
        link = accounts.sign_in_link(session, anna, hours=1, by="boss", now=NOON)
    late = NOON + timedelta(hours=73)
    with pytest.raises(NotFoundError), database.session() as session:
        accounts.accept_invitation(session, invitation, email="b@example.org", name="B", password=PASSWORD, now=late)
    with pytest.raises(NotFoundError), database.session() as session:
        accounts.follow_link(session, link, now=late)


def test_a_sign_in_link_works_once_and_is_no_invitation(database: Database, anna: str) -> None:
    with database.session() as session:
        link = accounts.sign_in_link(session, anna, hours=1, by="test")
    with pytest.raises(NotFoundError), database.session() as session:
        accounts.accept_invitation(session, link, email="eve@example.org", name="Eve", password=PASSWORD)
    with database.session() as session:
        assert accounts.follow_link(session, link).person_id == anna
    with pytest.raises(NotFoundError), database.session() as session:
        accounts.follow_link(session, link)


def test_an_api_key_may_what_both_its_scopes_and_its_person_may(database: Database, anna: str) -> None:
    with database.session() as session:
        key, token = apikeys.create_key(session, anna, name="export", scopes=["figures.view", "lake.sql"])
        assert token.startswith(key.prefix)
        who = apikeys.key_person(session, token)
    assert who is not None
    assert who.rights.may("figures.view", "riga")
    assert not who.rights.may("shop.edit", "riga"), "not among its scopes"
    assert not who.rights.may("lake.sql"), "not among the person's rights"
    assert not who.rights.may_grant("seller", "riga")


def test_a_key_ends_when_revoked_or_too_old(database: Database, anna: str) -> None:
    with database.session() as session:
        key, token = apikeys.create_key(session, anna, name="a", scopes=["figures.view"])
        _, short = apikeys.create_key(session, anna, name="b", scopes=["figures.view"], days=1)
        apikeys.revoke_key(session, key.key_id, by=anna)
        assert apikeys.key_person(session, token) is None
        assert apikeys.key_person(session, short) is not None
        assert apikeys.key_person(session, short, now=datetime.now(UTC) + timedelta(days=2)) is None
        assert apikeys.key_person(session, "vk_" + "x" * 43) is None


@pytest.mark.parametrize("scopes", [[], ["figures.view", "everything"]])
def test_a_key_with_unknown_or_no_scopes_is_refused(database: Database, anna: str, scopes: list[str]) -> None:
    with pytest.raises(InputError, match="scopes"), database.session() as session:
        apikeys.create_key(session, anna, name="a", scopes=scopes)


def test_no_token_and_no_password_is_in_the_database(database: Database, anna: str) -> None:
    with database.session() as session:
        secrets = [
            PASSWORD,
            sessions.start_session(session, anna, days=1),
            apikeys.create_key(session, anna, name="a", scopes=["shop.view"])[1],
            accounts.invite(session, role="seller", shop=None, hours=1, by=anna),
            accounts.sign_in_link(session, anna, hours=1, by=anna),
        ]
    with database.reading() as session:
        stored = [
            str(row)
            for table in (SignIn, ApiKey, Invitation, accounts.Person, audit.AuditEntry)
            for row in session.execute(sa.select(table.__table__))
        ]
    assert len(stored) >= 5
    assert not [secret for secret in secrets for row in stored if secret in row]


def test_every_change_of_people_is_in_the_audit_log(database: Database, anna: str) -> None:
    with database.session() as session:
        accounts.grant(session, anna, "analyst", shop=None, by="boss")
        accounts.grant(session, anna, "analyst", shop=None, by="boss")
        accounts.revoke(session, anna, "director", shop="riga", by="boss")
    with database.reading() as session:
        log = [(e.action, e.before, e.after) for e in reversed(audit.entries(session, object=f"person:{anna}"))]
    assert log == [
        ("person.create", None, {"email": "anna@example.org", "name": "Anna"}),
        ("role.grant", None, {"role": "director", "shop": "riga"}),
        ("role.grant", None, {"role": "analyst", "shop": "*"}),
        ("role.revoke", {"role": "director", "shop": "riga"}, None),
    ]


def test_what_has_expired_is_forgotten_and_nothing_else(database: Database, anna: str) -> None:
    token = sign_in(database)
    with database.session() as session:
        accounts.invite(session, role="seller", shop=None, hours=1, by=anna, now=NOON)
        accounts.forget_expired(session, now=NOON + timedelta(days=29))
        assert accounts.session_person(session, token, now=NOON) is not None
        assert session.scalars(sa.select(Invitation)).all() == []
        accounts.forget_expired(session, now=NOON + timedelta(days=31))
        assert session.scalars(sa.select(SignIn)).all() == []


@pytest.mark.parametrize("email", ["", "anna", "anna@", "@example.org", "anna@host", "an na@example.org", "a@b.c" * 99])
def test_an_address_that_is_none_is_refused(database: Database, email: str) -> None:
    with pytest.raises(InputError, match="email"), database.session() as session:
        accounts.create_person(session, email=email, name="Anna", by="test")


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
def test_a_password_that_is_too_short_or_too_long_is_refused(database: Database, anna: str, password: str) -> None:
    with pytest.raises(InputError, match="10 to 200"), database.session() as session:
        accounts.set_password(session, anna, password, by=anna)


def test_a_role_that_does_not_exist_is_refused(database: Database, anna: str) -> None:
    with pytest.raises(InputError, match="king"), database.session() as session:
        accounts.grant(session, anna, "king", shop=None, by="test")
