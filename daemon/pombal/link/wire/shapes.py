"""Dataclasses as JSON objects with a ``type``, both ways: one table a family (frames, commands, events)."""

from collections.abc import Iterable, Mapping
from dataclasses import field, fields, replace
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from pombal.link.wire.errors import ErrorCode, WireError
from pombal.link.wire.jsonio import dump

T = TypeVar("T")


def opaque() -> Any:
    """A dataclass field that holds an object which is read later, by itself: whatever is in it spoils nothing else."""
    return field(metadata={"opaque": True})


class Shape(Generic[T]):
    """One dataclass on the wire. A field that is None, and is None by default, is left out."""

    def __init__(self, name: str, shape: type[T]) -> None:
        self.name = name
        self.fields = [field.name for field in fields(shape)]  # type: ignore[arg-type]
        self._opaque = [field.name for field in fields(shape) if field.metadata.get("opaque")]  # type: ignore[arg-type]
        self._adapter: TypeAdapter[T] = TypeAdapter(shape)
        self._omitted = {field.name for field in fields(shape) if field.default is None}  # type: ignore[arg-type]

    def to_wire(self, value: T) -> dict[str, Any]:
        """Raises WireError (invalid) for a value that is not what its class says."""
        try:
            dumped = self._adapter.dump_python(value, mode="json", warnings="error")
        except ValueError as error:  # pydantic's own serialization errors are ValueErrors
            raise WireError(ErrorCode.INVALID, f"{self.name} cannot be written: {_first_line(error)}") from error
        return {name: part for name, part in dumped.items() if part is not None or name not in self._omitted}

    def from_wire(self, data: Mapping[str, Any]) -> T:
        """Fields that are not known are ignored. Raises WireError (invalid), naming the field and never its value."""
        apart = {name: data[name] for name in self._opaque if isinstance(data.get(name), dict)}
        # Strict as JSON is, where lists stand for tuples and texts for enums; in Python's terms they would be refused.
        try:
            value = self._adapter.validate_json(dump({**data, **{name: {} for name in apart}}), strict=True)
        except ValidationError as error:
            raise WireError(ErrorCode.INVALID, f"{self.name}: {_told(error)}") from error
        return replace(value, **apart) if apart else value  # type: ignore[type-var]


class Family(Generic[T]):
    """Shapes told apart by their ``type``."""

    def __init__(self, shapes: Mapping[str, type[T]]) -> None:
        self._by_name: dict[str, Shape[T]] = {name: Shape(name, shape) for name, shape in shapes.items()}
        self._by_class: dict[type[T], Shape[T]] = {shape: self._by_name[name] for name, shape in shapes.items()}

    def names(self) -> Iterable[str]:
        return self._by_name

    def to_wire(self, value: T) -> dict[str, Any]:
        shape = self._by_class[type(value)]
        return {"type": shape.name, **shape.to_wire(value)}

    def shape_of(self, data: Mapping[str, Any]) -> Shape[T] | None:
        """None for a type that this family does not know. Raises WireError (invalid) without any."""
        name = data.get("type")
        if not isinstance(name, str):
            raise WireError(ErrorCode.INVALID, "an object without a type")
        return self._by_name.get(name)

    def from_wire(self, data: Mapping[str, Any]) -> T:
        """Raises WireError: unknown_type, invalid."""
        if (shape := self.shape_of(data)) is None:
            raise WireError(ErrorCode.UNKNOWN_TYPE, f"an unknown type: {str(data['type'])[:40]!r}")
        return shape.from_wire(data)


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'it'}: {first['msg']}"[:200]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
