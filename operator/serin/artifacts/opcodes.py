"""Whether bytes are a pickle, found by walking its opcodes as a loader would, and running none of them.

Pickles of protocols 0 and 1 have no sign of their own, and whatever they start with, something else can be put before
it. So the walk keeps what a loader keeps, a stack and a memo, with kinds in the place of values: bytes at which a
loader would stop are no pickle from there on. Two things count then: an opcode that calls something, and an end where
a pickle should end. Words of text are opcodes, too, but nearly never a call with something to call under it.

The table of opcodes, of what each takes and leaves, is that of `pickletools`. Its reader is not used: it brings whole
arguments into memory, and stops at some that loaders take.
"""

from __future__ import annotations

import pickletools
import re
from pickletools import (
    StackObject,
    anyobject,
    markobject,
    pybytes,
    pydict,
    pyfrozenset,
    pylist,
    pyset,
    pytuple,
)
from typing import IO

_PROTOCOL_MAX = 5
_OPCODES_MAX = 100_000
_LOOKED_THROUGH_BYTES_MAX = 64 << 20
_LINE_BYTES_MAX = 4096
_CHUNK_BYTES = 64 << 10

_OPCODES = {ord(one.code): one for one in pickletools.opcodes}
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""Bytes of the number that says how long an argument is."""
_NUMERIC = re.compile(rb"[-+.0-9a-fA-FxXoOlLnNiItTyY_\s]*")
"""What numbers are written with. More is let through than loaders take: a wrong alarm still needs a call."""
_SEVERAL = frozenset({pytuple, pylist, pydict, pyset, pyfrozenset, pybytes, anyobject, *_OPCODES[0x96].stack_after})
"""What holds the arguments of a call; 0x96 makes a bytearray. A string may, too, in one loader, each letter one; that
counts at the end."""
_ADDING = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"})


def runs_code(file: IO[bytes], size: int, *, packed: bool = False) -> bool:
    """Say whether a loader would take a file for a pickle, from its first byte on.

    That is: it comes to a call, or it declares itself and comes to its end, or all of it is one pickle or several.
    Memory does not depend on the file. What is valid for 100,000 opcodes, or for 64 MiB of arguments that have to be
    read, counts as one: no honest file of another kind is.

    Args:
        file: At its start.
        size: Its bytes.
        packed: Whether it has to be unpacked to go forward in it.
    """
    walk = _Walk(file, size, packed)
    try:
        for _ in range(_OPCODES_MAX):
            if walk.step() == "STOP" and walk.at == size:
                return True
    except _NoPickle:
        return False
    except _Found:
        return True
    return True


class _NoPickle(Exception):
    """A loader would stop here, and has called nothing before."""


class _Found(Exception):
    """It would not, and that is enough."""


class _Walk:
    """How far a loader is, and what it has on its stack."""

    def __init__(self, file: IO[bytes], size: int, packed: bool) -> None:
        self.at = 0
        self._file = file
        self._size = size
        self._packed = packed
        self._looked_through = 0
        self._stack: list[StackObject] = []
        self._memo: dict[int, StackObject] = {}
        self._enough = False
        """Whether the end of this pickle is enough to call it one."""

    def step(self) -> str:
        """Take one opcode, and return its name."""
        opcode = _OPCODES.get(self._read(1)[0])
        if opcode is None:
            raise _NoPickle
        number = self._argument(opcode)
        match opcode.name:
            case "PROTO":
                if number > _PROTOCOL_MAX:
                    raise _NoPickle
                self._enough = True
            case "STOP":
                self._pop(1)
                if self._enough:
                    raise _Found
                # Some loaders are called again and go on behind it.
                self._stack.clear()
                self._memo.clear()
            case "GET" | "BINGET" | "LONG_BINGET":
                if number not in self._memo:
                    raise _NoPickle
                self._stack.append(self._memo[number])
            case "PUT" | "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
                (top,) = self._pop(1)
                self._stack.append(top)
                self._memo[len(self._memo) if opcode.name == "MEMOIZE" else number] = top
            case "POP" if self._stack and self._stack[-1] is markobject:
                self._stack.pop()
            case "DUP":
                self._stack += self._pop(1) * 2
            case "PERSID":
                raise _NoPickle  # a plain loader knows no such ids, and those that do want no text
            case _:
                taken = self._take(opcode)
                self._judge(opcode.name, taken)
                # What is added to stays what it was, a part of this pickle or not.
                self._stack += taken[:1] if opcode.name in _ADDING | {"BUILD"} else opcode.stack_after
        return opcode.name

    def _judge(self, name: str, taken: list[StackObject]) -> None:
        foreign = bool(taken) and taken[0] is anyobject
        match name:
            case "INST":
                raise _Found
            case "REDUCE" | "BUILD" | "OBJ" | "NEWOBJ" | "NEWOBJ_EX":
                if not foreign and name != "BUILD":
                    raise _NoPickle
                if not foreign:
                    return
                if name not in {"REDUCE", "BUILD"} or taken[1] in _SEVERAL:
                    raise _Found
                self._enough = True
            case _ if name in _ADDING and foreign:
                # As to the path of modules.
                self._enough = True
            case _:
                return

    def _take(self, opcode: pickletools.OpcodeInfo) -> list[StackObject]:
        """What an opcode takes from the stack, the mark left out, in the order of its table."""
        wanted = opcode.stack_before
        if markobject not in wanted:
            return self._pop(len(wanted))
        above = next((count for count, one in enumerate(reversed(self._stack)) if one is markobject), None)
        if above is None:
            raise _NoPickle
        several = self._pop(above)
        self._stack.pop()
        return [*self._pop(wanted.index(markobject)), *several]

    def _pop(self, count: int) -> list[StackObject]:
        kept = len(self._stack) - count
        taken = self._stack[max(kept, 0) :] if count else []
        if kept < 0 or markobject in taken:
            raise _NoPickle
        del self._stack[kept:]
        return taken

    def _argument(self, opcode: pickletools.OpcodeInfo) -> int:
        """Go past an argument, and return the number that it is, if it is a short one."""
        kind = opcode.arg
        if kind is None:
            return 0
        if kind.n >= 0:
            return int.from_bytes(self._read(kind.n), "little")
        if kind.n == pickletools.UP_TO_NEWLINE:
            return self._lines(opcode.name)
        length = int.from_bytes(
            self._read(_LENGTHS[kind.n]), "little", signed=kind.n == pickletools.TAKEN_FROM_ARGUMENT4
        )
        self._skip(length)
        return 0

    def _lines(self, name: str) -> int:
        if name in {"GLOBAL", "INST"}:
            for _ in ("module", "name"):
                if not _is_dotted_name(self._line()):
                    raise _NoPickle
            return 0
        line = self._line()
        if name == "STRING":
            ends = line[-1:] if len(line) < _LINE_BYTES_MAX else line[:1]
            if len(line) < 2 or line[:1] not in {b"'", b'"'} or ends != line[:1]:
                raise _NoPickle
        elif name in {"GET", "PUT"}:
            try:
                return int(line.partition(b"\0")[0])
            except ValueError:
                raise _NoPickle from None
        elif name in {"INT", "LONG", "FLOAT"} and not _NUMERIC.fullmatch(line.partition(b"\0")[0]):
            raise _NoPickle
        return 0

    def _line(self) -> bytes:
        """Go past a line, and return it without its end; of a long one what it begins with."""
        first = part = self._file.readline(_LINE_BYTES_MAX)
        self.at += len(part)
        while not part.endswith(b"\n"):
            if not part:
                raise _NoPickle
            part = self._file.readline(_CHUNK_BYTES)
            self.at += len(part)
            self._look_through(len(part))
        return first[:-1] if part is first else first

    def _read(self, count: int) -> bytes:
        found = self._file.read(count)
        self.at += len(found)
        if len(found) < count:
            raise _NoPickle
        return found

    def _skip(self, count: int) -> None:
        if not 0 <= count <= self._size - self.at:
            raise _NoPickle
        if self._packed:
            self._look_through(count)
        self.at += count
        self._file.seek(self.at)

    def _look_through(self, count: int) -> None:
        self._looked_through += count
        if self._looked_through > _LOOKED_THROUGH_BYTES_MAX:
            raise _Found


def _is_dotted_name(line: bytes) -> bool:
    try:
        return all(part.isidentifier() for part in line.decode().split("."))
    except UnicodeDecodeError:
        return False
