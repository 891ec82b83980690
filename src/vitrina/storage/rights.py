"""Who may do what: roles per shop, one table of permissions, and the question `may`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from vitrina.errors import DeniedError, InputError

ALL_SHOPS = "*"
"""The shop of a role that holds in the whole chain. No slug looks like it."""

SELLER, DIRECTOR, ANALYST, ENGINEER, ADMIN = ROLES = ("seller", "director", "analyst", "engineer", "admin")

PERMISSIONS: dict[str, frozenset[str]] = {
    "shop.view": frozenset(ROLES),
    "shop.edit": frozenset({DIRECTOR, ENGINEER, ADMIN}),
    "figures.view": frozenset(ROLES),
    "figures.export": frozenset({DIRECTOR, ANALYST, ADMIN}),
    "live.view": frozenset({DIRECTOR, ANALYST, ENGINEER, ADMIN}),
    "camera.view": frozenset({ENGINEER, ADMIN}),
    "camera.edit": frozenset({ENGINEER, ADMIN}),
    "lake.sql": frozenset({ANALYST, ADMIN}),
    "models.view": frozenset({ANALYST, ENGINEER, ADMIN}),
    "models.edit": frozenset({ENGINEER, ADMIN}),
    "connections.view": frozenset({ENGINEER, ADMIN}),
    "connections.edit": frozenset({ENGINEER, ADMIN}),
    "metrics.view": frozenset({ENGINEER, ADMIN}),
    "jobs.view": frozenset({ENGINEER, ADMIN}),
    "jobs.edit": frozenset({ENGINEER, ADMIN}),
    "people.view": frozenset({DIRECTOR, ADMIN}),
    "people.edit": frozenset({DIRECTOR, ADMIN}),
    "catalog.view": frozenset({DIRECTOR, ANALYST, ENGINEER, ADMIN}),
    "catalog.edit": frozenset({ENGINEER, ADMIN}),
    "lens.find": frozenset({ANALYST, ENGINEER, ADMIN}),
    "cashback.view": frozenset({ANALYST, ADMIN}),
    "cashback.edit": frozenset({ADMIN}),
    "audit.view": frozenset({ADMIN}),
}

MAY_GRANT: dict[str, frozenset[str]] = {
    DIRECTOR: frozenset({SELLER}),
    ADMIN: frozenset(ROLES),
}


@dataclass(frozen=True, slots=True)
class Rights:
    """What one person (or one key of theirs) may do.

    roles: pairs of role and shop slug, or `*` for every shop.
    scopes: the actions that an API key is limited to; None: no limit beyond the roles.
    """

    roles: frozenset[tuple[str, str]]
    scopes: frozenset[str] | None = None

    def may(self, action: str, shop: str | None = None) -> bool:
        """Whether `action` is allowed in `shop`; without a shop, in the whole chain."""
        allowed = self.shops(action)
        return allowed is None or (shop is not None and shop in allowed)

    def require(self, action: str, shop: str | None = None) -> None:
        """Raises DeniedError, naming the roles that may, unless `may`."""
        if not self.may(action, shop):
            where = f"shop {shop}" if shop else "the whole chain"
            raise DeniedError(f"{action} in {where} needs one of the roles {', '.join(sorted(PERMISSIONS[action]))}.")

    def shops(self, action: str) -> frozenset[str] | None:
        """The shops in which `action` is allowed; None means every shop."""
        if action not in PERMISSIONS:
            raise InputError(f"there is no action {action!r}; expected one of {', '.join(PERMISSIONS)}")
        if self.scopes is not None and action not in self.scopes:
            return frozenset()
        shops = frozenset(shop for role, shop in self.roles if role in PERMISSIONS[action])
        return None if ALL_SHOPS in shops else shops

    def may_grant(self, role: str, shop: str) -> bool:
        """Whether this person may give somebody `role` in `shop` (or `*`)."""
        return self.scopes is None and any(
            role in MAY_GRANT.get(own, ()) and own_shop in (ALL_SHOPS, shop) for own, own_shop in self.roles
        )


def check_role(role: str) -> str:
    if role not in ROLES:
        raise InputError(f"there is no role {role!r}; expected one of {', '.join(ROLES)}")
    return role


def check_scopes(scopes: frozenset[str]) -> frozenset[str]:
    unknown = sorted(scopes - PERMISSIONS.keys())
    if unknown or not scopes:
        named = ", ".join(unknown) or "none"
        raise InputError(f"scopes: expected at least one of {', '.join(PERMISSIONS)}; got {named}")
    return scopes
