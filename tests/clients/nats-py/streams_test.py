"""Streams: creation, publishing, purge, deletion and direct get."""

import pytest
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import APIError, BadRequestError, NoStreamResponseError, NotFoundError


@pytest.mark.parametrize("storage", [StorageType.FILE, StorageType.MEMORY])
async def a_stream_is_created_with_what_was_asked_for(js, name, storage):
    config = StreamConfig(
        name=name,
        description="for a test",
        subjects=[f"{name}.a", f"{name}.b.*"],
        storage=storage,
        max_msgs=1000,
        max_bytes=1_000_000,
        max_age=3600,
        max_msgs_per_subject=10,
        duplicate_window=60,
        metadata={"owner": "tests"},
    )
    created = await js.add_stream(config)
    assert (created.state.messages, created.state.first_seq, created.state.last_seq) == (0, 0, 0)

    found = (await js.stream_info(name)).config
    for field in ["name", "description", "subjects", "storage", "max_msgs", "max_bytes", "max_age",
                  "max_msgs_per_subject", "duplicate_window"]:
        assert getattr(found, field) == getattr(config, field), field
    assert found.metadata["owner"] == "tests"
    assert await js.find_stream_name_by_subject(f"{name}.b.c") == name
    assert name in [info.config.name for info in await js.streams_info()]


async def a_stream_on_taken_subjects_is_refused(js, stream, name):
    with pytest.raises(BadRequestError) as refused:
        await js.add_stream(StreamConfig(name=f"{name}-other", subjects=[f"{name}.x"]))
    assert refused.value.err_code == 10065


async def a_stream_is_updated(js, stream):
    await js.update_stream(StreamConfig(name=stream, subjects=[f"{stream}.>", f"{stream}-more"], max_msgs=2))
    for number in range(1, 4):
        assert (await js.publish(f"{stream}-more", b"")).seq == number
    state = (await js.stream_info(stream)).state
    assert (state.messages, state.first_seq, state.last_seq) == (2, 2, 3)


async def a_publish_that_no_stream_takes_fails_at_once(js, name):
    with pytest.raises(NoStreamResponseError):
        await js.publish(f"{name}.nowhere", b"", timeout=30)


async def a_message_published_twice_is_stored_once(js, stream):
    first = await js.publish(f"{stream}.a", b"once", headers={"Nats-Msg-Id": "1"})
    again = await js.publish(f"{stream}.a", b"once", headers={"Nats-Msg-Id": "1"})
    assert (first.seq, first.duplicate) == (1, None)
    assert (again.seq, again.duplicate) == (1, True)
    assert (await js.stream_info(stream)).state.messages == 1


async def a_publish_that_expects_another_last_sequence_is_refused(js, stream):
    await js.publish(f"{stream}.a", b"")
    with pytest.raises(APIError) as refused:
        await js.publish(f"{stream}.a", b"", headers={"Nats-Expected-Last-Sequence": "7"})
    assert refused.value.err_code == 10071
    assert (await js.stream_info(stream)).state.messages == 1


async def a_purge_removes_the_messages_it_names(js, stream):
    for number in range(1, 11):
        await js.publish(f"{stream}.{number % 2}", b"%d" % number)

    await js.purge_stream(stream, subject=f"{stream}.0")
    assert (await js.stream_info(stream)).state.messages == 5
    await js.purge_stream(stream, seq=4)
    assert (await js.stream_info(stream)).state.first_seq == 5
    await js.purge_stream(stream, keep=1)
    assert (await js.stream_info(stream)).state.messages == 1
    await js.purge_stream(stream)
    state = (await js.stream_info(stream)).state
    assert (state.messages, state.first_seq, state.last_seq) == (0, 11, 10)


async def a_deleted_message_is_gone_and_the_others_stay(js, stream):
    for number in range(1, 4):
        await js.publish(f"{stream}.a", b"%d" % number)
    assert await js.delete_msg(stream, 2)

    for direct in [False, True]:
        with pytest.raises(NotFoundError):
            await js.get_msg(stream, 2, direct=direct)
        assert (await js.get_msg(stream, 3, direct=direct)).data == b"3"
    state = (await js.stream_info(stream)).state
    assert (state.messages, state.first_seq, state.last_seq, state.num_deleted) == (2, 1, 3, 1)


async def a_deleted_stream_is_gone_and_its_subjects_are_free(js, stream):
    await js.publish(f"{stream}.a", b"")
    assert await js.delete_stream(stream)
    with pytest.raises(NotFoundError):
        await js.stream_info(stream)

    again = await js.add_stream(StreamConfig(name=stream, subjects=[f"{stream}.>"]))
    assert again.state.messages == 0
    assert (await js.publish(f"{stream}.a", b"")).seq == 1


async def a_direct_get_finds_messages_by_sequence_and_by_subject(js, stream):
    await js.publish(f"{stream}.a", b"first", headers={"Kind": "one"})
    await js.publish(f"{stream}.b", b"second")
    await js.publish(f"{stream}.a", b"third")

    first = await js.get_msg(stream, 1, direct=True)
    assert (first.seq, first.subject, first.data, first.headers["Kind"]) == (1, f"{stream}.a", b"first", "one")
    assert (await js.get_last_msg(stream, f"{stream}.a", direct=True)).seq == 3
    assert (await js.get_msg(stream, 2, subject=f"{stream}.a", direct=True, next=True)).data == b"third"
    with pytest.raises(NotFoundError):
        await js.get_msg(stream, 4, direct=True)
