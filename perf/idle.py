#!/usr/bin/env python3
"""What an idle broker costs: memory per connection, stream, consumer and message, and CPU while nothing happens.

    perf/idle.py BROKER [--connections 5000] [--streams 5000] [--seconds 60] [--messages 2000000] [--subjects 1000000]
                 [--executors 1]

Starts BROKER on a fresh data directory, opens the connections (CONNECT and one SUB each), creates the streams and a durable pull
consumer on each, and prints proportional memory (Pss) by difference and the CPU time of all threads over the quiet time. Then it
stores messages of 128 B, first on one subject, then each on a subject of its own. Before the first measurement as many streams
and consumers are created once more: they fill caches and buffers of fixed size (each log's tail cache above all, and what a
checkpoint of so many takes for a moment), which are no part of a stream or consumer. Exits 1 above the goals: 4 KiB per connection, 2 KiB per stream, 1 KiB per consumer, 0.5 % of a core, 2 B per message on
one subject, 64 B and the subject per message on a subject of its own.
"""

import argparse
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

CONNECTION_GOAL = 4096  # bytes
STREAM_GOAL = 2048  # bytes
CONSUMER_GOAL = 1024  # bytes
MESSAGE_GOAL = 2  # bytes
SUBJECT_GOAL = 64  # bytes, and the subject
CPU_GOAL = 0.5  # percent of a core
PUBLISHES_IN_FLIGHT = 4096
IN_FLIGHT = 64  # requests
CACHE_MESSAGE = 250_000  # bytes
CACHE_MESSAGES = 200


def main():
    options = arguments()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        port = free_port()
        command = [options.broker, "-a", "127.0.0.1", "-p", str(port), "-sd", directory]
        command += ["--executors", str(options.executors)]
        broker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            good = measure(broker.pid, port, options)
        finally:
            broker.send_signal(signal.SIGTERM)
            broker.wait(30)
    sys.exit(0 if good else 1)


def arguments():
    parser = argparse.ArgumentParser(description="What an idle broker costs.")
    parser.add_argument("broker")
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--messages", type=int, default=2_000_000)
    parser.add_argument("--subjects", type=int, default=1_000_000)
    parser.add_argument("--executors", type=int, default=1)
    parser.add_argument("--directory", help="where the data directory is made")
    return parser.parse_args()


def measure(pid, port, options):
    first = connect(port)
    # What the first connection and the first stream cost once is not theirs.
    started = memory(pid)
    create_streams(first, "WARM", options.executors)
    fill_caches(first, options.executors)
    create_streams(first, "FIRST", options.streams)
    create_consumers(first, "FIRST", options.streams)
    time.sleep(2)
    start = memory(pid)
    print(f"started: {started >> 10} KiB, with full caches: {start >> 10} KiB")

    held = []
    for n in range(options.connections):
        held.append(connect(port, f"SUB idle.{n} 1\r\n"))
    time.sleep(2)
    connected = memory(pid)
    per_connection = (connected - start) / max(options.connections, 1)
    print(f"{options.connections} connections: {connected >> 10} KiB, {per_connection:.0f} B each")

    began = time.monotonic()
    create_streams(first, "S", options.streams)
    took = time.monotonic() - began
    time.sleep(2)
    created = memory(pid)
    per_stream = (created - connected) / max(options.streams, 1)
    print(f"{options.streams} streams in {took:.1f} s: {created >> 10} KiB, {per_stream:.0f} B each")

    create_consumers(first, "S", options.streams)
    time.sleep(2)
    consuming = memory(pid)
    per_consumer = (consuming - created) / max(options.streams, 1)
    print(f"{options.streams} consumers: {consuming >> 10} KiB, {per_consumer:.0f} B each")

    time.sleep(3)
    before, began = cpu_time(pid), time.monotonic()
    time.sleep(options.seconds)
    used = 100 * (cpu_time(pid) - before) / (time.monotonic() - began)
    print(f"idle for {options.seconds:.0f} s: {used:.3f} % of a core")

    per_message = messages(first, pid, "ONE", options.messages, lambda n: "ONE.orders")
    print(f"{options.messages} messages on one subject: {per_message:.2f} B each")
    per_subject = messages(first, pid, "OWN", options.subjects, lambda n: f"OWN.{n:07}")
    print(f"{options.subjects} messages on subjects of 11 B of their own: {per_subject:.1f} B each")

    is_small = per_connection <= CONNECTION_GOAL and per_stream <= STREAM_GOAL and per_consumer <= CONSUMER_GOAL
    is_dense = per_message <= MESSAGE_GOAL and per_subject <= SUBJECT_GOAL + 11
    return is_small and is_dense and used < CPU_GOAL


def messages(peer, pid, name, count, subject):
    """What a stored message takes. Bytes."""
    peer.sendall(b"SUB reply 9\r\n")
    request(peer, f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{name}.>"]})
    # Buffers on the way from the socket to the log are no part of a message.
    publish(peer, min(count, 100_000), lambda n: f"{name}.first")
    time.sleep(2)
    before = memory(pid)
    publish(peer, count, subject)
    time.sleep(2)
    peer.sendall(b"UNSUB 9\r\n")
    return (memory(pid) - before) / max(count, 1)


def publish(peer, count, subject):
    payload = "x" * 128
    for start in range(0, count, PUBLISHES_IN_FLIGHT):
        end = min(start + PUBLISHES_IN_FLIGHT, count)
        peer.sendall("".join(f"PUB {subject(n)} reply 128\r\n{payload}\r\n" for n in range(start, end)).encode())
        acked, rest = 0, b""
        while acked < end - start:
            heard = rest + receive(peer)
            cut = heard.rfind(b"\n") + 1
            acked += heard.count(b'"seq":', 0, cut)
            rest = heard[cut:]


def request(peer, subject, body):
    text = json.dumps(body)
    peer.sendall(f"PUB $JS.API.{subject} reply {len(text)}\r\n{text}\r\n".encode())
    heard = b""
    while b"_response" not in heard or not heard.endswith(b"}\r\n"):
        heard += receive(peer)
    if b'"error"' in heard:
        raise RuntimeError(heard.decode())


def create_consumers(peer, stream, count):
    config = {"durable_name": "C", "ack_policy": "explicit"}
    create(peer, count, "consumer_create_response", lambda n: (
        f"CONSUMER.DURABLE.CREATE.{stream}{n}.C",
        {"stream_name": f"{stream}{n}", "config": config},
    ))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, then=""):
    deadline = time.monotonic() + 30
    while True:
        try:
            peer = socket.create_connection(("127.0.0.1", port), timeout=30)
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    peer.sendall(f'CONNECT {{"verbose":false}}\r\n{then}PING\r\n'.encode())
    heard = b""
    while b"PONG\r\n" not in heard:
        heard += receive(peer)
    return peer


def receive(peer):
    data = peer.recv(1 << 16)
    if not data:
        raise ConnectionError("the broker closed the connection")
    return data


def create_streams(peer, name, count):
    create(peer, count, "stream_create_response", lambda n: (
        f"STREAM.CREATE.{name}{n}",
        {"name": f"{name}{n}", "subjects": [f"{name}.{n}"]},
    ))


def create(peer, count, answer, request):
    """`request`: the end of a subject, and what the request says. `answer`: the type of the answer."""
    peer.sendall(b"SUB reply 9\r\n")
    for start in range(0, count, IN_FLIGHT):
        end = min(start + IN_FLIGHT, count)
        for n in range(start, end):
            subject, body = request(n)
            text = json.dumps(body)
            peer.sendall(f"PUB $JS.API.{subject} reply {len(text)}\r\n{text}\r\n".encode())
        heard = b""
        while heard.count(answer.encode()) < end - start:
            heard += receive(peer)
        if b'"error"' in heard:
            raise RuntimeError(heard.decode())
    peer.sendall(b"UNSUB 9\r\n")


def fill_caches(peer, executors):
    """The tail cache of each log is fixed memory, and is not to be counted among what the streams cost. The first streams
    lie in one log each.
    """
    payload = b"x" * CACHE_MESSAGE
    peer.sendall(b"SUB acks 8\r\n")
    for n in range(CACHE_MESSAGES * executors):
        peer.sendall(b"PUB WARM.%d acks %d\r\n%s\r\n" % (n % executors, len(payload), payload))
        while b"stream" not in receive(peer):
            pass
    peer.sendall(b"UNSUB 8\r\n")


def memory(pid):
    """Proportional memory. Bytes."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    raise RuntimeError("no Pss")


def cpu_time(pid):
    """CPU time of all threads, those of the kernel's rings included. Seconds."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


main()
