"""Syntax errors in human words."""

from __future__ import annotations

import re

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.lexer import PatternStr, TerminalDef

from ...ir import Diagnostic
from ...ir.diagnostics import nearest
from .faults import Faults
from .syntax import Span

_WORDS = {
    "NAME": "a name",
    "STRING": 'a string in quotes (")',
    "INT": "a whole number",
    "FLOAT": "a number",
    "WEIGHT_NAME": "a weight (@name)",
    "RANGE": "'..' or '..='",
    "NOT": "'!'",
    "$END": "the end of the text",
}
_HIDDEN = {"RUN", "CELL_RUN"}
_GROUPS = (
    ({"NAME", "INT", "FLOAT", "PI", "LPAR", "MINUS", "NOT", "STRING"}, "an expression"),
    ({"PLUS", "MINUS", "STAR", "SLASH", "PERCENT", "POWER", "AND", "BAR", "CARET"}, "an operator"),
    ({"INT", "FLOAT", "INF", "NAN", "MINUS"}, "a number"),
    ({"TRUE", "FALSE", "NONE", "UNKNOWN_SIZE"}, "true, false, none or ?"),
    ({"NAME", "STRING"}, "a name"),
)
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|#.*')
_WORD = re.compile(r"[A-Za-z_]\w*")


def explain(error: UnexpectedInput, grammar: Lark, faults: Faults) -> Diagnostic:
    """The diagnostic for a syntax error: what was found, where, and what would be right."""
    if isinstance(error, UnexpectedToken):
        return _token(error, grammar, faults)
    if isinstance(error, UnexpectedCharacters):
        return _character(error, grammar, faults)
    raise error


def _token(error: UnexpectedToken, grammar: Lark, faults: Faults) -> Diagnostic:
    allowed = set(error.accepts or error.expected) - _HIDDEN
    token, last = error.token, _last_before(faults.lines, error.line, error.column)
    expected = _sentence(allowed, grammar)
    if token.type == "$END":
        return faults.diagnostic("P0001", f"the text ends where it needs {expected}", last, _block_help(allowed))
    if "SEMICOLON" in allowed and last.line < error.line:
        help = f"or go on with {others}" if (others := _sentence(allowed - {"SEMICOLON"}, grammar)) else ""
        return faults.diagnostic("P0001", "a ';' is missing at the end of this line", _after(last), help)
    span = Span(error.line, error.column, len(token))
    help = _help(str(token), allowed, grammar)
    return faults.diagnostic("P0001", f"found '{token}' where the language needs {expected}", span, help)


def _character(error: UnexpectedCharacters, grammar: Lark, faults: Faults) -> Diagnostic:
    span = Span(error.line, error.column)
    found = faults.lines[error.line - 1][error.column - 1]
    if found == '"':
        help = 'strings follow JSON: they end on their line, a quote inside is \\" and a backslash \\\\'
        return faults.diagnostic("P0001", "a string is not closed, or has an escape that is not known", span, help)
    shown = f"'{found}'" if found.isprintable() else f"character {ord(found):#04x}"
    help = "a name with other characters than letters, digits, _ and . stands in quotes" if found.isalpha() else ""
    expected = _sentence((error.allowed or set()) - _HIDDEN, grammar)
    return faults.diagnostic("P0001", f"found {shown} where the language needs {expected}", span, help)


def _sentence(allowed: set[str], grammar: Lark) -> str:
    """`';', an operator or '->'`: groups of terminals by one word each."""
    words: list[str] = []
    rest = set(allowed)
    for group, word in _GROUPS:
        if group <= rest:
            words.append(word)
            rest -= group
    literal, other = [], []
    for terminal in grammar.terminals:
        if terminal.name in rest:
            known = _WORDS.get(terminal.name)
            (other if known else literal).append(known or _literal(terminal))
    words = [*sorted(literal), *words, *other, *(["the end of the text"] if "$END" in rest else [])]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1] if words else ""


def _literal(terminal: TerminalDef) -> str:
    pattern = terminal.pattern
    return f"'{pattern.value}'" if isinstance(pattern, PatternStr) else terminal.name.lower()


def _help(found: str, allowed: set[str], grammar: Lark) -> str:
    """A keyword that is nearly what was found; or how a reserved word becomes a name."""
    if not _WORD.fullmatch(found):
        return _block_help(allowed) if found == "}" else ""
    keywords = {
        t.pattern.value: t.name
        for t in grammar.terminals
        if isinstance(t.pattern, PatternStr) and _WORD.fullmatch(t.pattern.value)
    }
    if found in keywords and "NAME" in allowed:
        return f'{found} is a word of the language; in quotes, "{found}", it is a name'
    close = nearest(found, [word for word, name in keywords.items() if name in allowed])
    return f"did you mean {' or '.join(close)}?" if close else ""


def _block_help(allowed: set[str]) -> str:
    if "RETURN" in allowed:
        return "a graph ends with 'return value, ...;'"
    return "a '{' is not closed" if "RBRACE" in allowed else ""


def _after(span: Span) -> Span:
    return Span(span.line, span.column + span.length)


def _last_before(lines: list[str], line: int, column: int) -> Span:
    """The last character before a place that is neither blank nor in a comment."""
    if line < 1:
        line, column = len(lines), len(lines[-1]) + 1
    for number in range(min(line, len(lines)), 0, -1):
        text = lines[number - 1][: column - 1] if number == line else lines[number - 1]
        text = _COMMENT.sub(lambda m: m[1] or "", text).rstrip()
        if text:
            return Span(number, len(text))
    return Span(1, 1)
