// Core NATS: subjects, queue groups, requests and headers.

import { test } from "node:test";
import assert from "node:assert/strict";
import { errors, headers } from "@nats-io/transport-node";
import { connect, name, take } from "./fixtures.js";

const LIMIT = { timeout: 20_000 };

test("a wildcard subscription gets what matches and nothing else", LIMIT, async () => {
  const [subscriber, publisher, subject] = [await connect(), await connect(), name()];
  const oneToken = subscriber.subscribe(`${subject}.*.end`);
  const theRest = subscriber.subscribe(`${subject}.a.>`);
  await subscriber.flush();

  for (const rest of ["a.end", "b.end", "a.b.end", "a", "a.b.c", "last.end", "a.last"]) {
    publisher.publish(`${subject}.${rest}`, rest);
  }
  assert.deepEqual(await until(oneToken, "last.end"), ["a.end", "b.end", "last.end"]);
  assert.deepEqual(await until(theRest, "a.last"), ["a.end", "a.b.end", "a.b.c", "a.last"]);
});

test("an unsubscribe with a maximum delivers that many", LIMIT, async () => {
  const [nc, subject] = [await connect(), name()];
  const limited = nc.subscribe(subject, { max: 2 });
  const unlimited = nc.subscribe(subject);
  for (let number = 0; number < 5; number++) {
    nc.publish(subject, `${number}`);
  }
  assert.deepEqual(await until(unlimited, "4"), ["0", "1", "2", "3", "4"]);
  assert.equal((await take(limited)).length, 2);
});

test("one member of a queue group gets each message", LIMIT, async () => {
  // The members sit on several connections, and so on several executors. The message to all of them at the end tells
  // each that nothing more will come.
  const [publisher, subject] = [await connect(), name()];
  const members = [];
  for (let member = 0; member < 4; member++) {
    const nc = await connect();
    const received = [];
    nc.subscribe(subject, { queue: "workers", callback: (_, message) => received.push(Number(message.string())) });
    const end = nc.subscribe(`${subject}.end`);
    await nc.flush();
    members.push(take(end, 1).then(() => received));
  }
  for (let number = 0; number < 400; number++) {
    publisher.publish(subject, `${number}`);
  }
  publisher.publish(`${subject}.end`);

  const parts = await Promise.all(members);
  assert.deepEqual(parts.flat().sort((a, b) => a - b), [...Array(400).keys()]);
  assert(parts.every((part) => part.length > 0), "every member gets a part");
});

test("a request is answered by its responder", LIMIT, async () => {
  const [responder, nc, subject] = [await connect(), await connect(), name()];
  responder.subscribe(subject, { callback: (_, message) => message.respond(message.string().toUpperCase()) });
  await responder.flush();
  const numbers = [...Array(50).keys()];
  const replies = await Promise.all(numbers.map((n) => nc.request(subject, `question ${n}`, { timeout: 5000 })));
  assert.deepEqual(replies.map((reply) => reply.string()), numbers.map((n) => `QUESTION ${n}`));
});

test("a request is answered by many responders", LIMIT, async () => {
  const [nc, subject] = [await connect(), name()];
  for (let number = 0; number < 3; number++) {
    const responder = await connect();
    responder.subscribe(subject, { callback: (_, message) => message.respond(`${number}`) });
    await responder.flush();
  }
  const replies = await take(await nc.requestMany(subject, "", { maxMessages: 3, maxWait: 10_000 }), 3);
  assert.deepEqual(replies.map((reply) => reply.string()).sort(), ["0", "1", "2"]);
});

test("a request without responders fails at once", LIMIT, async () => {
  const nc = await connect();
  await assert.rejects(nc.request(name(), "anyone?", { timeout: 60_000 }), (error) =>
    error instanceof errors.NoRespondersError || error.isNoResponders());
});

test("headers arrive as they were sent", LIMIT, async () => {
  const [subscriber, nc, subject] = [await connect(), await connect(), name()];
  const subscription = subscriber.subscribe(subject);
  await subscriber.flush();
  const sent = headers();
  sent.append("Trace", "a b: c");
  sent.append("Many", "one");
  sent.append("Many", "two");
  sent.append("lower-case", "kept");
  nc.publish(subject, "payload", { headers: sent });
  nc.publish(subject, "", { headers: sent });

  const messages = await take(subscription, 2);
  assert.deepEqual(messages.map((message) => message.string()), ["payload", ""]);
  for (const { headers: received } of messages) {
    assert.deepEqual(received.values("Many"), ["one", "two"]);
    assert.equal(received.get("Trace"), "a b: c");
    assert.equal(received.get("lower-case"), "kept");
  }
});

test("a large payload arrives whole", LIMIT, async () => {
  const [subscriber, nc, subject] = [await connect(), await connect(), name()];
  const payload = Uint8Array.from({ length: nc.info.max_payload }, (_, index) => index % 251);
  const subscription = subscriber.subscribe(subject);
  await subscriber.flush();
  nc.publish(subject, payload);
  const [message] = await take(subscription, 1);
  assert.deepEqual(Buffer.from(message.data), Buffer.from(payload));
});

/** The payloads up to `last`. */
async function until(subscription, last) {
  const payloads = [];
  for await (const message of subscription) {
    payloads.push(message.string());
    if (payloads.at(-1) === last) {
      break;
    }
  }
  return payloads;
}
