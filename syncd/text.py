"""Text for people: whatever it is, it stays on its line and does not act up there."""


def printable(text: str) -> str:
    r"""Return the text on one line: \n, \x1b, lone surrogates, ... spelled out."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape").decode()
        for character in text
    )
