"""A text in the person's editor, while the window steps aside."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from pvenix.model.errors import UsageError
from pvenix_tui.outside import editor
from pvenix_tui.session import Session


async def in_editor(session: Session, text: str, path: str) -> str:
    """A text as the person left it in $EDITOR, in a scratch directory of its own.

    Raises: UsageError when the editor failed or left what is no text.
    """
    with TemporaryDirectory(prefix="pvenix-edit-") as folder:
        file = Path(folder) / Path(path).name
        file.write_text(text, encoding="utf-8")
        code = await session.run_outside([*editor(), str(file)])
        if code:
            raise UsageError(f"the editor ended with {code}", why="nothing was taken over", hint="E tries again")
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read as the editor left it", why=str(error)) from error
