from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import DeniedError, InputError
from vitrina.storage.rights import ALL_SHOPS, MAY_GRANT, PERMISSIONS, ROLES, Rights

SHOPS = st.sampled_from([ALL_SHOPS, "riga", "vilnius"])
RIGHTS = st.builds(Rights, st.frozensets(st.tuples(st.sampled_from(ROLES), SHOPS), max_size=4))


def rights(*roles: tuple[str, str]) -> Rights:
    return Rights(frozenset(roles))


def test_a_role_in_one_shop_holds_in_that_shop_only() -> None:
    seller = rights(("seller", "riga"))
    assert seller.may("figures.view", "riga")
    assert not seller.may("figures.view", "vilnius")
    assert not seller.may("figures.view"), "the whole chain"


def test_a_role_in_the_chain_holds_in_every_shop() -> None:
    analyst = rights(("analyst", ALL_SHOPS))
    assert analyst.may("lake.sql")
    assert analyst.may("figures.view", "any-shop")
    assert analyst.shops("figures.view") is None


def test_the_shops_of_an_action_are_those_of_the_roles_that_may_do_it() -> None:
    both = rights(("seller", "riga"), ("director", "vilnius"))
    assert both.shops("shop.view") == {"riga", "vilnius"}
    assert both.shops("shop.edit") == {"vilnius"}
    assert both.shops("audit.view") == frozenset()


def test_being_denied_says_who_may() -> None:
    with pytest.raises(DeniedError, match=r"audit\.view in the whole chain needs one of the roles admin"):
        rights(("seller", "riga")).require("audit.view")


def test_an_action_that_does_not_exist_is_a_mistake_not_a_no() -> None:
    with pytest.raises(InputError, match=r"lake\.drop"):
        rights(("admin", ALL_SHOPS)).may("lake.drop")


def test_a_director_brings_in_sellers_of_the_own_shop_and_nobody_else() -> None:
    director = rights(("director", "riga"))
    assert director.may_grant("seller", "riga")
    assert not director.may_grant("seller", "vilnius")
    assert not director.may_grant("seller", ALL_SHOPS)
    assert not director.may_grant("director", "riga")


@given(RIGHTS, st.sampled_from(sorted(PERMISSIONS)), SHOPS)
def test_scopes_never_add_a_right(full: Rights, action: str, shop: str) -> None:
    limited = Rights(full.roles, frozenset({action}))
    assert limited.may(action, shop) == full.may(action, shop)
    for other in PERMISSIONS.keys() - {action}:
        assert not limited.may(other, shop)


@given(RIGHTS, st.sampled_from(ROLES), SHOPS)
def test_nobody_grants_what_is_more_than_they_have(granting: Rights, role: str, shop: str) -> None:
    """Whoever may grant a role could do, in that shop, all that the role may do."""
    if granting.may_grant(role, shop):
        where = None if shop == ALL_SHOPS else shop
        for action, roles in PERMISSIONS.items():
            if role in roles:
                assert granting.may(action, where)


def test_every_role_in_the_tables_exists() -> None:
    named = {role for roles in PERMISSIONS.values() for role in roles} | MAY_GRANT.keys()
    assert named | {role for roles in MAY_GRANT.values() for role in roles} == set(ROLES)
