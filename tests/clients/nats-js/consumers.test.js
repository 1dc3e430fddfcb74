// Consumers: 100,000 messages read in every way, and redelivery.

import { before, test } from "node:test";
import assert from "node:assert/strict";
import { createInbox, nanos } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, emptyStream, filledStream, MESSAGES, take } from "./fixtures.js";

const LIMIT = { timeout: 40_000 };
let filled;
before(async () => (filled = await filledStream()), { timeout: 60_000 });

test("every publish in flight gets the pub ack of its sequence", LIMIT, async () => {
  assert.deepEqual(filled.pubAcks.map((ack) => ack.seq), Array.from({ length: MESSAGES }, (_, index) => index + 1));
  const { state } = await (await jetstreamManager(await connect())).streams.info(filled.stream);
  assert.deepEqual([state.messages, state.first_seq, state.last_seq], [MESSAGES, 1, MESSAGES]);
});

test("a durable pull consumer reads all and acks each", LIMIT, async () => {
  const nc = await connect();
  const jsm = await jetstreamManager(nc);
  await jsm.consumers.add(filled.stream, { durable_name: "reader", ack_policy: "explicit", max_ack_pending: 2000 });
  const consumer = await jetstream(nc).consumers.get(filled.stream, "reader");
  let received = 0;
  for await (const message of await consumer.consume({ max_messages: 1000 })) {
    received += 1;
    assertIsMessage(message, received);
    if (received === MESSAGES) {
      await message.ackAck();
      break;
    }
    message.ack();
  }
  const info = await consumer.info();
  assert.deepEqual([info.num_pending, info.delivered.stream_seq], [0, MESSAGES]);
  assert.deepEqual([info.num_ack_pending, info.ack_floor.stream_seq], [0, MESSAGES]);
});

test("a push subscription reads all", LIMIT, async () => {
  const nc = await connect();
  const jsm = await jetstreamManager(nc);
  await jsm.consumers.add(filled.stream, {
    name: "pushed",
    ack_policy: "none",
    deliver_subject: createInbox(),
    flow_control: true,
    idle_heartbeat: nanos(5000),
  });
  const consumer = await jetstream(nc).consumers.getPushConsumer(filled.stream, "pushed");
  await assertReadsAll(await consumer.consume());
});

test("a push subscription with explicit acks reads one subject", LIMIT, async () => {
  const nc = await connect();
  const jsm = await jetstreamManager(nc);
  await jsm.consumers.add(filled.stream, {
    durable_name: "sevens",
    ack_policy: "explicit",
    max_ack_pending: 500,
    deliver_subject: createInbox(),
    filter_subject: `${filled.stream}.7`,
  });
  const consumer = await jetstream(nc).consumers.getPushConsumer(filled.stream, "sevens");
  let number = 7;
  for await (const message of await consumer.consume()) {
    assertIsMessage(message, number);
    if (number + 10 > MESSAGES) {
      await message.ackAck();
      break;
    }
    message.ack();
    number += 10;
  }
  const info = await jsm.consumers.info(filled.stream, "sevens");
  assert.deepEqual([info.num_pending, info.num_ack_pending], [0, 0]);
});

test("an ordered consumer reads all in order", LIMIT, async () => {
  const consumer = await jetstream(await connect()).consumers.get(filled.stream);
  await assertReadsAll(await consumer.consume({ max_messages: 1000 }));
});

test("an ordered push consumer reads all in order", LIMIT, async () => {
  const consumer = await jetstream(await connect()).consumers.getPushConsumer(filled.stream);
  await assertReadsAll(await consumer.consume());
});

test("a nak brings the message again", LIMIT, async () => {
  const { consumer } = await worker({});
  for (let delivered = 1; delivered <= 3; delivered++) {
    const message = await consumer.next({ expires: 5000 });
    assert.equal(message.info.deliveryCount, delivered);
    message.nak();
  }
  await (await consumer.next({ expires: 5000 })).ackAck();
  const info = await consumer.info();
  assert.deepEqual([info.num_ack_pending, info.ack_floor.stream_seq], [0, 1]);
});

test("a nak with a delay brings the message after it", LIMIT, async () => {
  const { consumer } = await worker({});
  const start = performance.now();
  (await consumer.next({ expires: 5000 })).nak(500);
  const message = await consumer.next({ expires: 5000 });
  assert.equal(message.info.deliveryCount, 2);
  assert(performance.now() - start > 400);
});

test("a message without ack comes again after ack_wait", LIMIT, async () => {
  const { consumer } = await worker({ ack_wait: nanos(500) });
  const start = performance.now();
  assert.equal((await consumer.next({ expires: 5000 })).info.deliveryCount, 1);
  const message = await consumer.next({ expires: 5000 });
  assert.equal(message.info.deliveryCount, 2);
  assert(performance.now() - start > 400);
  await message.ackAck();
  assert.equal(await consumer.next({ expires: 1000 }), null);
});

test("a message is delivered no more than max_deliver says", LIMIT, async () => {
  const { consumer } = await worker({ max_deliver: 2 });
  for (let delivered = 1; delivered <= 2; delivered++) {
    (await consumer.next({ expires: 5000 })).nak();
  }
  assert.equal(await consumer.next({ expires: 1000 }), null);
});

test("a terminated message does not come again", LIMIT, async () => {
  const { consumer } = await worker({ ack_wait: nanos(200) });
  (await consumer.next({ expires: 5000 })).term("poison");
  assert.equal(await consumer.next({ expires: 1000 }), null);
});

test("a fetch ends when there is nothing more", LIMIT, async () => {
  const { js, stream, consumer } = await worker({});
  await js.publish(`${stream}.b`, "2");
  const messages = await take(await consumer.fetch({ max_messages: 10, expires: 1000 }));
  assert.deepEqual(messages.map((message) => message.seq), [1, 2]);
});

test("consumers are listed and deleted", LIMIT, async () => {
  const { jsm, stream } = await worker({});
  await jsm.consumers.add(stream, { durable_name: "other", ack_policy: "none" });
  const listed = await take(jsm.consumers.list(stream));
  assert.deepEqual(listed.map((info) => info.name).sort(), ["other", "worker"]);
  assert(await jsm.consumers.delete(stream, "other"));
  await assert.rejects(jsm.consumers.info(stream, "other"), { code: 10014 });
});

/** A stream with one message, and a durable pull consumer `worker` with explicit acks on it. */
async function worker(config) {
  const { js, jsm, stream } = await emptyStream();
  await js.publish(`${stream}.a`, "1");
  await jsm.consumers.add(stream, { durable_name: "worker", ack_policy: "explicit", ...config });
  return { js, jsm, stream, consumer: await js.consumers.get(stream, "worker") };
}

async function assertReadsAll(messages) {
  let received = 0;
  for await (const message of messages) {
    received += 1;
    assertIsMessage(message, received);
    if (received === MESSAGES) {
      break;
    }
  }
}

function assertIsMessage(message, number) {
  // One comparison for most messages: `assert` builds its texts only for the wrong one.
  if (message.seq !== number || message.string() !== `${number}` || !message.subject.endsWith(`.${number % 10}`)) {
    assert.fail(`message ${number} has sequence ${message.seq}, subject ${message.subject}, payload ${message.string()}`);
  }
}
