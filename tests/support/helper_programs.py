"""What a process that looks at files may do in place of an answer."""

STARTED = "import sys, os, time, signal; sys.stdin.readline(); print('started', flush=True); "
CRASH = STARTED + "import ctypes; ctypes.string_at(0)"
ABORT = STARTED + "os.abort()"
CIRCLE = STARTED + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass"
HALF = STARTED + "print('[1, 2', end='', flush=True)"
GONE = "raise SystemExit"
