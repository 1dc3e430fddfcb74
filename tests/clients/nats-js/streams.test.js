// Streams: creation, publishing, purge, deletion and direct get.

import { test } from "node:test";
import assert from "node:assert/strict";
import { headers, nanos } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, emptyStream, name, take } from "./fixtures.js";

const LIMIT = { timeout: 20_000 };

for (const storage of ["file", "memory"]) {
  test(`a stream in ${storage} storage is created with what was asked for`, LIMIT, async () => {
    const jsm = await jetstreamManager(await connect());
    const stream = name();
    const config = {
      name: stream,
      description: "for a test",
      subjects: [`${stream}.a`, `${stream}.b.*`],
      storage,
      max_msgs: 1000,
      max_bytes: 1_000_000,
      max_age: nanos(3_600_000),
      max_msgs_per_subject: 10,
      duplicate_window: nanos(60_000),
    };
    const created = await jsm.streams.add({ ...config, metadata: { owner: "tests" } });
    assert.deepEqual([created.state.messages, created.state.first_seq, created.state.last_seq], [0, 0, 0]);

    const found = (await jsm.streams.info(stream)).config;
    for (const field of Object.keys(config)) {
      assert.deepEqual(found[field], config[field], field);
    }
    assert.equal(found.metadata.owner, "tests");
    assert.equal(await jsm.streams.find(`${stream}.b.c`), stream);
    assert((await take(jsm.streams.names())).includes(stream));
  });
}

test("a stream on taken subjects is refused", LIMIT, async () => {
  const { jsm, stream } = await emptyStream();
  await assert.rejects(jsm.streams.add({ name: name(), subjects: [`${stream}.x`] }), { code: 10065 });
});

test("a stream is updated", LIMIT, async () => {
  const { js, jsm, stream } = await emptyStream();
  await jsm.streams.update(stream, { subjects: [`${stream}.>`, `${stream}-more`], max_msgs: 2 });
  for (let number = 1; number <= 3; number++) {
    assert.equal((await js.publish(`${stream}-more`)).seq, number);
  }
  const { state } = await jsm.streams.info(stream);
  assert.deepEqual([state.messages, state.first_seq, state.last_seq], [2, 2, 3]);
});

test("a publish that no stream takes fails", LIMIT, async () => {
  const { js } = await emptyStream();
  await assert.rejects(js.publish(name(), "", { timeout: 60_000 }));
});

test("a message published twice is stored once", LIMIT, async () => {
  const { js, jsm, stream } = await emptyStream();
  const first = await js.publish(`${stream}.a`, "once", { msgID: "1" });
  const again = await js.publish(`${stream}.a`, "once", { msgID: "1" });
  assert.deepEqual([first.seq, first.duplicate], [1, false]);
  assert.deepEqual([again.seq, again.duplicate], [1, true]);
  assert.equal((await jsm.streams.info(stream)).state.messages, 1);
});

test("a publish that expects another last sequence is refused", LIMIT, async () => {
  const { js, jsm, stream } = await emptyStream();
  await js.publish(`${stream}.a`);
  await assert.rejects(js.publish(`${stream}.a`, "", { expect: { lastSequence: 7 } }), { code: 10071 });
  await js.publish(`${stream}.a`, "", { expect: { lastSequence: 1 } });
  assert.equal((await jsm.streams.info(stream)).state.messages, 2);
});

test("a purge removes the messages it names", LIMIT, async () => {
  const { js, jsm, stream } = await emptyStream();
  for (let number = 1; number <= 10; number++) {
    await js.publish(`${stream}.${number % 2}`, `${number}`);
  }
  assert.equal((await jsm.streams.purge(stream, { filter: `${stream}.0` })).purged, 5);
  assert.equal((await jsm.streams.purge(stream, { seq: 4 })).purged, 2);
  assert.equal((await jsm.streams.purge(stream, { keep: 1 })).purged, 2);
  assert.equal((await jsm.streams.purge(stream)).purged, 1);
  const { state } = await jsm.streams.info(stream);
  assert.deepEqual([state.messages, state.first_seq, state.last_seq], [0, 11, 10]);
});

test("a deleted message is gone and the others stay", LIMIT, async () => {
  const { js, jsm, stream } = await emptyStream();
  for (let number = 1; number <= 3; number++) {
    await js.publish(`${stream}.a`, `${number}`);
  }
  assert(await jsm.streams.deleteMessage(stream, 2));
  assert.equal(await jsm.streams.getMessage(stream, { seq: 2 }), null);
  assert.equal(await jsm.direct.getMessage(stream, { seq: 2 }), null);
  assert.equal((await jsm.streams.getMessage(stream, { seq: 3 })).string(), "3");
  const { state } = await jsm.streams.info(stream, { deleted_details: true });
  assert.deepEqual([state.messages, state.first_seq, state.last_seq, state.deleted], [2, 1, 3, [2]]);
});

test("a deleted stream is gone and its subjects are free", LIMIT, async () => {
  const { js, jsm, stream } = await emptyStream();
  await js.publish(`${stream}.a`);
  assert(await jsm.streams.delete(stream));
  await assert.rejects(jsm.streams.info(stream), { code: 10059 });

  const again = await jsm.streams.add({ name: stream, subjects: [`${stream}.>`] });
  assert.equal(again.state.messages, 0);
  assert.equal((await js.publish(`${stream}.a`)).seq, 1);
});

test("a direct get finds messages by sequence, by subject and in batches", LIMIT, async () => {
  const { js, jsm, stream } = await emptyStream();
  const kind = headers();
  kind.set("Kind", "one");
  await js.publish(`${stream}.a`, "first", { headers: kind });
  await js.publish(`${stream}.b`, "second");
  await js.publish(`${stream}.a`, "third");

  const first = await jsm.direct.getMessage(stream, { seq: 1 });
  assert.deepEqual([first.seq, first.subject, first.string(), first.header.get("Kind")], [1, `${stream}.a`, "first", "one"]);
  assert.equal((await jsm.direct.getMessage(stream, { last_by_subj: `${stream}.a` })).seq, 3);
  assert.equal((await jsm.direct.getMessage(stream, { seq: 2, next_by_subj: `${stream}.a` })).seq, 3);
  assert.equal(await jsm.direct.getMessage(stream, { seq: 4 }), null);

  const batch = await take(await jsm.direct.getBatch(stream, { seq: 1, batch: 10 }));
  assert.deepEqual(batch.map((message) => message.string()), ["first", "second", "third"]);
  const last = await take(await jsm.direct.getLastMessagesFor(stream, { multi_last: [`${stream}.*`] }));
  assert.deepEqual(last.map((message) => message.seq), [2, 3]);
});
