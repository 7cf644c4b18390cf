"""The words, strings and signs of a filter text, each with its place. Their grammar is in `filter_grammar`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from stepwell.core.errors import BadFilter

MAX_TEXT_LENGTH = 65_536  # characters of one filter or one sort key

_SHOWN_LENGTH = 40
_TOKEN = re.compile(
    r"""
      (?P<space>  \s+ )
    | (?P<word>   [\w./:+@\#$-]+ )
    | (?P<quoted> '[^']*+(?:''[^']*+)*+' | "[^"]*+(?:""[^"]*+)*+" | `[^`]*+(?:``[^`]*+)*+` )
    | (?P<sign>   [<>=!]+ )
    | (?P<mark>   [(),] )
    """,
    re.VERBOSE,
)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class TokenType(Enum):
    """What a token is."""

    WORD = auto()  # a bare name, keyword or number
    QUOTED = auto()  # in ', " or `
    SIGN = auto()  # an operator of <, >, = and !
    MARK = auto()  # ( ) or ,
    END = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of the text: as written in `text`, from offset `start` up to `end`."""

    type: TokenType
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.start + len(self.text)

    @property
    def quote(self) -> str:
        """The quote that it stands in, or ""."""
        return self.text[0] if self.type is TokenType.QUOTED else ""

    @property
    def value(self) -> str:
        """The text without its quotes, doubled quotes single."""
        return self.text[1:-1].replace(self.quote * 2, self.quote) if self.quote else self.text

    @property
    def keyword(self) -> str:
        """A word in upper case, else ""."""
        return self.text.upper() if self.type is TokenType.WORD else ""

    @property
    def is_key(self) -> bool:
        """Whether it can be the quoted key of a name."""
        return self.quote in {"`", '"'}

    def is_mark(self, mark: str) -> bool:
        """Whether it is this parenthesis or comma."""
        return self.type is TokenType.MARK and self.text == mark

    @property
    def shown(self) -> str:
        """The token for a message, cut when long."""
        if self.type is TokenType.END:
            return "the end"
        return shorten(self.text) if self.quote else f"'{shorten(self.text)}'"


def tokenize(text: str, *, source: str, field: str) -> list[Token]:
    """The tokens of a text with two END behind them, so that one may always look one ahead.

    BadFilter: too long, NUL or a lone surrogate (no store can hold them), an open quote, a sign that means nothing.
    """
    if len(text) > MAX_TEXT_LENGTH:
        problem = f"the text has {len(text)} characters; at most {MAX_TEXT_LENGTH} are allowed"
        raise fail(problem, source=source, position=MAX_TEXT_LENGTH, field=field)
    if (unstorable := _UNSTORABLE.search(text)) is not None:
        raise fail(f"{unstorable[0]!r} is not allowed", source=source, position=unstorable.start(), field=field)
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise fail(_problem(text[position]), source=source, position=position, field=field)
        if found.lastgroup != "space":
            tokens.append(Token(type=TokenType[str(found.lastgroup).upper()], text=found[0], start=position))
        position = found.end()
    end = Token(type=TokenType.END, text="", start=position)
    return [*tokens, end, end]


def shorten(text: str) -> str:
    """The beginning of a text, for a message."""
    return text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "..."


def fail(problem: str, *, source: str, position: int, field: str) -> BadFilter:
    """The error for what stands at an offset; its message counts columns from 1."""
    return BadFilter(f"{source}, column {position + 1}: {problem}", position=position, field=field)


def _problem(sign: str) -> str:
    if sign in "'\"`":
        return f"the quote {sign} that opens here is never closed"
    return f"unexpected {sign!r}; names that hold signs stand in backticks, strings in quotes"
