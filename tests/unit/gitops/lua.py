"""Argo CD's health check, run by Lua 5.1, which Argo CD has, with no more libraries than it opens by default.

Those are what its util/lua opens when useOpenLibs is off: the base functions, package, table, and an os that knows the
time only, which is left out here because a check of a status needs none. One second is what a check may take there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lupa.lua51 import LuaRuntime

from tests.unit.docs.pages import ROOT

HEALTH = ROOT / "manifests" / "gitops" / "argocd" / "health.lua"
KEPT = {
    *("_G", "_VERSION", "assert", "error", "getfenv", "getmetatable", "ipairs", "module", "next", "package", "pairs"),
    *("pcall", "rawequal", "rawget", "rawset", "require", "select", "setfenv", "setmetatable", "table", "tonumber"),
    *("tostring", "type", "unpack", "xpcall"),
}


class Health(NamedTuple):
    """What a check says."""

    status: str
    message: str


def health(raw: dict[str, Any], script: str | None = None) -> Health:
    """Run the check, or another script, on an object."""
    lua = LuaRuntime(register_eval=False, register_builtins=False, unpack_returned_tuples=True)
    scope = lua.globals()
    for name in list(scope):
        if name not in KEPT:
            scope[name] = None
    scope.obj = _table(lua, raw)
    found = lua.execute(script or HEALTH.read_text())
    assert set(found) <= {"status", "message"}, "Argo CD knows no other field"
    return Health(found["status"], found["message"])


def _table(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: _table(lua, item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return lua.table_from([_table(lua, item) for item in value])
    return value
