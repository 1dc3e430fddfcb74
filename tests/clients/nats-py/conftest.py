"""What the tests share: connections to the broker at NATS_URL, names of their own, and a stream of 100,000 messages."""

import asyncio
import itertools
import os
from dataclasses import dataclass

import nats
import pytest
from nats.js.api import StreamConfig

NATS_URL = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
MESSAGES = 100_000
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def connect():
    """Opens one more connection; the broker deals connections to its executors in turn."""
    connections = []

    async def open_one():
        connection = await nats.connect(NATS_URL, allow_reconnect=False)
        connections.append(connection)
        return connection

    yield open_one
    for connection in connections:
        await connection.close()


@pytest.fixture(scope="session")
async def nc(connect):
    return await connect()


@pytest.fixture(scope="session")
async def js(nc):
    return nc.jetstream(timeout=10)


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"py{next(_numbers)}"


@pytest.fixture
async def stream(js, name):
    """An empty stream `name` on the subjects `name.>`."""
    await js.add_stream(StreamConfig(name=name, subjects=[f"{name}.>"], allow_direct=True))
    return name


@dataclass
class Filled:
    """A stream whose message of sequence n has the subject `<name>.<n % 10>` and the payload n."""

    name: str
    pub_acks: list


@pytest.fixture(scope="session")
async def filled(connect):
    """Published once, with up to 4,000 pub acks in flight."""
    js = (await connect()).jetstream(publish_async_max_pending=4000)
    await js.add_stream(StreamConfig(name="pyfilled", subjects=["pyfilled.*"], allow_direct=True))
    pub_acks = [
        await js.publish_async(f"pyfilled.{number % 10}", b"%d" % number, wait_stall=10)
        for number in range(1, MESSAGES + 1)
    ]
    return Filled("pyfilled", await asyncio.gather(*pub_acks))
