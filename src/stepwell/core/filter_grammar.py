"""The text form of filters and orders: parsing with errors that point at the place, and rendering.

    filter      = [ comparison { AND comparison } ]
    comparison  = field ( ">" | ">=" | "=" | "!=" | "<" | "<=" ) value | field ( LIKE | ILIKE ) string
                | field [ NOT ] IN "(" string { "," string } [ "," ] ")" | field IS [ NOT ] NULL
    field       = name | aggregate "(" name ")"                 aggregate: last min max mean count, of a metric
    name        = [ prefix "." ] key                            without a prefix the key is an attribute
    prefix      = metric(s) | param(s) | parameter(s) | tag(s) | attribute(s) | attr | run | dataset(s)
    order       = field [ ASC | DESC ]

Keywords and aggregates may be in any case. A key stands bare, or in backticks or double quotes, behind a dot in single
ones too; a string stands in single or double quotes; a doubled quote inside stands for one. There is no OR, and no
parentheses around comparisons. What the parts mean is told in `filter_match`; which attributes and operators exist, in
`filters`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from stepwell.core.errors import BadFilter
from stepwell.core.filter_tokens import Token, TokenType, fail, shorten, tokenize
from stepwell.core.filters import (
    DATASET_KEYS,
    LIST_OPS,
    NULL_OPS,
    Aggregate,
    Comparison,
    Field,
    Filter,
    Kind,
    Op,
    OrderBy,
    Schema,
    Value,
)

MAX_COMPARISONS = 100
MAX_ORDER_FIELDS = 20
MAX_PATTERN_LENGTH = 2000  # characters of a LIKE pattern, so that matching one value stays cheap

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?0*(?P<digits>[0-9]{1,19})")
_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./:-]*")
_PREFIXES = {
    "metric": Kind.METRIC,
    "metrics": Kind.METRIC,
    "param": Kind.PARAM,
    "params": Kind.PARAM,
    "parameter": Kind.PARAM,
    "parameters": Kind.PARAM,
    "tag": Kind.TAG,
    "tags": Kind.TAG,
    "attr": Kind.ATTRIBUTE,
    "attribute": Kind.ATTRIBUTE,
    "attributes": Kind.ATTRIBUTE,
    "run": Kind.ATTRIBUTE,
    "dataset": Kind.DATASET,
    "datasets": Kind.DATASET,
}


def parse_filter(text: str, *, schema: Schema) -> Filter:
    """The comparisons of a filter as written; () for a blank one. BadFilter (field "filter") points at the place."""
    return _Parser(text, schema=schema, source="filter", field="filter").filter()


def parse_order(texts: Sequence[str], *, schema: Schema) -> tuple[OrderBy, ...]:
    """The sort keys as written, ascending unless they say DESC. BadFilter (field "order"); a repeated field is one."""
    if len(texts) > MAX_ORDER_FIELDS:
        raise BadFilter(f"order has {len(texts)} fields; at most {MAX_ORDER_FIELDS} are allowed", field="order")
    order: list[OrderBy] = []
    for number, text in enumerate(texts, start=1):
        by = _Parser(text, schema=schema, source=f"order {number}", field="order").order_by()
        if any(by.field == earlier.field for earlier in order):
            raise BadFilter(f"order {number}: {shorten(render_field(by.field))} is in the order already", field="order")
        order.append(by)
    return tuple(order)


def render(conditions: Filter) -> str:
    """A text that parses to the same filter."""
    return " AND ".join(_render_comparison(comparison) for comparison in conditions)


def render_order(order: tuple[OrderBy, ...]) -> list[str]:
    """Texts that parse to the same order."""
    return [f"{render_field(by.field)} {'DESC' if by.descending else 'ASC'}" for by in order]


def render_field(field: Field) -> str:
    """The text form of a field."""
    key = field.key if _BARE_KEY.fullmatch(field.key) else _quote(field.key, "`")
    name = key if field.kind is Kind.ATTRIBUTE else f"{field.kind}.{key}"
    return name if field.aggregate is Aggregate.LAST else f"{field.aggregate}({name})"


class _Parser:
    """One text, read from left to right once. Every method leaves the position behind what it read."""

    def __init__(self, text: str, *, schema: Schema, source: str, field: str) -> None:
        self._text = text
        self._schema = schema
        self._source = source
        self._field = field
        self._tokens = tokenize(text, source=source, field=field)
        self._next = 0

    def filter(self) -> Filter:
        comparisons: list[Comparison] = []
        while self._peek.type is not TokenType.END or comparisons:
            comparisons.append(self._comparison())
            if self._peek.type is TokenType.END:
                break
            self._and()
            if len(comparisons) == MAX_COMPARISONS:
                raise self._fail(self._peek, f"at most {MAX_COMPARISONS} comparisons are allowed")
        return tuple(comparisons)

    def order_by(self) -> OrderBy:
        start = self._peek
        field = self._any_field()
        if field.kind is Kind.DATASET:
            raise self._fail(start, "a run may have several datasets; it cannot be ordered by them")
        descending = self._peek.keyword == "DESC"
        if self._peek.keyword in {"ASC", "DESC"}:
            self._take()
        if self._peek.type is not TokenType.END:
            raise self._expected("ASC, DESC or the end")
        return OrderBy(field=field, descending=descending)

    def _and(self) -> None:
        if self._peek.keyword == "OR":
            raise self._fail(self._peek, "OR is not supported; comparisons are joined by AND alone")
        if self._peek.keyword != "AND":
            raise self._expected("AND or the end")
        self._take()

    def _comparison(self) -> Comparison:
        start = self._peek
        field = self._any_field()
        name = self._since(start)
        sign = self._peek
        op = self._operator(name)
        allowed = self._schema.ops(field)
        if op not in allowed:
            known = " ".join(known for known in Op if known in allowed)
            raise self._fail(sign, f"{name} cannot be compared by {op}; it takes {known}")
        return Comparison(field=field, op=op, value=self._value(field, op, self._since(start)))

    # Fields

    def _any_field(self) -> Field:
        start = self._peek
        if start.is_mark("("):
            raise self._fail(start, "parentheses are not supported here; comparisons are joined by AND alone")
        if start.keyword == "NOT":
            raise self._fail(start, "NOT is not supported here; it stands in NOT IN and IS NOT NULL alone")
        if not (start.type is TokenType.WORD and self._tokens[self._next + 1].is_mark("(")):
            return self._name()
        if start.text.lower() not in set(Aggregate):
            raise self._fail(start, f"there is no function {start.shown}; expected {_either(Aggregate)}")
        self._take()
        self._mark("(", f"after {start.shown}")
        inner = self._peek
        field = self._name()
        if field.kind is not Kind.METRIC:
            raise self._fail(inner, f"expected a metric inside {start.text}(...), found {inner.shown}")
        self._mark(")", f"after {self._since(start)!r}")
        return Field(kind=Kind.METRIC, key=field.key, aggregate=Aggregate(start.text.lower()))

    def _name(self) -> Field:
        start = self._peek
        if not (start.type is TokenType.WORD or start.is_key) or start.keyword in {"AND", "OR"}:
            raise self._expected(f"a field, such as {self._schema.attributes[0].name}")
        prefix, dot, key = self._prefix_and_key(self._take())
        if not dot:
            return self._attribute(prefix, start)
        kind = _PREFIXES.get(prefix)
        if kind is None:
            raise self._fail(start, f"unknown prefix {shorten(prefix)!r}; expected {_either(self._prefixes())}")
        if kind not in self._schema.kinds:
            raise self._fail(start, f"{self._schema.rows} have no {kind}; expected {_either(self._prefixes())}")
        if key == "":
            raise self._fail(start, f"expected a name after {start.shown}; names that hold signs stand in backticks")
        if kind is Kind.ATTRIBUTE:
            return self._attribute(key, start)
        if kind is Kind.DATASET and key not in DATASET_KEYS:
            raise self._fail(start, f"datasets have no {shorten(key)!r}; expected {_either(DATASET_KEYS)}")
        return Field(kind=kind, key=key)

    def _prefix_and_key(self, token: Token) -> tuple[str, bool, str]:
        """Put a name's touching parts together: metrics.loss, metrics.`a b`, `metrics`.`a b`, `a b`."""
        if token.type is TokenType.WORD:
            prefix, dot, key = token.text.partition(".")
        elif self._peek.start == token.end and self._peek.text.startswith("."):
            prefix, dot, key = token.value, ".", self._take().text[1:]
        else:
            return token.value, False, ""
        if self._peek.type is TokenType.QUOTED and self._peek.start == self._last.end:
            if not dot or key:
                raise self._fail(self._peek, "quote the whole name after the dot, or none of it")
            key = self._take().value
        return prefix, bool(dot), key

    def _attribute(self, name: str, start: Token) -> Field:
        attribute = self._schema.attribute(name)
        if attribute is None:
            known = [attribute.name for attribute in self._schema.attributes]
            known += [f"{kind}.<name>" for kind in Kind if kind in self._schema.kinds and kind is not Kind.ATTRIBUTE]
            raise self._fail(
                start, f"{self._schema.rows} have no attribute {shorten(name)!r}; expected {_either(known)}"
            )
        return Field(kind=Kind.ATTRIBUTE, key=attribute.name)

    def _prefixes(self) -> list[str]:
        return [str(kind) for kind in Kind if kind in self._schema.kinds]

    # Operators

    def _operator(self, name: str) -> Op:
        token = self._peek
        if token.type is TokenType.SIGN and token.text in set(Op):
            return Op(self._take().text)
        match token.keyword:
            case "LIKE" | "ILIKE" | "IN":
                return Op(self._take().keyword)
            case "NOT":
                self._take()
                self._keyword("IN")
                return Op.NOT_IN
            case "IS":
                self._take()
                negated = self._peek.keyword == "NOT"
                if negated:
                    self._take()
                self._keyword("NULL")
                return Op.IS_NOT_NULL if negated else Op.IS_NULL
        hints = {"==": "; equality is written =", "<>": "; inequality is written !="}
        hint = hints.get(token.text, "")
        if token.type is TokenType.WORD:
            hint = "; names that hold spaces or signs stand in backticks"
        raise self._expected(f"an operator after {name!r}", hint=hint)

    # Values

    def _value(self, field: Field, op: Op, before: str) -> Value:
        if op in NULL_OPS:
            return None
        if op in LIST_OPS:
            return self._list(before)
        if self._schema.is_numeric(field):
            return self._number(before, whole=field.kind is not Kind.METRIC)
        token = self._peek
        value = self._string(f"after {before!r}")
        if op in {Op.LIKE, Op.ILIKE} and len(value) > MAX_PATTERN_LENGTH:
            found = f"a {op} pattern may have {MAX_PATTERN_LENGTH} characters, found {len(value)}"
            raise self._fail(token, found)
        return value

    def _list(self, before: str) -> tuple[str, ...]:
        self._mark("(", f"after {before!r}")
        values = [self._string(f"after {before + ' ('!r}")]
        while self._peek.is_mark(","):
            self._take()
            if self._peek.is_mark(")"):
                break
            values.append(self._string("after ','"))
        self._mark(")", f"or a comma after {self._last.shown}")
        return tuple(values)

    def _string(self, where: str) -> str:
        token = self._peek
        if self._schema.loose_quotes and _NUMBER.fullmatch(token.text):
            return self._take().text
        if token.type is not TokenType.QUOTED or token.quote == "`":
            bare = f"{shorten(token.text)} without quotes" if token.type is TokenType.WORD else token.shown
            raise self._fail(token, f"expected a string in quotes {where}, found {bare}")
        return self._take().value

    def _number(self, before: str, *, whole: bool) -> int | float:
        """The number at hand; `whole` keeps an integer that fits int64 an integer."""
        token = self._peek
        quoted = token.quote in {"'", '"'} and _NUMBER.fullmatch(token.value)
        text = token.value if quoted and self._schema.loose_quotes else token.text
        if not _NUMBER.fullmatch(text):
            hint = "; numbers stand without quotes" if quoted else ""
            raise self._expected(f"a number after {before!r}", hint=hint)
        self._take()
        integer = _INTEGER.fullmatch(text) if whole else None
        if integer is not None:
            exact = int(integer["digits"]) * (-1 if text.startswith("-") else 1)
            if _INT64_MIN <= exact <= _INT64_MAX:
                return exact
        value = float(text)
        if value in {float("inf"), float("-inf")}:
            raise self._fail(token, f"{token.shown} is beyond the range of a 64-bit float")
        return value

    # Tokens

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    @property
    def _last(self) -> Token:
        return self._tokens[self._next - 1]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _since(self, start: Token) -> str:
        """What was read from a token on, for a message."""
        return shorten(self._text[start.start : self._last.end])

    def _mark(self, mark: str, where: str) -> None:
        if not self._peek.is_mark(mark):
            raise self._expected(f"'{mark}' {where}")
        self._take()

    def _keyword(self, keyword: str) -> None:
        if self._peek.keyword != keyword:
            raise self._expected(f"{keyword} after {self._last.text}")
        self._take()

    def _expected(self, what: str, *, hint: str = "") -> BadFilter:
        return self._fail(self._peek, f"expected {what}, found {self._peek.shown}{hint}")

    def _fail(self, token: Token, problem: str) -> BadFilter:
        return fail(problem, source=self._source, position=token.start, field=self._field)


def _render_comparison(comparison: Comparison) -> str:
    left = f"{render_field(comparison.field)} {comparison.op}"
    match comparison.value:
        case None:
            return left
        case tuple(values):
            return f"{left} ({', '.join(_quote(value, chr(39)) for value in values)})"
        case str(value):
            return f"{left} {_quote(value, chr(39))}"
        case number:
            return f"{left} {number!r}"


def _quote(text: str, quote: str) -> str:
    return f"{quote}{text.replace(quote, quote * 2)}{quote}"


def _either(words: Sequence[str] | type[Aggregate]) -> str:
    *others, last = [str(word) for word in words]
    return f"{', '.join(others)} or {last}"
