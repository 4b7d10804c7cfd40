"""Writes objects into a pool and reads them back without pause, and keeps a report: verify.py CONF KEYRING USER POOL REPORT.

The report is one JSON object, replaced about twice a second: counts since the start, and the slowest operation.
"""
import hashlib
import json
import os
import sys
import threading
import time

import rados

conf, keyring, user, pool, report = sys.argv[1:6]
OBJECTS = 64
OBJECT_BYTES = 16384
REPORT_EVERY_S = 0.5
# About forty pairs a second: the machine is left to the cluster, and a pause of 25 ms is still felt.
PAUSE_S = 0.02
LOOK_EVERY_S = 1.0

cluster = rados.Rados(conffile=conf, name=user, conf={"keyring": keyring})
cluster.connect(timeout=30)
io = cluster.open_ioctx(pool)

written = {}
seen = {"startedAtMs": int(time.time() * 1000), "writeCount": 0, "verifyCount": 0, "errorCount": 0, "mismatchCount": 0,
        "worstMs": 0.0, "worstAtMs": 0, "lastError": "", "misplacedAway": None, "misplacedWhole": None}
reported = 0.0
step = 0


def look_for_misplaced():
    """Objects that Ceph wants elsewhere, at most: while an OSD is away (with noout: none), and while all are up. Unasked stays None."""
    code, answer, _ = cluster.mon_command(json.dumps({"prefix": "status", "format": "json"}), b"", timeout=5)
    if code != 0:
        return
    status = json.loads(answer)
    now = status["pgmap"].get("misplaced_objects", 0)
    key = "misplacedAway" if status["osdmap"]["num_up_osds"] < status["osdmap"]["num_osds"] else "misplacedWhole"
    seen[key] = max(now, seen[key] or 0)


def look_on():
    while True:
        try:
            look_for_misplaced()
        except rados.Error:
            pass  # a monitor is away for a moment; the next look asks another
        time.sleep(LOOK_EVERY_S)


def timed(what):
    began = time.time()
    try:
        return what()
    except rados.Error as error:
        seen["errorCount"] += 1
        seen["lastError"] = str(error)
    finally:
        took = (time.time() - began) * 1000
        if took > seen["worstMs"]:
            seen["worstMs"] = round(took, 1)
            seen["worstAtMs"] = int(began * 1000)
    return None


def write(name):
    data = os.urandom(OBJECT_BYTES)
    if timed(lambda: io.write_full(name, data) or True):
        written[name] = hashlib.sha256(data).hexdigest()
        seen["writeCount"] += 1


def verify(name):
    data = timed(lambda: io.read(name, OBJECT_BYTES))
    if data is None:
        return
    seen["verifyCount"] += 1
    if hashlib.sha256(data).hexdigest() != written[name]:
        seen["mismatchCount"] += 1


threading.Thread(target=look_on, daemon=True).start()
while True:
    one = "verify-%d" % (step % OBJECTS)
    write(one)
    other = "verify-%d" % ((step * 7) % OBJECTS)
    if other in written:
        verify(other)
    step += 1
    time.sleep(PAUSE_S)
    if time.time() - reported > REPORT_EVERY_S:
        reported = time.time()
        seen["atMs"] = int(reported * 1000)
        with open(report + ".new", "w") as file:
            json.dump(seen, file)
        os.replace(report + ".new", report)
