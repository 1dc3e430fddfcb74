// Key-value: buckets are streams, and their functions are the client's.

import { test } from "node:test";
import assert from "node:assert/strict";
import { Kvm } from "@nats-io/kv";
import { connect, name, take } from "./fixtures.js";

const LIMIT = { timeout: 20_000 };
const WRONG_LAST_SEQUENCE = { code: 10071 };

test("a key is put and got", LIMIT, async () => {
  const bucket = await createBucket();
  assert.equal(await bucket.put("color", "red"), 1);
  assert.equal(await bucket.put("color", "blue"), 2);
  const entry = await bucket.get("color");
  assert.deepEqual([entry.key, entry.string(), entry.revision], ["color", "blue", 2]);
  assert.equal((await bucket.get("color", { revision: 1 })).string(), "red");
  assert.equal(await bucket.get("size"), null);
});

test("a key is created once", LIMIT, async () => {
  const bucket = await createBucket();
  assert.equal(await bucket.create("color", "red"), 1);
  await assert.rejects(bucket.create("color", "blue"), WRONG_LAST_SEQUENCE);
  await bucket.delete("color");
  assert.equal(await bucket.create("color", "green"), 3);
});

test("a key is updated only from its last revision", LIMIT, async () => {
  const bucket = await createBucket();
  const first = await bucket.create("color", "red");
  const second = await bucket.update("color", "blue", first);
  await assert.rejects(bucket.update("color", "green", first), WRONG_LAST_SEQUENCE);
  assert.equal((await bucket.get("color")).revision, second);
});

test("a deleted key shows its deletion and keeps its history", LIMIT, async () => {
  const bucket = await createBucket();
  await bucket.put("color", "red");
  await bucket.delete("color");
  assert.equal((await bucket.get("color")).operation, "DEL");
  assert.deepEqual((await take(await bucket.history({ key: "color" }))).map((entry) => entry.operation), ["PUT", "DEL"]);
  await bucket.purge("color");
  assert.deepEqual((await take(await bucket.history({ key: "color" }))).map((entry) => entry.operation), ["PURGE"]);
});

test("keys are listed without the deleted", LIMIT, async () => {
  const bucket = await createBucket();
  for (const key of ["a", "b", "c.d"]) {
    await bucket.put(key, "");
  }
  await bucket.delete("b");
  assert.deepEqual((await take(await bucket.keys())).sort(), ["a", "c.d"]);
});

test("a watch shows what is there and then what changes", LIMIT, async () => {
  const bucket = await createBucket();
  await bucket.put("color", "red");
  await bucket.put("color", "blue");
  const watch = await bucket.watch({ key: "color" });
  const entries = take(watch, 3);
  await bucket.put("size", "7");
  await bucket.put("color", "green");
  await bucket.delete("color");
  assert.deepEqual(
    (await entries).map((entry) => [entry.operation, entry.string()]),
    [["PUT", "blue"], ["PUT", "green"], ["DEL", ""]],
  );
});

test("a history holds the last values of a key", LIMIT, async () => {
  const bucket = await createBucket();
  for (let number = 0; number < 7; number++) {
    await bucket.put("count", `${number}`);
    await bucket.put("other", "");
  }
  const entries = await take(await bucket.history({ key: "count" }));
  assert.deepEqual(entries.map((entry) => entry.string()), ["2", "3", "4", "5", "6"]);
});

test("a bucket is listed and destroyed", LIMIT, async () => {
  const kvm = new Kvm(await connect());
  const bucket = await kvm.create(name());
  await bucket.put("color", "red");
  const { bucket: bucketName, values } = await bucket.status();
  assert.equal(values, 1);
  assert((await take(kvm.list())).some((status) => status.bucket === bucketName));
  assert(await bucket.destroy());
  await assert.rejects(bucket.status(), { code: 10059 });
});

async function createBucket() {
  return await new Kvm(await connect()).create(name(), { history: 5 });
}
