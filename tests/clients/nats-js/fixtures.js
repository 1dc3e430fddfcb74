// What the tests share: connections to the broker at NATS_URL, names of their own, and a stream of 100,000 messages.

import { after } from "node:test";
import { connect as open, nuid } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";

export const MESSAGES = 100_000;
const IN_FLIGHT = 4000;
const servers = process.env.NATS_URL ?? "nats://127.0.0.1:4222";
const connections = [];

/** One more connection; the broker deals connections to its executors in turn. Closed at the end of the file. */
export async function connect() {
  const connection = await open({ servers, reconnect: false });
  connections.push(connection);
  return connection;
}

after(() => Promise.all(connections.map((connection) => connection.close())));

/** A name that no other test uses. */
export function name() {
  return `js${nuid.next()}`;
}

/** A connection with a client and a manager of streams, and an empty stream `stream` on the subjects `<stream>.>`. */
export async function emptyStream() {
  const nc = await connect();
  const [js, jsm, stream] = [jetstream(nc), await jetstreamManager(nc), name()];
  await jsm.streams.add({ name: stream, subjects: [`${stream}.>`], allow_direct: true });
  return { nc, js, jsm, stream };
}

/**
 * A stream whose message of sequence n has the subject `<stream>.<n % 10>` and the payload n, published with up to 4,000
 * pub acks in flight, and these.
 */
export async function filledStream() {
  const { js, stream } = await emptyStream();
  const inFlight = [];
  const pubAcks = [];
  for (let number = 1; number <= MESSAGES; number++) {
    inFlight.push(js.publish(`${stream}.${number % 10}`, `${number}`, { timeout: 30_000 }));
    if (inFlight.length === IN_FLIGHT) {
      // Half of them stay in flight.
      pubAcks.push(...(await Promise.all(inFlight.splice(0, IN_FLIGHT / 2))));
    }
  }
  pubAcks.push(...(await Promise.all(inFlight)));
  return { stream, pubAcks };
}

/** What an asynchronous iteration gives, up to `count` of it. */
export async function take(iteration, count) {
  const taken = [];
  for await (const item of iteration) {
    taken.push(item);
    if (taken.length === count) {
      break;
    }
  }
  return taken;
}
