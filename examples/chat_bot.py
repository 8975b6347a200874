"""A chat bot that looks for questions. The trap: a regular expression that takes twice as long for each letter more.

    loopstall watch examples/chat_bot.py

needs nothing but Python: the bot, the chat and three people in it are one program. The way out is another expression
(here `text.rstrip().endswith("?")`); what comes from strangers belongs into a process with a time limit.
"""

import asyncio
import re

QUESTION = re.compile(r"^(\w+\s?)*\?$")
MESSAGES = ("is anybody here?", "yes", "ohnothatisalongword eh", "are you there?")


def is_question(text: str) -> bool:
    """Says whether a message asks for something."""
    return QUESTION.match(text) is not None  # the trap: nobody is answered while it backtracks


async def bot(inbox: asyncio.Queue[str | None]) -> None:
    """Answers the questions."""
    while (text := await inbox.get()) is not None:
        print(f"bot: let me see, {text}" if is_question(text) else f"bot: noted, {text}", flush=True)


async def person(inbox: asyncio.Queue[str | None]) -> None:
    """Writes a few messages."""
    for text in MESSAGES:
        await inbox.put(text)
        await asyncio.sleep(0.02)


async def main() -> None:
    """Runs the chat until everybody has gone."""
    inbox: asyncio.Queue[str | None] = asyncio.Queue()
    answering = asyncio.create_task(bot(inbox))
    await asyncio.gather(*(person(inbox) for _ in range(3)))
    await inbox.put(None)
    await answering


if __name__ == "__main__":
    asyncio.run(main())
