"""Consumers: 100,000 messages read in every way, and redelivery."""

import asyncio
import time

import pytest
from nats.errors import TimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from conftest import MESSAGES


async def every_publish_in_flight_gets_the_pub_ack_of_its_sequence(js, filled):
    assert [ack.seq for ack in filled.pub_acks] == list(range(1, MESSAGES + 1))
    state = (await js.stream_info(filled.name)).state
    assert (state.messages, state.first_seq, state.last_seq) == (MESSAGES, 1, MESSAGES)


async def a_durable_pull_consumer_reads_all_and_acks_each(connect, filled):
    js = (await connect()).jetstream()
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=2000)
    subscription = await js.pull_subscribe(f"{filled.name}.*", "reader", filled.name, config)
    received = 0
    while received < MESSAGES:
        for message in await subscription.fetch(1000, timeout=10):
            received += 1
            assert_is_message(message, received)
            await (message.ack() if received < MESSAGES else message.ack_sync(timeout=10))

    info = await subscription.consumer_info()
    assert (info.num_pending, info.delivered.stream_seq) == (0, MESSAGES)
    assert (info.num_ack_pending, info.ack_floor.stream_seq) == (0, MESSAGES)


async def a_push_subscription_reads_all(connect, filled):
    js = (await connect()).jetstream()
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL)
    await read_all(js, filled, config=config, flow_control=True, idle_heartbeat=5)


async def a_push_subscription_with_explicit_acks_reads_one_subject(connect, filled):
    js = (await connect()).jetstream()
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=500)
    subscription = await js.subscribe(f"{filled.name}.7", stream=filled.name, durable="sevens", config=config)
    for number in range(7, MESSAGES + 1, 10):
        message = await subscription.next_msg(timeout=10)
        assert_is_message(message, number)
        await message.ack()
    assert (await subscription.consumer_info()).num_pending == 0


async def an_ordered_consumer_reads_all_in_order(connect, filled):
    await read_all((await connect()).jetstream(), filled, ordered_consumer=True)


async def a_nak_brings_the_message_again(js, stream):
    await js.publish(f"{stream}.a", b"again")
    subscription = await js.pull_subscribe(f"{stream}.a", "worker", stream)
    for delivered in range(1, 4):
        [message] = await subscription.fetch(1, timeout=5)
        assert (message.data, message.metadata.num_delivered) == (b"again", delivered)
        await message.nak()
    [message] = await subscription.fetch(1, timeout=5)
    await message.ack_sync(timeout=5)
    info = await subscription.consumer_info()
    assert (info.num_ack_pending, info.ack_floor.stream_seq) == (0, 1)


async def a_nak_with_a_delay_brings_the_message_after_it(js, stream):
    await js.publish(f"{stream}.a", b"later")
    subscription = await js.pull_subscribe(f"{stream}.a", "worker", stream)
    [message] = await subscription.fetch(1, timeout=5)
    await message.nak(delay=0.5)
    start = time.monotonic()
    [message] = await subscription.fetch(1, timeout=5)
    assert message.metadata.num_delivered == 2
    assert 0.4 < time.monotonic() - start < 4


async def a_message_without_ack_comes_again_after_ack_wait(js, stream):
    await js.publish(f"{stream}.a", b"again")
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=0.5)
    subscription = await js.pull_subscribe(f"{stream}.a", "worker", stream, config)
    start = time.monotonic()
    [message] = await subscription.fetch(1, timeout=5)
    assert message.metadata.num_delivered == 1
    [message] = await subscription.fetch(1, timeout=5)
    assert message.metadata.num_delivered == 2
    assert 0.4 < time.monotonic() - start < 4
    await message.ack_sync(timeout=5)
    with pytest.raises(TimeoutError):
        await subscription.fetch(1, timeout=1)


async def a_terminated_message_does_not_come_again(js, stream):
    await js.publish(f"{stream}.a", b"poison")
    await js.publish(f"{stream}.a", b"good")
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=0.2)
    subscription = await js.pull_subscribe(f"{stream}.a", "worker", stream, config)
    [message] = await subscription.fetch(1, timeout=5)
    await message.term()
    [message] = await subscription.fetch(1, timeout=5)
    assert message.data == b"good"
    await message.ack_sync(timeout=5)
    with pytest.raises(TimeoutError):
        await subscription.fetch(1, timeout=1)


async def a_push_queue_group_shares_the_messages(connect, js, stream):
    received = asyncio.Queue()
    for _ in range(3):
        member = (await connect()).jetstream()
        await member.subscribe(f"{stream}.a", queue="workers", stream=stream, cb=received.put)
    for number in range(1, 101):
        await js.publish(f"{stream}.a", b"%d" % number)
    messages = [await asyncio.wait_for(received.get(), 10) for _ in range(100)]
    assert sorted(int(message.data) for message in messages) == list(range(1, 101))


async def read_all(js, filled, **options):
    """Reads the whole stream by a push subscription. What the callback raised would be lost, so it only collects."""
    messages = []
    complete = asyncio.Event()

    async def on_message(message):
        messages.append(message)
        if len(messages) == MESSAGES:
            complete.set()

    subscription = await js.subscribe(
        f"{filled.name}.*", stream=filled.name, cb=on_message, manual_ack=True, **options
    )
    await asyncio.wait_for(complete.wait(), 40)
    await subscription.unsubscribe()
    for number, message in enumerate(messages, start=1):
        assert_is_message(message, number)


def assert_is_message(message, number):
    assert int(message.data) == number
    assert message.subject.endswith(f".{number % 10}")
    assert message.metadata.sequence.stream == number
