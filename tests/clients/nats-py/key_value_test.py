"""Key-value: buckets are streams, and their functions are the client's."""

import pytest
from nats.js.api import KeyValueConfig
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError


@pytest.fixture
async def bucket(js, name):
    return await js.create_key_value(KeyValueConfig(bucket=name, history=5))


async def a_key_is_put_and_got(bucket):
    assert await bucket.put("color", b"red") == 1
    assert await bucket.put("color", b"blue") == 2
    entry = await bucket.get("color")
    assert (entry.key, entry.value, entry.revision) == ("color", b"blue", 2)
    assert (await bucket.get("color", revision=1)).value == b"red"
    with pytest.raises(KeyNotFoundError):
        await bucket.get("size")


async def a_key_is_created_once(bucket):
    assert await bucket.create("color", b"red") == 1
    with pytest.raises(KeyWrongLastSequenceError):
        await bucket.create("color", b"blue")
    await bucket.delete("color")
    assert await bucket.create("color", b"green") == 3


async def a_key_is_updated_only_from_its_last_revision(bucket):
    first = await bucket.create("color", b"red")
    second = await bucket.update("color", b"blue", last=first)
    with pytest.raises(KeyWrongLastSequenceError):
        await bucket.update("color", b"green", last=first)
    assert (await bucket.get("color")).revision == second


async def a_deleted_key_is_not_found_and_keeps_its_history(bucket):
    await bucket.put("color", b"red")
    await bucket.delete("color")
    with pytest.raises(KeyNotFoundError):
        await bucket.get("color")
    assert [(entry.operation, entry.value) for entry in await bucket.history("color")] == [(None, b"red"), ("DEL", b"")]
    await bucket.purge("color")
    assert [entry.operation for entry in await bucket.history("color")] == ["PURGE"]


async def keys_are_listed_without_the_deleted(bucket):
    for key in ["a", "b", "c.d"]:
        await bucket.put(key, b"")
    await bucket.delete("b")
    assert sorted(await bucket.keys()) == ["a", "c.d"]


async def a_watch_shows_what_is_there_and_then_what_changes(bucket):
    await bucket.put("color", b"red")
    await bucket.put("color", b"blue")
    watcher = await bucket.watch("color")
    assert (await watcher.updates()).value == b"blue"
    assert await watcher.updates() is None, "the end of what was there"

    await bucket.put("size", b"7")
    await bucket.put("color", b"green")
    await bucket.delete("color")
    assert (await watcher.updates()).value == b"green"
    assert (await watcher.updates()).operation == "DEL"
    await watcher.stop()


async def a_history_holds_the_last_values_of_a_key(bucket):
    for number in range(7):
        await bucket.put("count", b"%d" % number)
        await bucket.put("other", b"")
    assert [entry.value for entry in await bucket.history("count")] == [b"2", b"3", b"4", b"5", b"6"]


async def a_bucket_is_deleted(js, bucket, name):
    await bucket.put("color", b"red")
    assert (await bucket.status()).values == 1
    assert await js.delete_key_value(name)
    with pytest.raises(BucketNotFoundError):
        await js.key_value(name)
