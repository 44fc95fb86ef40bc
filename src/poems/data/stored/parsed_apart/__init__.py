"""What untrusted files hold, found out in a process apart, that may crash or be ended.

This imports nothing else of POEMS, so that it starts fast by itself. The process that does it
(:mod:`poems.data.stored.helper`) loads this folder as a package of its own, hence the relative
imports.
"""
