"""What can go wrong, and what happens next: the class of an error says who acts on it.

::

    KuroshioError
    ├── UsageError            the operator gave something that cannot be done: mend the call, nothing was changed
    ├── TransientError        we try again
    │   └── BrokerUnavailable     the broker did not answer, or the connection broke
    │       ├── StreamMissing     the stream that was asked for is not there (wiped, or a new incarnation)
    │       └── StreamDown        it is there, and the broker cannot serve it: it starts, or the log is damaged
    ├── RefusedError          another site was asked, and said no, and why: whoever asked decides
    ├── DecodeError           the stream stops, unacknowledged; refused, counted, alarmed
    │   ├── SignatureError        a message that its named origin did not sign: passed over
    │   ├── ForeignError          a message of another site than the one whose stream it stands in
    │   └── OversizedError        a message that would take more memory than any of ours does
    ├── ApplyError            one change is set aside; the others go on
    ├── RulesUnknownError     written under rules that this site has never had: the origin stops until it has them
    ├── PositionLostError     the log no longer reaches back: the origin stops, a snapshot is needed
    └── InvariantError        we are wrong: stop before anything is written

Faults in configuration files are :class:`sitecfg.ConfigError`.
"""


class KuroshioError(Exception):
    """The base of everything that this service raises on purpose."""


class UsageError(KuroshioError):
    """The request cannot be carried out as given; the message says how to mend it."""


class TransientError(KuroshioError):
    """A fault that time mends: the caller tries again."""


class BrokerUnavailable(TransientError):
    """The broker did not answer, or the connection to it broke."""


class StreamMissing(BrokerUnavailable):
    """The stream does not exist at the broker that was asked."""


class StreamDown(BrokerUnavailable):
    """The stream exists and the broker cannot serve it: while it starts, or for ever if its log is damaged."""


class RefusedError(KuroshioError):
    """Another site was asked over the control plane and refused; the message is its reason."""


class DecodeError(KuroshioError):
    """Bytes that are not what their format says. They stay unacknowledged: nothing is skipped."""

    reason = "malformed"
    """Why a message was refused, as it is counted: one of a few words."""


class SignatureError(DecodeError):
    """A message that was not signed by the origin that it names."""

    reason = "signature"


class ForeignError(DecodeError):
    """A message of another site than the one whose stream it stands in."""

    reason = "foreign"


class OversizedError(DecodeError):
    """A message that would take more memory than any of ours does."""

    reason = "oversized"


REFUSALS = tuple(error.reason for error in (DecodeError, SignatureError, ForeignError, OversizedError))
"""Why a message may be refused."""


class ApplyError(KuroshioError):
    """A change that this site cannot take. It is set aside with its reason."""


class RulesUnknownError(KuroshioError):
    """Changes were written under rules that this site does not have: it waits for them."""


class PositionLostError(KuroshioError):
    """The origin's log no longer reaches back to the position stored here."""


class InvariantError(KuroshioError):
    """One of our own invariants does not hold. Stop before writing."""
