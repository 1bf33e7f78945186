"""The length of a thread's slices, in processes of their own: it stays with a thread."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = """
import os
from roost.host.linux import slices

def length():
    lines = open(f"/proc/{os.getpid()}/sched").read().splitlines()
    return next((int(line.split()[-1]) for line in lines if line.startswith("se.slice")), 0)

before = length()
"""


def ask(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", BEGIN + code], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def test_the_thread_has_them_and_its_children_do_not() -> None:
    answer = ask("""
assert slices.shorten(300_000)
child = os.fork()
if not child:
    os._exit(length() == before)
print(before != length(), length(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    if answer.split()[0] == "False":
        pytest.skip("this kernel gives all threads slices of one length")
    assert answer == "True 300000 1"


def test_nice_stays() -> None:
    assert ask("os.nice(5); slices.shorten(300_000); print(os.getpriority(os.PRIO_PROCESS, 0))") == "5"


def test_a_policy_of_the_administrators_stays() -> None:
    answer = ask("""
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
print(slices.shorten(300_000), os.sched_getscheduler(0) == os.SCHED_BATCH)
""")
    assert answer == "False True"
