"""Makes messages of bytes, by the definitions that a recording carries or, for old ones, by those of today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

_IDL_RULE = "=" * 80 + "\n"


class MessageTypes:
    """Message types of one recording; each is read from its definition when it is first asked for.

    Each has a store of its own, so a definition that is broken, or two that differ, do not harm the others.
    """

    def __init__(self) -> None:
        self._stores: dict[tuple[str, str], Typestore] = {}
        # Recorders of before 2023 do not say what messages look like, but most types have not changed.
        self._today = get_typestore(Stores.ROS2_JAZZY)

    def knows(self, connection: Connection) -> bool:
        """Whether a type is described, or one of those that ROS has."""
        described = connection.msgdef.format != MessageDefinitionFormat.NONE
        return described or connection.msgtype in self._today.fielddefs

    def message(self, connection: Connection, raw: bytes) -> Any:
        """Message of bytes.

        Raises:
            Exception: Whatever the library raises on bytes or a definition that are not as they should be.
        """
        key = (connection.msgtype, connection.msgdef.data)
        if key not in self._stores:
            self._stores[key] = self._store(connection)
        return self._stores[key].deserialize_cdr(raw, connection.msgtype)

    def _store(self, connection: Connection) -> Typestore:
        kind, text = connection.msgdef
        if kind == MessageDefinitionFormat.NONE:
            return self._today
        store = get_typestore(Stores.EMPTY)
        if kind == MessageDefinitionFormat.MSG:
            store.register(get_types_from_msg(text, connection.msgtype))
        elif text.startswith(f"{_IDL_RULE}IDL: "):
            types: dict[str, Any] = {}
            for part in text.split(_IDL_RULE)[1:]:
                types.update(get_types_from_idl(part.partition("\n")[2]))
            store.register(types)
        else:
            store.register(get_types_from_idl(text))
        return store
