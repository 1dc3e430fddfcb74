"""Core NATS: subjects, queue groups, requests and headers."""

import asyncio

import pytest
from nats.errors import NoRespondersError


async def a_wildcard_subscription_gets_what_matches_and_nothing_else(nc, connect, name):
    subscriber = await connect()
    one_token = await subscriber.subscribe(f"{name}.*.end")
    the_rest = await subscriber.subscribe(f"{name}.a.>")
    await subscriber.flush()

    for subject in ["a.end", "b.end", "a.b.end", "a", "a.b.c", "last.end", "a.last"]:
        await nc.publish(f"{name}.{subject}", subject.encode())

    assert await until(one_token, b"last.end") == [b"a.end", b"b.end", b"last.end"]
    assert await until(the_rest, b"a.last") == [b"a.end", b"a.b.end", b"a.b.c", b"a.last"]


async def an_unsubscribe_with_a_maximum_delivers_that_many(nc, name):
    limited = await nc.subscribe(name)
    unlimited = await nc.subscribe(name)
    await limited.unsubscribe(limit=2)
    for number in range(5):
        await nc.publish(name, b"%d" % number)
    assert await until(unlimited, b"4") == [b"0", b"1", b"2", b"3", b"4"]
    assert [(await limited.next_msg(timeout=5)).data for _ in range(2)] == [b"0", b"1"]
    assert limited.delivered == 2


async def one_member_of_a_queue_group_gets_each_message(nc, connect, name):
    """The members sit on several connections, and so on several executors. The message to all of them at the end tells
    each that nothing more will come."""
    members = []
    for _ in range(4):
        connection = await connect()
        members.append(await subscription_until_end(connection, name, queue="workers"))
    for number in range(400):
        await nc.publish(name, b"%d" % number)
    await nc.publish(f"{name}.end")

    received = await asyncio.gather(*(asyncio.wait_for(done, 10) for done in members))
    assert sorted(int(data) for part in received for data in part) == list(range(400))
    assert all(part for part in received), "every member gets a part"


async def a_request_is_answered_by_its_responder(nc, connect, name):
    async def answer(message):
        await message.respond(message.data.upper())

    responder = await connect()
    await responder.subscribe(name, cb=answer)
    await responder.flush()
    replies = await asyncio.gather(*(nc.request(name, b"question %d" % number, timeout=5) for number in range(50)))
    assert [reply.data for reply in replies] == [b"QUESTION %d" % number for number in range(50)]


async def a_request_without_responders_fails_at_once(nc, name):
    with pytest.raises(NoRespondersError):
        await nc.request(name, b"anyone?", timeout=30)


async def headers_arrive_as_they_were_sent(nc, connect, name):
    headers = {"Trace": "a b: c", "X-Empty": "", "lower-case": "kept"}
    subscriber = await connect()
    subscription = await subscriber.subscribe(name)
    await subscriber.flush()
    await nc.publish(name, b"payload", headers=headers)
    await nc.publish(name, b"", headers=headers)

    for payload in [b"payload", b""]:
        message = await subscription.next_msg(timeout=5)
        assert message.headers == headers
        assert message.data == payload


async def a_large_payload_arrives_whole(nc, connect, name):
    payload = bytes(range(256)) * 4096
    assert len(payload) == nc.max_payload
    subscriber = await connect()
    subscription = await subscriber.subscribe(name)
    await subscriber.flush()
    await nc.publish(name, payload)
    assert (await subscription.next_msg(timeout=5)).data == payload


async def until(subscription, last):
    """The payloads up to `last`."""
    payloads = []
    while not payloads or payloads[-1] != last:
        payloads.append((await subscription.next_msg(timeout=5)).data)
    return payloads


async def subscription_until_end(connection, subject, queue):
    """A future of the payloads that came to the queue group's member before the message on `<subject>.end`."""
    payloads = []
    done = asyncio.get_running_loop().create_future()

    async def on_message(message):
        if message.subject == subject:
            payloads.append(message.data)

    async def on_end(_):
        # The two subscriptions of this client have a task each; what came first is seen first only on the wire.
        await member.drain()
        done.set_result(payloads)

    member = await connection.subscribe(subject, queue=queue, cb=on_message)
    await connection.subscribe(f"{subject}.end", cb=on_end)
    await connection.flush()
    return done
