"""30 MB of JSON read at once."""

import asyncio
import json

CAUSES = {"cpu-native"}
BODY = json.dumps([{"id": number, "name": f"item {number}", "price": number / 7} for number in range(480_000)])


async def handler(body):
    return json.loads(body)  # culprit


async def main():
    assert len(BODY) > 30_000_000
    await asyncio.gather(handler(BODY), asyncio.sleep(0.01))


if __name__ == "__main__":
    asyncio.run(main())
